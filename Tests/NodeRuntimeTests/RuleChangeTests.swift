import Coordination
import LimiterCore
import NodeRuntime
import Testing
import Simulator

@Suite struct RuleChangeTests {
    private func isApplied(_ result: Completion.Result?) -> Bool { if case .applied = result { true } else { false } }

    @Test func usedTokensAreCarriedOver() throws {
        let cluster = cluster(seed: 51, [try Rule(name: "r", limit: limit(1, per: 600 * second, burst: 10))])
        for _ in 0..<8 { #expect(cluster.decide(0, rule: "r", key: "k")?.outcome == .allowed) }
        #expect(
            isApplied(cluster.change(1, [.put(try Rule(name: "r", limit: limit(1, per: 300 * second, burst: 20)))])))
        // Eight of twenty are used.
        var granted = 0
        for i in 0..<30 where cluster.decide(i % 3, rule: "r", key: "k")?.outcome == .allowed { granted += 1 }
        #expect((11...12).contains(granted), "\(granted) more")
        #expect(cluster.problems().isEmpty, "\(cluster.problems())")
    }

    /// Between the two large ones there is room for a few tokens only, but what was used is used.
    @Test func aBurstThatWasSmallForAMomentIsNotHandedOutAgain() throws {
        func rule(_ burst: Int64) throws -> Rule {
            try Rule(name: "r", limit: limit(burst, per: burst * 600 * second, burst: burst))
        }
        let cluster = cluster(seed: 54, [try rule(50)])
        func granted() -> Int { (0..<80).count { cluster.decide($0 % 3, rule: "r", key: "k")?.outcome == .allowed } }
        for _ in 0..<40 { #expect(cluster.decide(0, rule: "r", key: "k")?.outcome == .allowed) }
        #expect(isApplied(cluster.change(1, [.put(try rule(5))])))
        #expect(granted() == 0)
        #expect(isApplied(cluster.change(1, [.put(try rule(60))])))
        // Forty of sixty are used.
        #expect((18...20).contains(granted()))
        #expect(cluster.problems().isEmpty, "\(cluster.problems())")
    }

    /// A key that nobody asks for while its rule changes is found again under as many versions as the rule remembers, and no more.
    @Test(arguments: [(VersionedRule.mostPrevious, 1), (VersionedRule.mostPrevious + 1, 9)])
    func aKeySleepsThroughChanges(changes: Int, granted: Int) throws {
        func rule(_ interval: Int64) throws -> Rule {
            try Rule(name: "r", limit: limit(1, per: interval * second, burst: 9))
        }
        let cluster = cluster(seed: 55, [try rule(600)])
        for _ in 0..<8 { #expect(cluster.decide(0, rule: "r", key: "k")?.outcome == .allowed) }
        for change in 1...changes { #expect(isApplied(cluster.change(1, [.put(try rule(600 + Int64(change)))]))) }
        let now = (0..<30).count { cluster.decide($0 % 3, rule: "r", key: "k")?.outcome == .allowed }
        #expect(now == granted)
        #expect(cluster.problems().isEmpty, "\(cluster.problems())")
    }

    /// Once carried over, tokens that an old version's bucket still misses must not be carried over again and again.
    @Test func aRaisedLimitRefills() throws {
        let cluster = cluster(seed: 52, [try Rule(name: "r", limit: limit(50, per: 86_400 * second, burst: 50))])
        for i in 0..<60 { _ = cluster.decide(i % 3, rule: "r", key: "k") }
        #expect(cluster.ledger(rule: "r", key: "k").comparison().granted == 50)
        #expect(isApplied(cluster.change(0, [.put(try Rule(name: "r", limit: limit(100, burst: 100)))])))
        _ = cluster.decide(0, rule: "r", key: "k")
        for round in 0..<3 {
            cluster.run(for: 3 * second)
            var granted = 0
            for i in 0..<60 where cluster.decide(i % 3, rule: "r", key: "k")?.outcome == .allowed { granted += 1 }
            #expect(granted == 60, "round \(round)")
        }
        #expect(cluster.problems().isEmpty, "\(cluster.problems())")
    }

    @Test func aDeletedRuleIsGoneEverywhere() throws {
        let cluster = cluster(seed: 53, [try Rule(name: "r", limit: limit(10, burst: 10))])
        #expect(cluster.decide(2, rule: "r", key: "k")?.outcome == .allowed)
        #expect(isApplied(cluster.change(2, [.delete("r")])))
        for i in 0..<3 { #expect(cluster.bucket(i, rule: "r", key: "k") == nil) }
        guard case .refused = cluster.change(1, [.delete("r")]) else {
            Issue.record("a rule that does not exist was deleted")
            return
        }
    }
}

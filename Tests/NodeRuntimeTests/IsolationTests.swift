import Coordination
import LimiterCore
import NodeRuntime
import Testing
import Simulator

@Suite struct IsolationTests {
    @Test func aNodeThatIsCutOffFollowsTheRule() throws {
        let cluster = cluster(
            seed: 61,
            try [OnIsolation.deny, .share, .allow].map {
                try Rule(name: $0.name, limit: limit(1, per: 60 * second, burst: 9), onIsolation: $0)
            })
        let keys = Dictionary(
            uniqueKeysWithValues: OnIsolation.allCases.map { ($0.name, cluster.key("k", rule: $0.name, ownedBy: 1)) })
        cluster.partition([[0], [1, 2]])
        // One request each, to notice; it waits for its patience first.
        for kind in OnIsolation.allCases { _ = cluster.decide(0, rule: kind.name, key: keys[kind.name]!) }
        cluster.run(for: 2 * second)
        let deny = try #require(cluster.decide(0, rule: "deny", key: keys["deny"]!))
        #expect(deny.outcome == .unavailable && deny.cause == .isolated)
        let allow = try #require(cluster.decide(0, rule: "allow", key: keys["allow"]!))
        #expect(allow.outcome == .allowed && allow.isIsolated)
        // A third of nine, of which the first request had one.
        let shares = (0..<5).map { _ in cluster.decide(0, rule: "share", key: keys["share"]!)! }
        #expect(shares.count { $0.isAllowed } == 2)
        #expect(shares.allSatisfy { $0.isIsolated })
        cluster.heal()
        cluster.run(for: 2 * second)
        for kind in OnIsolation.allCases {
            let decision = try #require(cluster.decide(0, rule: kind.name, key: keys[kind.name]!))
            #expect(decision.outcome == .allowed && !decision.isIsolated, "\(kind)")
        }
        #expect(cluster.problems().isEmpty, "\(cluster.problems())")
    }

    /// After a jump of the clock a node gives everything up, and finds its owners again even if it has nothing to say to them.
    @Test func aNodeThatDistrustsItsClockRecovers() throws {
        let cluster = cluster(seed: 62, [try Rule(name: "r", limit: limit(100, burst: 50))])
        let key = cluster.key("k", rule: "r", ownedBy: 1)
        cluster.partition([[0], [1, 2]])
        _ = cluster.decide(0, rule: "r", key: key)
        cluster.run(for: 2 * second)
        cluster.act(0) { runtime, _ in runtime.distrustClock() }
        cluster.heal()
        cluster.run(for: 2 * second)
        #expect(cluster.isServedOnce)
        #expect(cluster.decide(0, rule: "r", key: key)?.outcome == .allowed)
        #expect(cluster.problems().isEmpty)
    }

    /// A verdict that was lost on its way is fetched, long before the request's patience ends.
    @Test func lostVerdictsAreFetched() throws {
        let cluster = cluster(seed: 63, [try Rule(name: "r", limit: limit(1_000, burst: 1_000), exact: true)]) {
            $0.lossPermille = 100
        }
        for i in 0..<200 { cluster.request(i % 3, rule: "r", key: "k\(i)") }
        cluster.run(for: 900 * millisecond)
        #expect(cluster.unsettled <= 10, "\(cluster.unsettled) of 200 still wait")
        cluster.run(for: second)
        #expect(cluster.unsettled == 0)
    }
}

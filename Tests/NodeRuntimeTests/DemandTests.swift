import Coordination
import LimiterCore
import NodeRuntime
import Testing
import Simulator

/// The second half of the promise: under steady over-demand without faults, at least 0.98 of what an ideal bucket admits.
@Suite struct DemandTests {
    struct Kind: CustomTestStringConvertible, Sendable {
        var name: String
        var tokens: Int64
        var period: Int64 = second
        var burst: Int64
        var cost: Int64 = 1
        /// Requests a second at each node.
        var asked: [Double]
        var seconds: Int64
        var exact = false
        /// Whether equal holders must get equal parts, within 15 percent.
        var isDivided = false

        var testDescription: String { name }
    }

    static let kinds = [
        Kind(name: "100/s, burst 100", tokens: 100, burst: 100, asked: [100, 100, 100], seconds: 6, isDivided: true),
        Kind(name: "100/s, uneven", tokens: 100, burst: 100, asked: [400, 30, 1], seconds: 6),
        Kind(name: "1000/s, burst 2", tokens: 1_000, burst: 2, asked: [900, 900, 900], seconds: 2, isDivided: true),
        Kind(name: "1/s, burst 1", tokens: 1, burst: 1, asked: [30, 30, 30], seconds: 60),
        Kind(name: "60/min, burst 30", tokens: 60, period: 60 * second, burst: 30, asked: [10, 10, 10], seconds: 60),
        Kind(
            name: "10k/s, burst 1000", tokens: 10_000, burst: 1_000, asked: [5_000, 5_000, 5_000], seconds: 2,
            isDivided: true),
        Kind(name: "cost as large as the burst", tokens: 10, burst: 10, cost: 10, asked: [15, 15, 15], seconds: 30),
        Kind(
            name: "1000 a day", tokens: 1_000, period: 86_400 * second, burst: 1_000, asked: [60, 60, 60], seconds: 10),
        Kind(name: "exact", tokens: 100, burst: 100, asked: [60, 60, 60], seconds: 5, exact: true),
        Kind(
            name: "five nodes", tokens: 1_000, burst: 500, asked: [350, 350, 350, 350, 350], seconds: 6, isDivided: true
        ),
    ]

    @Test(arguments: kinds)
    func everythingAnIdealBucketWouldAdmit(_ kind: Kind) throws {
        let rule = try Rule(
            name: "r", limit: limit(kind.tokens, per: kind.period, burst: kind.burst), exact: kind.exact)
        let cluster = cluster(seed: 11, nodes: kind.asked.count, [rule])
        for (i, rate) in kind.asked.enumerated() {
            cluster.load(
                i, rule: "r", key: "k", perSecond: rate, cost: kind.cost, until: cluster.time + kind.seconds * second)
        }
        cluster.run(for: (kind.seconds + 2) * second)
        let ledger = cluster.ledger(rule: "r", key: "k")
        // A run may end just before the last token of it.
        let (granted, ideal) = ledger.comparison()
        #expect(Double(granted + kind.cost) >= 0.98 * Double(ideal), "\(granted) of \(ideal)")
        if kind.isDivided {
            let parts = kind.asked.indices.map { Double(ledger.granted(node: $0)) }
            #expect(parts.max()! <= 1.15 * parts.min()!, "\(parts)")
        }
        #expect(ledger.unavailable == 0)
        #expect(cluster.unsettled == 0)
        #expect(cluster.problems().isEmpty, "\(cluster.problems())")
    }

    /// Many small spans would not fit into a holder's table: it must ask in lumps, and only with room for them.
    @Test func noAllowanceIsLostForWantOfRoom() throws {
        let cluster = cluster(seed: 12, [try Rule(name: "r", limit: limit(1_000, per: 86_400 * second, burst: 1_000))])
        for i in 0..<3 { cluster.load(i, rule: "r", key: "k", perSecond: 100, until: cluster.time + 5 * second) }
        cluster.run(for: 6 * second)
        for i in 0..<3 {
            #expect(cluster.view(i).holderCounters.allowances > 0)
            #expect(cluster.view(i).holderCounters.lostAllowances == 0)
        }
    }

    /// `delay`: each request is admitted and due within its wait, and never too many are due in any window.
    @Test func delayedRequestsComeInTheirTurn() throws {
        let rule = try Rule(name: "r", limit: limit(50, burst: 5), onLimit: .delay(400 * millisecond))
        let cluster = cluster(seed: 13, [rule])
        cluster.keepsDecisions = true
        for i in 0..<3 {
            cluster.load(
                i, rule: "r", key: "k", perSecond: 40, wait: 400 * millisecond, until: cluster.time + 4 * second)
        }
        cluster.run(for: 6 * second)
        let ledger = cluster.ledger(rule: "r", key: "k")
        #expect(ledger.utilisation() >= 0.98, "\(ledger.comparison())")
        #expect(cluster.decisions.values.allSatisfy { $0.dueIn >= 0 && $0.dueIn <= 400 * millisecond })
        #expect(cluster.decisions.values.contains { $0.isAllowed && $0.dueIn > 300 * millisecond })
        #expect(cluster.problems().isEmpty, "\(cluster.problems())")
    }

    /// Sixteen requests at the same instant on an empty bucket are due one after the other.
    @Test func dueTimesAreOneIntervalApart() throws {
        let rule = try Rule(name: "r", limit: limit(100, burst: 1), onLimit: .delay(second))
        let cluster = cluster(seed: 14, nodes: 1, [rule]) { $0.drifts = false }
        cluster.keepsDecisions = true
        let tokens = (0..<16).compactMap { _ in cluster.request(0, rule: "r", key: "k", wait: 100 * millisecond) }
        cluster.run(for: second)
        let due = tokens.map { cluster.decisions[$0]! }
        for (i, decision) in due.enumerated() {
            if i <= 10 {
                #expect(decision.isAllowed)
                #expect(abs(decision.dueIn - Int64(i) * 10 * millisecond) < 5 * millisecond, "\(i): \(decision.dueIn)")
            } else {
                #expect(decision.outcome == .limited)
            }
        }
        #expect(cluster.problems().isEmpty)
    }

    /// A few tokens for a long time are not handed to holders in advance: one would keep what another asks for.
    @Test(arguments: [81, 82, 83, 84, 85, 86] as [UInt64], [4, 12] as [Int64])
    func fewTokensAreNotStranded(seed: UInt64, burst: Int64) throws {
        let rule = try Rule(name: "few", limit: limit(2, per: 3_600 * second, burst: burst))
        let cluster = cluster(seed: seed, [rule])
        // So many at once look like demand.
        for _ in 0..<2 {
            for _ in 0..<burst / 4 { cluster.request(0, rule: "few", key: "k", cost: 1, wait: 0) }
            cluster.run(for: 50 * millisecond)
        }
        for _ in 0..<burst { _ = cluster.decide(1, rule: "few", key: "k") }
        #expect(cluster.ledger(rule: "few", key: "k").grants.count == burst)
        #expect(cluster.problems().isEmpty, "\(cluster.problems())")
    }
}

import LimiterCore
import Testing

@testable import Coordination

/// What a node that is cut off admits on its own, for rules that ask for it.
struct IsolationSharesTests {
    private func bucket(_ number: UInt64 = 1, burst: Int64 = 10, tokens: Int64 = 10) -> Bucket {
        let limit = try! Limit(tokens: tokens, per: 1_000_000_000, burst: burst)
        return Bucket(
            id: BucketID(high: number, low: number << 6 | 30), range: RangeID(1), limit: limit, onIsolation: .share)
    }

    private func at(_ milliseconds: Int64) -> ClockTime { ClockTime(ns: milliseconds * 1_000_000) }

    @Test("Three nodes together admit no more than one bucket: a third each, rounded down, and a third of the rate")
    func parts() {
        var shares = IsolationShares(nodes: 3)
        let bucket = bucket()
        for i in 0..<3 {
            let decision = shares.decide(bucket, cost: 1, now: at(0))
            #expect(decision.outcome == .allowed && decision.isIsolated, "request \(i)")
        }
        let refused = shares.decide(bucket, cost: 1, now: at(0))
        #expect(refused.outcome == .limited && refused.isIsolated && refused.limit == 3)
        // Ten tokens a second, a third of them here: the next one comes after 300 ms.
        #expect(refused.retryAfter == 300_000_000)
        #expect(shares.decide(bucket, cost: 1, now: at(299)).outcome == .limited)
        #expect(shares.decide(bucket, cost: 1, now: at(300)).outcome == .allowed)
        #expect(shares.decide(bucket, cost: 1, now: at(300)).outcome == .limited)
    }

    @Test("Over any stretch N isolated nodes admit at most the burst and the refill")
    func together() {
        for seed in 0..<50 {
            var generator = SplitMix64(seed: UInt64(seed))
            let nodes = 1 + generator.below(5)
            let bucket = bucket(burst: Int64(nodes + generator.below(40)), tokens: Int64(1 + generator.below(50)))
            var admitted: Int64 = 0
            var now: Int64 = 0
            var shares = IsolationShares(nodes: nodes)
            for _ in 0..<300 {
                now += Int64(generator.below(60))
                let cost = Int64(generator.below(3))
                if shares.decide(bucket, cost: cost, now: at(now)).outcome == .allowed { admitted += cost }
            }
            // Each node is like this one.
            let most = Double(bucket.limit.burst) + bucket.limit.ratePerSecond * Double(now) / 1e3
            #expect(Double(admitted * Int64(nodes)) <= most + 1e-6, "seed \(seed)")
        }
    }

    @Test("A part of nothing is nothing: a burst smaller than the cluster is unavailable")
    func nothing() {
        var shares = IsolationShares(nodes: 5)
        #expect(shares.decide(bucket(burst: 5), cost: 1, now: at(0)).outcome == .allowed)
        let decision = shares.decide(bucket(2, burst: 4), cost: 1, now: at(0))
        #expect(decision.outcome == .unavailable && decision.cause == .isolated)
    }

    @Test("What costs more than a part never passes, and a look costs nothing")
    func costs() {
        var shares = IsolationShares(nodes: 3)
        #expect(shares.decide(bucket(), cost: 4, now: at(0)).outcome == .limited)
        #expect(shares.decide(bucket(), cost: 0, now: at(0)).remaining == 3)
        #expect(shares.decide(bucket(), cost: 3, now: at(0)).outcome == .allowed)
        #expect(shares.decide(bucket(), cost: 0, now: at(0)).outcome == .allowed)
    }

    @Test("At its capacity every key is known; one more, and another makes way: a key in use is not forgotten for it")
    func capacity() {
        var shares = IsolationShares(nodes: 1)
        for i in 1...UInt64(IsolationShares.capacity) {
            _ = shares.decide(bucket(i, burst: 2, tokens: 1), cost: 1, now: at(0))
        }
        let one = UInt64(IsolationShares.capacity) + 1
        #expect(shares.decide(bucket(one, burst: 2, tokens: 1), cost: 2, now: at(0)).outcome == .allowed)
        #expect(shares.decide(bucket(one, burst: 2, tokens: 1), cost: 1, now: at(0)).outcome == .limited)
    }
}

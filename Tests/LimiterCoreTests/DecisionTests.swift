import LimiterCore
import Testing

private let second: Int64 = 1_000_000_000

/// CL.THROTTLE's arithmetic as the wire facts give it: what a client of redis-cell sees.
private struct CellBucket {
    var tat: Int64?
    let emission: Int64
    let dvt: Int64

    mutating func throttle(_ quantity: Int64, now: Int64) -> (
        limited: Bool, remaining: Int64, retry: Int64, reset: Int64
    ) {
        let stored = tat ?? now
        let new = max(now, stored) + emission * quantity
        let limited = now < new - dvt
        let ttl: Int64
        var retry: Int64 = -1
        if limited {
            ttl = max(0, stored - now)
            if quantity * emission <= dvt { retry = new - dvt - now }
        } else {
            ttl = new - now
            tat = new
        }
        return (limited, dvt - ttl > -emission ? (dvt - ttl) / emission : 0, retry, ttl)
    }
}

/// The same request to one ideal bucket, answered through ``Decision/settled(allowed:limit:tat:cost:at:)``.
private func decide(_ limit: Limit, tat: inout Int64, cost: Int64, now: Int64) -> Decision {
    guard let time = limit.time(of: cost), max(now, tat) + time <= now + limit.tolerance else {
        return .settled(allowed: false, limit: limit, tat: AxisTime(ns: tat), cost: cost, at: AxisTime(ns: now))
    }
    tat = max(now, tat) + time
    return .settled(allowed: true, limit: limit, tat: AxisTime(ns: tat), cost: cost, at: AxisTime(ns: now))
}

@Suite("Decisions")
struct DecisionTests {
    @Test("redis-cell's own conformance vectors: burst 4 and one more, one a second")
    func cellVectors() throws {
        let limit = try Limit(tokens: 1, per: second, burst: 5)
        var tat = AxisTime.never.ns
        // tenths of a second, cost -> allowed, remaining, reset in tenths, retry in tenths
        let script: [(Int64, Int64, Bool, Int64, Int64, Int64?)] = [
            (0, 6, false, 5, 0, nil), (0, 1, true, 4, 10, nil), (0, 1, true, 3, 20, nil), (0, 1, true, 2, 30, nil),
            (0, 1, true, 1, 40, nil), (0, 1, true, 0, 50, nil), (0, 1, false, 0, 50, 10), (30, 1, true, 2, 30, nil),
            (31, 1, true, 1, 39, nil), (40, 1, true, 1, 40, nil), (80, 1, true, 4, 10, nil), (95, 1, true, 4, 10, nil),
            (95, 0, true, 4, 10, nil), (95, 2, true, 2, 30, nil), (95, 5, false, 2, 30, 30),
        ]
        for (i, (at, cost, allowed, remaining, reset, retry)) in script.enumerated() {
            let decision = decide(limit, tat: &tat, cost: cost, now: at * second / 10)
            #expect(decision.isAllowed == allowed, "step \(i)")
            #expect(decision.limit == 5, "step \(i)")
            #expect(decision.remaining == remaining, "step \(i)")
            #expect(decision.resetAfter == reset * second / 10, "step \(i)")
            #expect(decision.retryAfter == retry.map { $0 * second / 10 } ?? -1, "step \(i)")
        }
    }

    @Test("the same numbers as redis-cell's arithmetic on random requests")
    func cellTwin() throws {
        var random = SplitMix64(seed: 5)
        for _ in 0..<300 {
            let tokens = random.pick([1, 2, 5, 10, 100, 1000] as [Int64])
            let limit = try Limit(tokens: tokens, per: second, burst: random.within(1...50))
            var cell = CellBucket(emission: limit.emissionInterval, dvt: limit.tolerance)
            var tat = AxisTime.never.ns
            var now: Int64 = 0
            for _ in 0..<100 {
                now += random.within(0...(2 * limit.emissionInterval))
                let cost = random.within(0...(limit.burst + 2))
                let expected = cell.throttle(cost, now: now)
                let decision = decide(limit, tat: &tat, cost: cost, now: now)
                #expect(decision.isAllowed == !expected.limited)
                #expect(decision.remaining == expected.remaining)
                #expect(decision.resetAfter == expected.reset)
                #expect(decision.retryAfter == expected.retry)
            }
        }
    }

    @Test("after retryAfter the same request passes, and a nanosecond earlier it does not")
    func retryAfterIsExact() throws {
        let limit = try Limit(tokens: 7, per: second, burst: 9)
        var tat: Int64 = 0
        #expect(decide(limit, tat: &tat, cost: 8, now: 100).isAllowed)
        let refused = decide(limit, tat: &tat, cost: 4, now: 200)
        #expect(refused.outcome == .limited && refused.retryAfter > 0)
        var early = tat
        #expect(!decide(limit, tat: &early, cost: 4, now: 200 + refused.retryAfter - 1).isAllowed)
        #expect(decide(limit, tat: &tat, cost: 4, now: 200 + refused.retryAfter).isAllowed)
    }

    @Test("a bucket that ran ahead of its burst, as waiting requests let it, has nothing left and says when it is full")
    func aheadOfTheBurst() throws {
        let limit = try Limit(tokens: 1, per: second, burst: 2)
        let decision = Decision.settled(
            allowed: true, limit: limit, tat: AxisTime(ns: 10 * second), cost: 1, at: AxisTime(ns: 0))
        #expect(decision.remaining == 0 && decision.resetAfter == 10 * second && decision.retryAfter == -1)
    }

    @Test("no reading of a bucket traps, whatever a message claims")
    func extremes() throws {
        let edges: [Int64] = [.min, .min + 1, -(1 << 62), -1, 0, 1, 1 << 60, 1 << 62, .max - 1, .max]
        for limit in [
            try Limit(tokens: 1, per: Limit.longestTolerance, burst: 1),
            try Limit(tokens: 10_000_000, per: second, burst: 1),
            try Limit(tokens: .max / 4, per: second, burst: .max),
        ] {
            for tat in edges {
                for axis in edges {
                    for cost in edges {
                        for allowed in [true, false] {
                            let decision = Decision.settled(
                                allowed: allowed, limit: limit, tat: AxisTime(ns: tat), cost: cost,
                                at: AxisTime(ns: axis))
                            #expect((0...limit.burst).contains(decision.remaining))
                            #expect(decision.resetAfter >= 0 && decision.retryAfter >= -1)
                        }
                    }
                }
            }
        }
    }

    @Test("a decision that could not be made says why")
    func unavailable() {
        let decision = Decision.unavailable(.isolated, limit: 9)
        #expect(
            !decision.isAllowed && decision.outcome == .unavailable && decision.cause == .isolated
                && decision.limit == 9)
    }
}

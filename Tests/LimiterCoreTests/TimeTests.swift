import LimiterCore
import Testing

/// `ns * (1 + rho + rho^2)` as an exact fraction: the whole part, and what is left over in 10^18ths.
private func stretched(_ ns: Int64, partsPerBillion p: Int64) -> (whole: Int64, rest: UInt64) {
    // excess = p * (10^9 + p) / 10^18, at most 1.1 * 10^17 / 10^18.
    let product = UInt64(ns).multipliedFullWidth(by: UInt64(p) * (1_000_000_000 + UInt64(p)))
    let (quotient, remainder) = UInt64(1_000_000_000_000_000_000).dividingFullWidth((product.high, product.low))
    return (ns + Int64(quotient), remainder)
}

@Suite("Drift bounds")
struct DriftBoundTests {
    static let rhos: [Int64] = [
        0, 1, 50_000, 500_000, 1_000_000, 1_953_125, 10_000_000, 48_828_125, 99_999_999, 100_000_000,
    ]

    private static func values(_ random: inout SplitMix64) -> [Int64] {
        var values: [Int64] = [
            0, 1, 2, 1000, 4_294_967_295, 4_294_967_296, 4_294_967_297, 1 << 53, (1 << 62) - 1, 1 << 62,
        ]
        for _ in 0..<2000 { values.append(random.within(0...(1 << random.within(1...62)))) }
        return values
    }

    @Test("the longest stretch is never too short, and hardly longer than it must be", arguments: rhos)
    func longest(rho: Int64) {
        var random = SplitMix64(seed: UInt64(rho))
        let drift = DriftBound(partsPerBillion: rho)
        for ns in DriftBoundTests.values(&random) {
            let exact = stretched(ns, partsPerBillion: rho)
            let longest = drift.longest(ns)
            #expect(longest > exact.whole || (longest == exact.whole && exact.rest == 0), "\(ns)")
            // One for rounding up, and the excess is rounded up to a 2^32nd.
            #expect(longest - exact.whole <= 2 + ns >> 32, "\(ns)")
        }
    }

    @Test("the shortest stretch is never too long", arguments: rhos)
    func shortest(rho: Int64) {
        var random = SplitMix64(seed: UInt64(rho) + 1)
        let drift = DriftBound(partsPerBillion: rho)
        for ns in DriftBoundTests.values(&random) {
            let shortest = drift.shortest(ns)
            // ns - shortest >= ns * rho, in 10^9ths.
            let cut = UInt64(ns - shortest).multipliedFullWidth(by: 1_000_000_000)
            let least = UInt64(ns).multipliedFullWidth(by: UInt64(rho))
            #expect((cut.high, cut.low) >= (least.high, least.low), "\(ns)")
            #expect(shortest <= ns)
        }
    }

    @Test(
        "what a holder counts between two readings is at most one nanosecond less than the longest stretch",
        arguments: rhos)
    func differences(rho: Int64) {
        var random = SplitMix64(seed: UInt64(rho) + 2)
        let drift = DriftBound(partsPerBillion: rho)
        let values = DriftBoundTests.values(&random)
        for first in values {
            let second = min(1 << 62, first + random.within(0...(1 << random.within(1...62))))
            let counted = drift.longest(second) - drift.longest(first)
            let exact = stretched(second - first, partsPerBillion: rho)
            // A bracket's base holds one nanosecond more for this.
            #expect(
                counted + 1 > exact.whole || (counted + 1 == exact.whole && exact.rest == 0), "\(first) to \(second)")
            #expect(counted >= second - first, "the stretched clock never runs slower than the clock")
        }
    }

    @Test("times of different kinds print and compare")
    func times() {
        #expect(ClockTime(ns: 3) < ClockTime(ns: 4) && ClockTime(ns: 7) - ClockTime(ns: 4) == 3)
        #expect((ClockTime(ns: 3) + 4).description == "7 ns")
        #expect(AxisTime.never < AxisTime(ns: 0) && AxisTime.never.description == "never")
        #expect(AxisTime(ns: 5) - 2 == AxisTime(ns: 3) && AxisTime(ns: 5) + 2 - AxisTime(ns: 1) == 6)
        #expect(AxisTime.never + Limit.longestTolerance < AxisTime(ns: 0))
    }
}

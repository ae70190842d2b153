import LimiterCore
import Testing

private let second: Int64 = 1_000_000_000
private let year: Int64 = 365 * 86_400 * second

private func limit(_ tokens: Int64, per period: Int64, burst: Int64) throws -> Limit {
    try Limit(tokens: tokens, per: period, burst: burst)
}

/// What every limit that can be had must obey, compared as exact fractions.
private func checkLaws(_ limit: Limit, sourceLocation: SourceLocation = #_sourceLocation) {
    let (t, unit) = (limit.emissionInterval, limit.unit)
    #expect(t >= 1 && unit >= 1 && limit.tolerance >= t, "\(limit)", sourceLocation: sourceLocation)
    // unit / T <= tokens / period: no faster than asked for.
    let ours = UInt64(unit).multipliedFullWidth(by: UInt64(limit.period))
    let asked = UInt64(limit.tokens).multipliedFullWidth(by: UInt64(t))
    #expect((ours.high, ours.low) <= (asked.high, asked.low), "\(limit)", sourceLocation: sourceLocation)
    // And never slower by more than a hundredth: (T - 1) / unit < period / tokens, where T is at least 100 or exact.
    let lower = UInt64(limit.tokens).multipliedFullWidth(by: UInt64(t - 1))
    #expect((lower.high, lower.low) < (ours.high, ours.low), "\(limit)", sourceLocation: sourceLocation)
    #expect(t >= 100, "\(limit)", sourceLocation: sourceLocation)
    // A full bucket holds its burst in whole units.
    let units = limit.burst / unit
    #expect(limit.tolerance == t * units, sourceLocation: sourceLocation)
    #expect(limit.tokens(in: limit.tolerance) == units * unit, sourceLocation: sourceLocation)
    #expect(limit.time(of: units * unit) == limit.tolerance, sourceLocation: sourceLocation)
    #expect(limit.time(of: 0) == 0 && limit.time(of: -1) == nil, sourceLocation: sourceLocation)
    if limit.burst < .max { #expect(limit.time(of: limit.burst + 1) == nil, sourceLocation: sourceLocation) }
    #expect(limit.tokens(in: -1) == 0 && limit.tokens(in: .min) == 0, sourceLocation: sourceLocation)
}

@Suite("Limits")
struct LimitTests {
    @Test("100 a second with a burst of 200 is 10 ms a token and 2 s a bucket")
    func ordinary() throws {
        let limit = try limit(100, per: second, burst: 200)
        #expect(limit.emissionInterval == 10_000_000)
        #expect(limit.tolerance == 2 * second)
        #expect(limit.unit == 1)
        #expect(limit.time(of: 3) == 30_000_000)
        #expect(limit.tokens(in: 39_999_999) == 3)
        #expect(limit.ratePerSecond == 100)
        checkLaws(limit)
    }

    @Test("a rate that does not divide its period is rounded to the slow side")
    func roundedUp() throws {
        let limit = try limit(3, per: second, burst: 3)
        #expect(limit.emissionInterval == 333_333_334)
        #expect(limit.tolerance == 1_000_000_002)
        checkLaws(limit)
    }

    @Test("one a year, and one in 36 years")
    func slow() throws {
        let yearly = try limit(1, per: year, burst: 1)
        #expect(yearly.emissionInterval == year && yearly.tolerance == year)
        checkLaws(yearly)
        checkLaws(try limit(1, per: Limit.longestTolerance, burst: 1))
        #expect(throws: LimitError.self) { try limit(1, per: Limit.longestTolerance + 1, burst: 1) }
        #expect(throws: LimitError.self) { try limit(1, per: year, burst: 37) }
    }

    @Test("ten million a second is the last rate that is counted in single tokens")
    func fast() throws {
        let edge = try limit(10_000_000, per: second, burst: 1)
        #expect(edge.unit == 1 && edge.emissionInterval == 100)
        checkLaws(edge)
        let beyond = try limit(10_000_001, per: second, burst: 5)
        #expect(beyond.unit == 2)
        #expect(beyond.tokens(in: beyond.tolerance) == 4, "five tokens are two whole units of two")
        checkLaws(beyond)
        #expect(beyond.time(of: 1) == beyond.emissionInterval, "costs round up to whole units")
        #expect(beyond.time(of: 2) == beyond.emissionInterval)
        #expect(beyond.time(of: 3) == 2 * beyond.emissionInterval)
        #expect(beyond.time(of: 5) == nil, "three units never fit into two")
        #expect(throws: LimitError.self) { try limit(10_000_001, per: second, burst: 1) }
        let terabit = try limit(125_000_000_000, per: second, burst: 1 << 40)
        #expect(terabit.unit == 12_500 && terabit.emissionInterval == 100)
        checkLaws(terabit)
    }

    @Test("what is not positive is refused, with the number in the message")
    func refused() {
        for (tokens, period, burst) in [(0, 1, 1), (-5, 1, 1), (1, 0, 1), (1, -7, 1), (1, 1, 0), (1, 1, -9)]
            as [(
                Int64, Int64, Int64
            )]
        {
            #expect(throws: LimitError.self) { try limit(tokens, per: period, burst: burst) }
        }
        let message = #expect(throws: LimitError.self) { try limit(-5, per: second, burst: 1) }?.description
        #expect(message?.contains("-5") == true)
    }

    @Test("a cost is taken at no less than its share of time, and time never gives back more than it took")
    func laws() throws {
        var random = SplitMix64(seed: 11)
        for _ in 0..<20_000 {
            let tokens = random.within(1...(1 << random.within(1...50)))
            let period = random.within(1...(1 << random.within(1...55)))
            let burst = random.within(1...(1 << random.within(1...50)))
            guard let limit = try? limit(tokens, per: period, burst: burst) else { continue }
            checkLaws(limit)
            let a = random.within(0...burst)
            let b = random.within(0...(burst - a))
            guard let both = limit.time(of: a + b), let first = limit.time(of: a), let then = limit.time(of: b) else {
                continue
            }
            #expect(first + then >= both, "splitting a request must not make it cheaper: \(limit) \(a) \(b)")
            #expect(limit.tokens(in: both) >= a + b)
            #expect(both == 0 || limit.tokens(in: both - 1) < a + b)
            #expect(limit.tokens(in: first) + limit.tokens(in: then) >= limit.tokens(in: first + then) - limit.unit)
        }
    }

    @Test("no combination of extreme numbers traps: each makes a lawful limit or an error")
    func extremes() {
        var edges: [Int64] = [.min, .min + 1, -1, 0, 1, 2, 3, 7, 60, 99, 100, 101, 199, 200, 255, 1000, second, year]
        for shift in stride(from: 30, through: 62, by: 2) {
            edges += [(1 << Int64(shift)) - 1, 1 << Int64(shift), (1 << Int64(shift)) + 1]
        }
        edges += [.max - 1, .max, .max / 100, .max / 100 + 1, .max / 3]
        var accepted = 0
        for tokens in edges {
            for period in edges {
                for burst in edges {
                    guard let limit = try? limit(tokens, per: period, burst: burst) else { continue }
                    accepted += 1
                    if accepted % 16 == 0 { checkLaws(limit) }
                    let isBounded = edges.allSatisfy { value in
                        (limit.time(of: value) ?? 0) <= limit.tolerance
                            && (value > limit.tolerance || limit.tokens(in: value) <= burst)
                    }
                    #expect(isBounded, "\(limit)")
                }
            }
        }
        #expect(accepted > 1000)
    }
}

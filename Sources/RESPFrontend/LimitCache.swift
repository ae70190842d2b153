import LimiterCore

/// The limits that a connection used last: their arithmetic takes two divisions of 128 bits each, and callers repeat
/// themselves.
struct LimitCache {
    private struct Entry {
        var maxBurst: Int64
        var tokens: Int64
        var seconds: Int64
        var limit: Limit
    }

    private var entries = InlineArray<8, Entry?>(repeating: nil)

    /// The limit that `CL.THROTTLE` means with `max_burst`, count and period in seconds.
    @inline(__always)
    mutating func limit(maxBurst: Int64, tokens: Int64, seconds: Int64) throws(LimitError) -> Limit {
        let mixed = UInt64(bitPattern: maxBurst &+ tokens &* 31 &+ seconds &* 131) &* 0x9e37_79b9_7f4a_7c15
        let at = Int(mixed >> 61)
        if let entry = entries[at], entry.maxBurst == maxBurst, entry.tokens == tokens, entry.seconds == seconds {
            return entry.limit
        }
        let limit = try LimitCache.make(maxBurst: maxBurst, tokens: tokens, seconds: seconds)
        entries[at] = Entry(maxBurst: maxBurst, tokens: tokens, seconds: seconds, limit: limit)
        return limit
    }

    @inline(never)
    private static func make(maxBurst: Int64, tokens: Int64, seconds: Int64) throws(LimitError) -> Limit {
        guard tokens != 0, seconds != 0 else { throw LimitError("Zero rates are not supported") }
        guard maxBurst >= 0 else { throw LimitError("max_burst must be 0 or more, not \(maxBurst)") }
        let (burst, burstOverflow) = maxBurst.addingReportingOverflow(1)
        guard !burstOverflow else { throw LimitError("a max_burst of \(maxBurst) is too large: lower it") }
        let (period, periodOverflow) = seconds.multipliedReportingOverflow(by: 1_000_000_000)
        guard !periodOverflow else { throw LimitError("a period of \(seconds) seconds is too long: shorten it") }
        return try Limit(tokens: tokens, per: period, burst: burst)
    }
}

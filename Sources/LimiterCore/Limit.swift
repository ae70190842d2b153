/// Why a limit cannot be had; the text says what to change.
public struct LimitError: Error, Equatable, CustomStringConvertible {
    public var description: String

    public init(_ description: String) { self.description = description }
}

/// A token bucket's parameters: a burst and a refill rate, as GCRA's emission interval and burst tolerance.
///
/// All arithmetic is on whole nanoseconds of virtual time. The emission interval is rounded *up* and the tolerance is a
/// multiple of it, so that a full bucket holds exactly its burst and rounding never admits more than asked for (ATM Forum
/// Traffic Management 4.1, section 4.4.2; design, section 2).
public struct Limit: Hashable, Sendable, BitwiseCopyable {
    /// Tokens that come back per ``period``.
    public let tokens: Int64
    /// Nanoseconds in which ``tokens`` tokens come back.
    public let period: Int64
    /// Tokens in a full bucket.
    public let burst: Int64
    /// Tokens that the arithmetic counts as one: 1 up to ten million tokens a second, more above.
    public let unit: Int64
    /// `T`: nanoseconds of virtual time that one unit takes.
    public let emissionInterval: Int64
    /// `tau`: nanoseconds of virtual time in a full bucket.
    public let tolerance: Int64

    /// The longest tolerance: 2^60 ns, about 36 years.
    public static let longestTolerance: Int64 = 1 << 60
    /// The shortest emission interval of a unit: 100 ns, that is ten million units a second.
    static let shortestInterval: Int64 = 100

    /// A bucket of `burst` tokens that gets back `tokens` tokens per `period` nanoseconds.
    ///
    /// Throws where a number is not positive, or where the whole bucket would take more than 36 years to fill.
    public init(tokens: Int64, per period: Int64, burst: Int64) throws(LimitError) {
        guard tokens > 0 else { throw LimitError("the rate's tokens must be at least 1, not \(tokens)") }
        guard period > 0 else { throw LimitError("the rate's period must be longer than 0, not \(period) ns") }
        guard burst > 0 else { throw LimitError("the burst must be at least 1 token, not \(burst)") }
        // How many tokens fit into the shortest interval at this rate, rounded up.
        let (high, low) = tokens.multipliedFullWidth(by: Limit.shortestInterval)
        // That number stays below 2^54, so that identities can hold it beside the interval (see ``identity``).
        guard high << 10 | Int64(truncatingIfNeeded: low >> 54) < period else {
            throw LimitError("a rate of \(tokens) tokens per \(period) ns is beyond what can be counted")
        }
        let perShortest = period.dividingFullWidth((high, low))
        let unit = max(1, perShortest.quotient + (perShortest.remainder > 0 ? 1 : 0))
        let units = burst / unit
        guard units > 0 else {
            throw LimitError(
                "at \(tokens) tokens per \(period) ns the smallest burst is \(unit) tokens, not \(burst): raise the burst"
            )
        }
        let product = period.multipliedFullWidth(by: unit)
        guard product.high < tokens else {
            throw LimitError("a rate of \(tokens) tokens per \(period) ns is too slow to be counted")
        }
        let interval = tokens.dividingFullWidth(product)
        let emission = interval.quotient + (interval.remainder > 0 ? 1 : 0)
        let (tolerance, overflow) = emission.multipliedReportingOverflow(by: units)
        guard !overflow, tolerance <= Limit.longestTolerance else {
            throw LimitError("a burst of \(burst) tokens would take more than 36 years to refill: lower it")
        }
        self.tokens = tokens
        self.period = period
        self.burst = burst
        self.unit = unit
        self.emissionInterval = emission
        self.tolerance = tolerance
    }

    /// The limit with this arithmetic, as one that is known by its terms alone: `unit` tokens come back per emission interval. Nil where
    /// no bucket can have these terms.
    package init?(emissionInterval: Int64, tolerance: Int64, unit: Int64) {
        guard emissionInterval > 0, unit > 0, tolerance >= emissionInterval, tolerance <= Limit.longestTolerance else {
            return nil
        }
        let (burst, overflow) = (tolerance / emissionInterval).multipliedReportingOverflow(by: unit)
        guard !overflow else { return nil }
        tokens = unit
        period = emissionInterval
        self.burst = burst
        self.unit = unit
        self.emissionInterval = emissionInterval
        self.tolerance = tolerance / emissionInterval * emissionInterval
    }

    /// The same bucket as it looks to somebody to whom `time` nanoseconds of its virtual time are closed, whole units and not all of it:
    /// the same rate, a smaller burst. Closing a negative time opens it again.
    package func closing(_ time: Int64) -> Limit {
        time == 0 ? self : Limit(self, burst: burst - cost(of: time), tolerance: tolerance - time)
    }

    private init(_ limit: Limit, burst: Int64, tolerance: Int64) {
        precondition(
            burst > 0 && tolerance >= limit.emissionInterval, "a bucket of \(limit.burst) tokens was closed whole")
        tokens = limit.tokens
        period = limit.period
        self.burst = burst
        unit = limit.unit
        emissionInterval = limit.emissionInterval
        self.tolerance = tolerance
    }

    /// `percent` of a full bucket as virtual time: whole units, rounded up, and at least one unit less than all. Nil where the bucket
    /// holds only one unit, which cannot be divided.
    package func part(percent: Int) -> Int64? {
        guard percent > 0 else { return 0 }
        let units = tolerance / emissionInterval
        guard units > 1 else { return nil }
        let part = units / 100 * Int64(percent) + (units % 100 * Int64(percent) + 99) / 100
        return min(part, units - 1) * emissionInterval
    }

    /// The virtual time that `cost` tokens take, or nil if no bucket can ever hold so many (or `cost` is negative).
    @inline(__always)
    public func time(of cost: Int64) -> Int64? {
        guard cost >= 0, cost <= burst else { return nil }
        if unit == 1 { return cost &* emissionInterval }
        let time = (cost / unit + (cost % unit == 0 ? 0 : 1)) &* emissionInterval
        return time <= tolerance ? time : nil
    }

    /// How many tokens a request for `time` nanoseconds of virtual time is for: the other direction of ``time(of:)``.
    @inline(__always)
    package func cost(of time: Int64) -> Int64 { time / emissionInterval &* unit }

    /// The whole tokens in `time` nanoseconds of virtual time; 0 for negative ones.
    @inline(__always)
    public func tokens(in time: Int64) -> Int64 {
        time <= 0 ? 0 : time / emissionInterval &* unit
    }

    /// Two words that are equal only for limits with the same arithmetic, as part of a bucket's identity.
    ///
    /// The burst and the interval alone would not do: 50 and 60 million tokens a second both take 100 ns a unit. An interval
    /// is at most 200 ns where the unit is more than one token, so that it fits below the unit in one word.
    package var identity: (UInt64, UInt64) {
        let interval = UInt64(emissionInterval)
        return (unit == 1 ? interval : 1 << 63 | UInt64(unit) << 8 | interval, UInt64(burst))
    }

    /// The tokens per second, for people.
    public var ratePerSecond: Double { Double(tokens) * 1e9 / Double(period) }
}

package import LimiterCore

/// A clock that starts anywhere and runs at a rate of its own; it never runs backwards, unless it is made to jump.
package struct SimulatedClock {
    /// What it read at the true time of the last change of its rate.
    private var reading: Int64
    private var since: Int64 = 0
    /// Parts in 10^9 by which it is faster than true time.
    private(set) var drift: Int64

    package init(start: Int64, drift: Int64) {
        reading = start
        self.drift = drift
    }

    package func reading(at time: Int64) -> ClockTime {
        let elapsed = time - since
        return ClockTime(ns: reading + elapsed + Int64(Int128(elapsed) * Int128(drift) / 1_000_000_000))
    }

    func trueTime(of ns: Int64) -> Int64 { Int64(Int128(ns) * 1_000_000_000 / Int128(1_000_000_000 + drift)) }

    package mutating func setDrift(_ drift: Int64, at time: Int64) {
        reading = self.reading(at: time).ns
        since = time
        self.drift = drift
    }

    mutating func step(by ns: Int64) { reading += ns }
}

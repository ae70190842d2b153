import Glibc
public import LimiterCore
import Synchronization

/// This machine's clock as Millrace needs it: `CLOCK_MONOTONIC_RAW`, which no time daemon slews, plus the time that the machine
/// was suspended (design, section 4).
public enum SystemClock {
    /// `CLOCK_BOOTTIME - CLOCK_MONOTONIC` as last looked at; only ever grows.
    private static let suspended = Atomic<Int64>(0)

    /// The reading now; looks first whether the machine has been suspended. Call it after a wake-up, once a batch. Some 60 ns.
    @Sendable
    public static func now() -> ClockTime {
        let away = read(CLOCK_BOOTTIME) - read(CLOCK_MONOTONIC)
        var known = suspended.load(ordering: .relaxed)
        // The two clocks are read one after the other: less than a millisecond is the time between, not a suspension.
        if away > known + 1_000_000 {
            suspended.max(away, ordering: .relaxed)
            known = max(known, away)
        }
        return ClockTime(ns: read(CLOCK_MONOTONIC_RAW) + known)
    }

    /// The wall clock in nanoseconds since 1970, only to notice that the two clocks have jumped against each other.
    static func wall() -> Int64 { read(CLOCK_REALTIME) }

    private static func read(_ clock: clockid_t) -> Int64 {
        var time = timespec()
        clock_gettime(clock, &time)
        return Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
    }
}

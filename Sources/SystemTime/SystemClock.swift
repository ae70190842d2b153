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

    /// `CLOCK_BOOTTIME - CLOCK_MONOTONIC_RAW` as last looked at.
    private static let offset = Atomic<Int64>(.min)

    /// The reading now, for a caller that decides one request: reads two clocks, and the third only if the two have moved against each
    /// other by more than a daemon slews them in a second or so, which is how a suspension shows. Some 40 ns.
    @Sendable
    public static func quick() -> ClockTime {
        let raw = read(CLOCK_MONOTONIC_RAW)
        let boot = read(CLOCK_BOOTTIME)
        let moved = (boot - raw).subtractingReportingOverflow(offset.load(ordering: .relaxed))
        if !moved.overflow, moved.partialValue.magnitude < 500_000 {
            return ClockTime(ns: raw + suspended.load(ordering: .relaxed))
        }
        return look()
    }

    @inline(never)
    private static func look() -> ClockTime {
        let now = now()
        offset.store(read(CLOCK_BOOTTIME) - read(CLOCK_MONOTONIC_RAW), ordering: .relaxed)
        return now
    }

    /// The wall clock in nanoseconds since 1970, only to notice that the two clocks have jumped against each other.
    public static func wall() -> Int64 { read(CLOCK_REALTIME) }

    private static func read(_ clock: clockid_t) -> Int64 {
        var time = timespec()
        clock_gettime(clock, &time)
        return Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
    }
}

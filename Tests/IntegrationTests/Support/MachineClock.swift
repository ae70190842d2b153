import Glibc

/// The clock that nodes decide by, so that their decision logs and a client's notes can be laid side by side: all processes of a machine
/// read the same one.
enum MachineClock {
    /// Nanoseconds since the machine started, time asleep included.
    static func now() -> Int64 {
        let away = read(CLOCK_BOOTTIME) - read(CLOCK_MONOTONIC)
        // Less than a millisecond is the time between the two readings.
        return read(CLOCK_MONOTONIC_RAW) + (away > 1_000_000 ? away : 0)
    }

    private static func read(_ clock: clockid_t) -> Int64 {
        var time = timespec()
        clock_gettime(clock, &time)
        return Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
    }
}

/// Sleeps this thread.
func pause(seconds: Double) { usleep(UInt32(seconds * 1e6)) }

/// Asks again and again until `condition` holds; false if it does not within the time.
func eventually(within seconds: Double, every interval: Double = 0.02, _ condition: () throws -> Bool) rethrows -> Bool
{
    let deadline = MachineClock.now() + Int64(seconds * 1e9)
    while MachineClock.now() < deadline {
        if try condition() { return true }
        pause(seconds: interval)
    }
    return try condition()
}

/// Milliseconds for people.
func milliseconds(_ nanoseconds: Int64) -> String { "\(nanoseconds / 1_000_000) ms" }

/// Microseconds for people.
func microseconds(_ nanoseconds: Int64) -> String { "\(nanoseconds / 1_000) us" }

/// What goes wrong in the tests' own tools; the text is for people.
struct HarnessError: Error, CustomStringConvertible {
    let description: String
    init(_ description: String) { self.description = description }
}

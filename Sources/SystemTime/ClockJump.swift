public import LimiterCore

/// Notices that the wall clock and ``SystemClock`` have jumped against each other: then one of them may have stood still, and nothing
/// that was computed with ours may be used any more (design, section 4). Look at it with every tick.
public struct ClockJump: Sendable {
    /// A step by more than this is no daemon's correction, in nanoseconds.
    public static let least: Int64 = 250_000_000

    /// The wall clock's lead over ours when it was last looked at.
    private var lead: Int64?

    public init() {}

    /// By how many nanoseconds the wall clock has jumped ahead of ours since the last call (negative: behind); nil if it has not.
    public mutating func step(now: ClockTime, wall: Int64) -> Int64? {
        let new = wall - now.ns
        defer { lead = new }
        guard let lead, abs(new - lead) > ClockJump.least else { return nil }
        return new - lead
    }
}

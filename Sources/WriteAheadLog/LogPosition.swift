/// A place in the log: a segment and a byte offset in its file. Later places compare greater.
public struct LogPosition: Hashable, Comparable, Sendable, CustomStringConvertible {
    /// The segment's number; the first is 1.
    public var segment: UInt32
    /// Bytes from the start of the segment's file.
    public var offset: UInt32

    public init(segment: UInt32, offset: UInt32) {
        self.segment = segment
        self.offset = offset
    }

    /// The form that records carry.
    package init(rawValue: UInt64) {
        segment = UInt32(truncatingIfNeeded: rawValue >> 32)
        offset = UInt32(truncatingIfNeeded: rawValue)
    }

    package var rawValue: UInt64 { UInt64(segment) << 32 | UInt64(offset) }

    public static func < (a: LogPosition, b: LogPosition) -> Bool { a.rawValue < b.rawValue }

    public var description: String { "\(FileName.segment(segment)) at byte \(offset)" }
}

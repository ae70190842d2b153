/// The identity of a bucket: a keyed 128-bit hash of everything its arithmetic depends on (design, section 2).
///
/// The lowest six bits are not hash but the bucket's *tolerance class*, the power of two that holds its `tau`, so that a table
/// which forgets a bucket knows which floor to raise without storing anything more.
public struct BucketID: Hashable, Comparable, Sendable, BitwiseCopyable, CustomStringConvertible {
    public let high: UInt64
    public let low: UInt64

    /// How many tolerance classes there are.
    public static let classes = 64

    /// The identity as read from a message or a log entry; a `high` of 0, which no identity has, is read as 1.
    @inlinable public init(high: UInt64, low: UInt64) {
        self.high = high == 0 ? 1 : high
        self.low = low
    }

    @usableFromInline init(uncheckedHigh high: UInt64) {
        self.high = high
        low = 0
    }

    /// What stands in an empty slot of a table.
    @usableFromInline static var none: BucketID { BucketID(uncheckedHigh: 0) }

    /// The identity for a hash of a bucket with tolerance `tau`.
    @inline(__always)
    init(hash: (UInt64, UInt64), tau: Int64) {
        // 0 marks an empty slot in a table; one hash value in 2^64 makes room for that.
        high = hash.0 == 0 ? 1 : hash.0
        low = (hash.1 & ~63) | UInt64(BucketID.toleranceClass(of: tau))
    }

    /// Which class a tolerance belongs to: `ceil(log2(tau))`.
    @inline(__always)
    static func toleranceClass(of tau: Int64) -> Int { tau <= 1 ? 0 : 64 - (tau - 1).leadingZeroBitCount }

    /// The class of this bucket's tolerance: `tau` is at most `1 << toleranceClass`.
    @inlinable public var toleranceClass: Int { Int(low & 63) }

    /// What part of a full bucket of this class `time` nanoseconds of virtual time are, in units of 2^-40 and at most four full buckets; 0
    /// for a negative time.
    public func part(of time: Int64) -> Int64 {
        let kind = toleranceClass
        let time = min(max(0, time), kind < 61 ? 4 << kind : .max)
        return kind <= 40 ? time << (40 - kind) : time >> (kind - 40)
    }

    @inlinable public static func == (a: BucketID, b: BucketID) -> Bool { a.high == b.high && a.low == b.low }

    /// One word of a keyed hash is enough to tell buckets apart in a dictionary.
    @inlinable public func hash(into hasher: inout Hasher) { hasher.combine(low) }

    public static func < (a: BucketID, b: BucketID) -> Bool { a.high != b.high ? a.high < b.high : a.low < b.low }

    public var description: String {
        func hex(_ value: UInt64) -> String {
            let digits = String(value, radix: 16)
            return String(repeating: "0", count: 16 - digits.count) + digits
        }
        return hex(high) + hex(low)
    }
}

/// One of the 64 fixed parts of the key space; each has one owner at a time (design, section 3).
public struct RangeID: RawRepresentable, Hashable, Comparable, Sendable, BitwiseCopyable, CustomStringConvertible {
    public let rawValue: UInt8

    /// How many ranges there are, for ever.
    public static let count = 64

    @inlinable public init(rawValue: UInt8) { self.rawValue = rawValue }

    @inlinable public init(_ index: Int) { rawValue = UInt8(index) }

    @inlinable public var index: Int { Int(rawValue) }

    public static let all: [RangeID] = (0..<count).map { RangeID($0) }

    @inlinable public static func < (a: RangeID, b: RangeID) -> Bool { a.rawValue < b.rawValue }

    public var description: String { String(rawValue) }
}

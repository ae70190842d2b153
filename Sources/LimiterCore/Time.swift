/// A reading of this process's own clock, in nanoseconds since an arbitrary moment.
///
/// Readings of two processes have nothing to do with each other; only their *rates* agree, within `rho` (design, section 1).
public struct ClockTime: Hashable, Comparable, Sendable, BitwiseCopyable, CustomStringConvertible {
    public var ns: Int64

    @inlinable public init(ns: Int64) { self.ns = ns }

    @inlinable public static func < (a: ClockTime, b: ClockTime) -> Bool { a.ns < b.ns }

    /// The nanoseconds from `b` to `a`.
    @inlinable public static func - (a: ClockTime, b: ClockTime) -> Int64 { a.ns - b.ns }

    @inlinable public static func + (a: ClockTime, ns: Int64) -> ClockTime { ClockTime(ns: a.ns + ns) }

    public var description: String { "\(ns) ns" }
}

/// A point on the time axis of one key range, in nanoseconds: the one axis on which spans of virtual time lie.
///
/// A range's axis is its owner's clock plus an offset; everybody else only knows bounds for it (design, section 4). The two
/// time types are apart so that a clock reading is never taken for a point on the axis.
public struct AxisTime: Hashable, Comparable, Sendable, BitwiseCopyable, CustomStringConvertible {
    public var ns: Int64

    @inlinable public init(ns: Int64) { self.ns = ns }

    /// Before everything, and far enough from the edge of `Int64` that adding any tolerance to it is harmless.
    public static let never = AxisTime(ns: -(1 << 62))

    @inlinable public static func < (a: AxisTime, b: AxisTime) -> Bool { a.ns < b.ns }

    /// The nanoseconds from `b` to `a`.
    @inlinable public static func - (a: AxisTime, b: AxisTime) -> Int64 { a.ns - b.ns }

    @inlinable public static func + (a: AxisTime, ns: Int64) -> AxisTime { AxisTime(ns: a.ns + ns) }

    @inlinable public static func - (a: AxisTime, ns: Int64) -> AxisTime { AxisTime(ns: a.ns - ns) }

    public var description: String { self == .never ? "never" : "\(ns) ns" }
}

/// How far two clocks may drift apart, and the two conversions that err on the safe side.
///
/// Every clock runs within `rho / 2` of real time in rate, so two of them differ by at most about `rho`.
public struct DriftBound: Hashable, Sendable, BitwiseCopyable {
    /// `rho`, in parts per billion.
    public let partsPerBillion: Int64

    /// `rho + rho^2`, as a fraction of 2^32, rounded up.
    private let excess: UInt64

    /// `partsPerBillion` from 0 to 100,000,000 (a tenth).
    public init(partsPerBillion: Int64) {
        precondition((0...100_000_000).contains(partsPerBillion), "rho out of range: \(partsPerBillion) ppb")
        self.partsPerBillion = partsPerBillion
        // In whole numbers: what floating point would lose is nanoseconds after a few years.
        let product = UInt64(partsPerBillion * (1_000_000_000 + partsPerBillion)).multipliedFullWidth(by: 1 << 32)
        let fraction = UInt64(1_000_000_000_000_000_000).dividingFullWidth((product.high, product.low))
        excess = fraction.quotient + (fraction.remainder > 0 ? 1 : 0)
    }

    /// The longest stretch that any clock within the bound may have counted while ours counted `ns` (from 0 upwards):
    /// `ns * (1 + rho + rho^2)`, rounded up.
    @inline(__always)
    public func longest(_ ns: Int64) -> Int64 {
        if isPlanted(.ignoresDrift) { return ns }
        let product = UInt64(bitPattern: ns).multipliedFullWidth(by: excess)
        return ns &+ Int64(bitPattern: (product.high << 32) | (product.low >> 32)) &+ 1
    }

    /// The shortest stretch that any clock within the bound may have counted while ours counted `ns` (from 0 upwards):
    /// `ns * (1 - rho)`, rounded down.
    public func shortest(_ ns: Int64) -> Int64 { isPlanted(.continuesTooFast) ? longest(ns) : ns - (longest(ns) - ns) }
}

/// Whole numbers as text.
public enum Decimal {
    /// The number that `bytes` are: digits with at most one sign before them, as many as an `Int64` holds; nil for
    /// anything else.
    public static func parse(_ bytes: UnsafeRawBufferPointer) -> Int64? {
        guard bytes.count > 0 else { return nil }
        let first = bytes[0]
        let isNegative = first == UInt8(ascii: "-")
        var at = isNegative || first == UInt8(ascii: "+") ? 1 : 0
        guard at < bytes.count else { return nil }
        // 18 digits cannot overflow; only the rest is worth checking.
        let unchecked = min(bytes.count, at + 18)
        var magnitude: UInt64 = 0
        while at < unchecked {
            let digit = bytes[at] &- UInt8(ascii: "0")
            guard digit <= 9 else { return nil }
            magnitude = magnitude &* 10 &+ UInt64(digit)
            at &+= 1
        }
        while at < bytes.count {
            let digit = bytes[at] &- UInt8(ascii: "0")
            let (tenfold, overflow) = magnitude.multipliedReportingOverflow(by: 10)
            let (sum, carry) = tenfold.addingReportingOverflow(UInt64(digit))
            guard digit <= 9, !overflow, !carry else { return nil }
            magnitude = sum
            at &+= 1
        }
        if isNegative { return magnitude <= Int64.min.magnitude ? Int64(truncatingIfNeeded: 0 &- magnitude) : nil }
        return Int64(exactly: magnitude)
    }

    /// The most bytes that ``write(_:to:)`` writes.
    static let longest = 20

    /// Writes `value` and returns the place behind it.
    @inline(__always)
    static func write(_ value: Int64, to start: UnsafeMutablePointer<UInt8>) -> UnsafeMutablePointer<UInt8> {
        var at = start
        if value < 0 {
            at.pointee = UInt8(ascii: "-")
            at += 1
        }
        var rest = value.magnitude
        if rest < 10 {
            at.pointee = UInt8(ascii: "0") &+ UInt8(truncatingIfNeeded: rest)
            return at + 1
        }
        var digits = 1
        var power: UInt64 = 10
        while digits < 20, rest >= power {
            digits &+= 1
            power = power &* 10
            // 10^20 does not fit: whoever has 19 digits behind it has 20.
            if digits == 20 { break }
        }
        let end = at + digits
        var to = end
        while to > at {
            to -= 1
            to.pointee = UInt8(ascii: "0") &+ UInt8(truncatingIfNeeded: rest % 10)
            rest /= 10
        }
        return end
    }
}

/// A small generator whose whole state is one integer, so that it can be part of a value (Steele, Lea and Flood,
/// "Fast splittable pseudorandom number generators", 2014). Its draws are our own code, because the standard library
/// may change how it maps a generator to a range, and then seeds would no longer replay.
package struct SplitMix64: Sendable {
    private var state: UInt64

    package init(seed: UInt64) { state = seed }

    package mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }

    /// A number in `0..<bound`; the bias is below `bound / 2^64`.
    package mutating func next(below bound: UInt64) -> UInt64 {
        next().multipliedFullWidth(by: bound).high
    }
}

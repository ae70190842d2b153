/// Steele, Lea and Flood's generator, with a bounded draw of our own, so that a seed means the same for ever.
struct SplitMix64 {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var z = state
        z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
        z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
        return z ^ (z >> 31)
    }

    /// From 0 up to but not including `bound`.
    mutating func below(_ bound: Int) -> Int { Int(next().multipliedFullWidth(by: UInt64(bound)).high) }

    mutating func chance(_ oneIn: Int) -> Bool { below(oneIn) == 0 }

    /// Any number, the edges and the small ones more often than the rest.
    mutating func number<T: FixedWidthInteger>(_: T.Type = T.self) -> T {
        switch below(6) {
        case 0: 0
        case 1: 1
        case 2: .max
        case 3: .min
        case 4: T(truncatingIfNeeded: below(100))
        default: T(truncatingIfNeeded: next())
        }
    }

    mutating func bytes(upTo count: Int) -> [UInt8] {
        (0..<below(count + 1)).map { _ in UInt8(truncatingIfNeeded: next()) }
    }

    mutating func list<Element>(upTo count: Int, _ make: (inout SplitMix64) -> Element) -> [Element] {
        (0..<below(count + 1)).map { _ in make(&self) }
    }
}

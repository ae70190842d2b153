/// Keyed randomness: a draw is a hash of (seed, stream, entity, counter), so that what happens in one place does not reshuffle what
/// happens elsewhere. Without one fault of its schedule, a run stays the same up to that fault, and similar after it.
package struct Draws: Sendable {
    /// What chance decides, one stream each; the entity says where: a node, a link, a load.
    package enum Stream: UInt64, CaseIterable, Sendable {
        case secrets, clock, tick, loss, duplication, delay, lateness, sync, snapshot, crash, process, load, cost, key,
            schedule, tests, disk, priority
    }

    package let seed: UInt64
    /// By stream, then by entity.
    private var counters: [[UInt64]]

    package init(seed: UInt64) {
        self.seed = Draws.mix(seed ^ 0x4D69_6C6C_7261_6365)
        counters = Array(repeating: [], count: Stream.allCases.count)
    }

    package mutating func next(_ stream: Stream, _ entity: Int = 0) -> UInt64 {
        let place = Int(stream.rawValue)
        while counters[place].count <= entity { counters[place].append(0) }
        counters[place][entity] += 1
        let home = Draws.mix(seed &+ (stream.rawValue << 32 | UInt64(entity)) &* 0x9E37_79B9_7F4A_7C15)
        return Draws.mix(home &+ counters[place][entity] &* 0xD1B5_4A32_D192_ED03)
    }

    /// A number in `0..<bound`.
    package mutating func below(_ bound: Int, _ stream: Stream, _ entity: Int = 0) -> Int {
        Int(next(stream, entity).multipliedFullWidth(by: UInt64(bound)).high)
    }

    /// A number in `range`, ends included.
    package mutating func within(_ range: ClosedRange<Int64>, _ stream: Stream, _ entity: Int = 0) -> Int64 {
        let width = UInt64(range.upperBound - range.lowerBound) + 1
        return range.lowerBound + Int64(next(stream, entity).multipliedFullWidth(by: width).high)
    }

    /// True `permille` times in a thousand; a chance of 0 draws nothing.
    package mutating func chance(permille: Int, _ stream: Stream, _ entity: Int = 0) -> Bool {
        permille > 0 && below(1_000, stream, entity) < permille
    }

    /// The finaliser of SplitMix64 (Steele, Lea and Flood, 2014).
    private static func mix(_ value: UInt64) -> UInt64 {
        var z = value
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }
}

import NodeRuntime
import PeerCodec
import Testing

/// What is encoded decodes to the same message, and anything else is refused or is another message's only encoding.
struct RoundTripTests {
    @Test("Every kind of message survives the journey", arguments: 0..<SplitMix64.kinds)
    func everyKind(kind: Int) throws {
        for seed in 0..<300 {
            var generator = SplitMix64(seed: UInt64(1_000 * kind + seed))
            let message = generator.message(ofKind: kind)
            let bytes = PeerCodec.encode(message)
            #expect(try PeerCodec.decode(bytes[...]) == message, "kind \(kind), seed \(seed)")
        }
    }

    @Test("A message is read from the middle of a buffer as well")
    func inTheMiddle() throws {
        var generator = SplitMix64(seed: 1)
        for kind in 0..<SplitMix64.kinds {
            let message = generator.message(ofKind: kind)
            let bytes = PeerCodec.encode(message)
            let buffer = [9, 9, 9] + bytes + [9, 9]
            #expect(try PeerCodec.decode(buffer[3..<3 + bytes.count]) == message, "kind \(kind)")
        }
    }

    @Test("A message that breaks off anywhere is refused", arguments: 0..<SplitMix64.kinds)
    func truncation(kind: Int) {
        var generator = SplitMix64(seed: UInt64(kind))
        for _ in 0..<20 {
            let bytes = PeerCodec.encode(generator.message(ofKind: kind))
            for count in 0..<bytes.count {
                #expect(throws: (any Error).self, "kind \(kind), \(count) of \(bytes.count) bytes") {
                    try PeerCodec.decode(bytes[..<count])
                }
            }
        }
    }

    @Test("Bytes after a message are refused", arguments: 0..<SplitMix64.kinds)
    func trailing(kind: Int) {
        var generator = SplitMix64(seed: UInt64(kind))
        for _ in 0..<20 {
            let bytes = PeerCodec.encode(generator.message(ofKind: kind))
            #expect(throws: (any Error).self, "kind \(kind)") { try PeerCodec.decode((bytes + [0])[...]) }
        }
    }

    @Test("Mutated messages cost an error at the most, and what still decodes has no other encoding")
    func mutations() throws {
        var (refused, taken) = (0, 0)
        for seed in 0..<20_000 {
            var generator = SplitMix64(seed: UInt64(seed))
            var bytes = PeerCodec.encode(generator.message(ofKind: seed % SplitMix64.kinds))
            for _ in 0...generator.below(3) {
                let at = generator.below(bytes.count)
                switch generator.below(4) {
                case 0: bytes[at] = UInt8(truncatingIfNeeded: generator.next())
                case 1: bytes[at] ^= 1 << UInt8(generator.below(8))
                case 2: bytes.insert(generator.number(), at: at)
                default: if bytes.count > 1 { bytes.remove(at: at) }
                }
            }
            guard let message = try? PeerCodec.decode(bytes[...]) else {
                refused += 1
                continue
            }
            taken += 1
            #expect(PeerCodec.encode(message) == bytes, "seed \(seed)")
        }
        #expect(refused > 1_000 && taken > 1_000, "\(refused) refused, \(taken) taken")
    }

    @Test("Random bytes never trap")
    func randomBytes() {
        for seed in 0..<20_000 {
            var generator = SplitMix64(seed: UInt64(seed))
            var bytes = generator.bytes(upTo: 200)
            // A right beginning gets further.
            if bytes.count > 2, generator.chance(2) {
                bytes[0] = 2
                bytes[1] = UInt8(generator.chance(2) ? 1 + generator.below(13) : 32 + generator.below(4))
            }
            guard let message = try? PeerCodec.decode(bytes[...]) else { continue }
            #expect(PeerCodec.encode(message) == bytes, "seed \(seed)")
        }
    }
}

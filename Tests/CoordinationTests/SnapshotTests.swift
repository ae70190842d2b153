import ByteCoding
import LimiterCore
import Raft
import Testing

@testable import Coordination

/// A state is its snapshot: whoever starts from one behaves from then on as everybody else.
struct SnapshotTests {
    /// The state after a log from a seed, whose writer goes on with it.
    private func play(_ writer: inout CommandWriter, entries: LogIndex) -> ReplicatedState {
        var state = ReplicatedState()
        _ = state.apply(CommandWriter.genesis, at: 1)
        for index in 2...entries { _ = state.apply(writer.command(at: index), at: index) }
        return state
    }

    private func snapshot(seed: UInt64, entries: LogIndex) -> [UInt8] {
        var writer = CommandWriter(seed: seed)
        return play(&writer, entries: entries).snapshot()
    }

    @Test("A state that was restored is the same, in bytes and in what it does from then on", arguments: 0..<8)
    func restored(block: Int) throws {
        for seed in (block * 10)..<(block * 10 + 10) {
            let length = LogIndex(20 + 30 * (seed % 10))
            var writer = CommandWriter(seed: UInt64(seed))
            var original = play(&writer, entries: length)
            let bytes = original.snapshot()
            var copy = try ReplicatedState(snapshot: bytes)
            #expect(copy.snapshot() == bytes, "seed \(seed)")
            for index in (length + 1)...(length + 150) {
                let command = writer.command(at: index)
                let (a, b) = (original.apply(command, at: index), copy.apply(command, at: index))
                #expect(a == b, "seed \(seed), entry \(index)")
                for range in CommandWriter.ranges {
                    // Not a bucket may be handed out further by one node's log than by another's.
                    for id in CommandWriter.ids where original.bound(of: id, in: range) != copy.bound(of: id, in: range)
                    {
                        Issue.record("seed \(seed), entry \(index): replicas disagree about \(id) in range \(range)")
                        return
                    }
                }
            }
            #expect(original.snapshot() == copy.snapshot(), "seed \(seed)")
        }
    }

    @Test("The random logs reach what they are meant to test")
    func coverage() {
        var (forgotten, released, unowned, ruled) = (0, 0, 0, 0)
        for seed in 0..<40 {
            var writer = CommandWriter(seed: UInt64(seed))
            var state = ReplicatedState()
            _ = state.apply(CommandWriter.genesis, at: 1)
            for index in LogIndex(2)...300 {
                for effect in state.apply(writer.command(at: index), at: index) {
                    if case .released = effect { released += 1 }
                }
            }
            for range in CommandWriter.ranges {
                if state.boundFloors(of: range).contains(where: { $0 != .never }) { forgotten += 1 }
                if state.owner(of: range) == nil { unowned += 1 }
            }
            if !state.rules.isEmpty { ruled += 1 }
        }
        #expect(forgotten > 30 && released > 30 && unowned > 3 && ruled > 10)
    }

    @Test("A snapshot that breaks off, goes on, or is of another format is refused")
    func hostile() throws {
        let bytes = snapshot(seed: 4, entries: 120)
        for count in stride(from: 0, to: bytes.count, by: 23) {
            #expect(throws: DecodingFailure.self) { try unreadable(Array(bytes.prefix(count))) }
        }
        #expect(throws: DecodingFailure.self) { try unreadable(bytes + [0]) }
        #expect(
            throws: DecodingFailure("snapshots of format 9 are not known to this version of Millrace: upgrade it")
        ) { try unreadable([9] + bytes.dropFirst()) }
    }

    @Test("Mutated snapshots cost an error at the most")
    func mutated() {
        let bytes = snapshot(seed: 5, entries: 200)
        for seed in 0..<300 {
            var generator = SplitMix64(seed: UInt64(seed))
            var wrong = bytes
            for _ in 0...generator.below(4) { wrong[generator.below(wrong.count)] = generator.number() }
            _ = try? unreadable(wrong)
        }
    }

    private func unreadable(_ bytes: [UInt8]) throws {
        _ = try ReplicatedState(snapshot: bytes)
    }
}

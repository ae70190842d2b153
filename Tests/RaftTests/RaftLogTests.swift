import Raft
import Testing

struct RaftLogTests {
    /// The dumb twin: all entries since the start of time, and how many are forgotten.
    private struct Twin {
        var entries: [Entry] = []
        var base = 0

        func term(at index: LogIndex) -> Term? {
            if index == 0 { return base == 0 ? 0 : nil }
            guard index >= base, index <= entries.count else { return nil }
            return entries[Int(index) - 1].term
        }
    }

    @Test("Random appends, truncations and compactions, against an array", arguments: 1...20 as ClosedRange<UInt64>)
    func twin(seed: UInt64) {
        var random = Random(seed)
        var log = RaftLog(snapshot: nil, entries: [])
        var twin = Twin()
        var term: Term = 1
        for _ in 0..<300 {
            switch random.below(10) {
            case 0 where twin.entries.count > twin.base:
                let keep = twin.base + random.below(twin.entries.count - twin.base)
                log.truncate(from: UInt64(keep) + 1)
                twin.entries.removeLast(twin.entries.count - keep)
            case 1 where twin.entries.count > max(twin.base, Int(log.snapshotIndex)):
                let lowest = max(twin.base, Int(log.snapshotIndex)) + 1
                let index = lowest + random.below(twin.entries.count - lowest + 1)
                let retained = random.below(3)
                log.compact(
                    to: Snapshot(
                        index: UInt64(index), term: twin.entries[index - 1].term, voters: [NodeID(1)], data: []),
                    retainedBytes: retained * (Entry.overhead + 1))
                twin.base = max(twin.base, index - retained)
            case 2: term += 1
            default:
                let entry = Entry(index: UInt64(twin.entries.count) + 1, term: term, payload: [1])
                log.append([entry])
                twin.entries.append(entry)
            }
            #expect(log.firstIndex == UInt64(twin.base) + 1)
            #expect(log.lastIndex == UInt64(twin.entries.count))
            for index in 0...UInt64(twin.entries.count + 1) { #expect(log.term(at: index) == twin.term(at: index)) }
            let (index, most) = (UInt64(random.below(twin.entries.count + 2)), UInt64(random.below(Int(term) + 1)))
            let expected = (0...min(index, UInt64(twin.entries.count))).last { position in
                position == 0 || twin.entries[Int(position) - 1].term <= most
            }!
            #expect(log.lastIndex(notAfter: index, termAtMost: most) == (Int(expected) < twin.base ? nil : expected))
        }
    }

    @Test("A batch has the bytes it may have, and at least one entry only if asked")
    func batches() {
        let entries = (1...4).map { Entry(index: $0, term: 1, payload: [UInt8](repeating: 0, count: 8)) }
        let log = RaftLog(snapshot: nil, entries: entries)
        let weight = 8 + Entry.overhead
        #expect(log.entries(from: 2, bytes: 2 * weight, atLeastOne: false).map(\.index) == [2, 3])
        #expect(log.entries(from: 2, bytes: 2 * weight - 1, atLeastOne: false).map(\.index) == [2])
        #expect(log.entries(from: 2, bytes: weight - 1, atLeastOne: false).isEmpty)
        #expect(log.entries(from: 2, bytes: 0, atLeastOne: true).map(\.index) == [2])
        #expect(log.entries(from: 5, bytes: 1000, atLeastOne: true).isEmpty)
    }

    @Test("Appends in flight are freed by cumulative acknowledgements")
    func inflights() {
        var inflights = Inflights(maxAppends: 3, maxBytes: 100)
        inflights.add(lastIndex: 2, bytes: 10)
        inflights.add(lastIndex: 5, bytes: 20)
        #expect(!inflights.isFull)
        inflights.add(lastIndex: 6, bytes: 30)
        #expect(inflights.isFull)
        inflights.free(through: 4)
        #expect((inflights.count, inflights.bytes) == (2, 50))
        inflights.free(through: 4)
        #expect(inflights.count == 2)
        inflights.add(lastIndex: 9, bytes: 49)
        #expect(inflights.remainingBytes == 1)
        inflights.free(through: 5)
        #expect(!inflights.isFull)
        inflights.add(lastIndex: 10, bytes: 21)
        #expect(inflights.isFull)
        inflights.free(through: 10)
        #expect(inflights.isEmpty)
        #expect(inflights.bytes == 0)
    }
}

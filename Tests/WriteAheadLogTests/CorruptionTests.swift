import Raft
import Testing
import WriteAheadLog

/// Damage to what was durable must be noticed: it comes back as it was, or the node refuses to start.
@Suite struct CorruptionTests {
    /// A log over five segments with two snapshots, and its state.
    static func sample(closed: Bool) throws -> (disk: MemoryDisk, state: PersistedState) {
        let disk = MemoryDisk()
        var (store, _) = try openStore(disk)
        try store.commit(hardState: HardState(term: 1, vote: NodeID(2), commit: 0), entries: entries(1...5))
        try store.save(snapshot(3, bytes: 9))
        try store.settle()
        try store.commit(entries: entries(6...9))
        try store.save(snapshot(4, bytes: 9))
        try store.settle()
        try store.commit(hardState: HardState(term: 2, vote: nil, commit: 6), entries: entries(8...12, term: 2))
        // A moment's rest, in which the log notes how far it is durable.
        try store.settle()
        #expect(store.segmentCount == 5)
        if closed { try store.close() }
        return (disk.killed(), try openStore(disk.killed()).restored)
    }

    enum Verdict: Hashable {
        case same
        case refused
    }

    /// Opens what is on `disk`; fails the test if it comes back as anything but `state` or a refusal.
    @discardableResult
    static func check(_ disk: MemoryDisk, is state: PersistedState, _ what: String) -> Verdict? {
        do {
            let (_, restored) = try openStore(disk)
            #expect(isAsGood(restored, as: state), "\(what): something durable was lost silently")
            return .same
        } catch {
            guard case .corrupted = error else {
                Issue.record("\(what): \(error)")
                return nil
            }
            return .refused
        }
    }

    /// The same state, or an older snapshot with the entries that lead on from there.
    static func isAsGood(_ restored: PersistedState, as state: PersistedState) -> Bool {
        let base = restored.snapshot?.index ?? 0
        let newest = state.snapshot?.index ?? 0
        guard restored.hardState == state.hardState, base <= newest else { return false }
        if base == newest { return restored == state }
        let between = restored.entries.prefix { $0.index <= newest }
        return between.map(\.index) == Array(base + 1...newest)
            && Array(restored.entries.dropFirst(between.count)) == state.entries
    }

    @Test(arguments: [true, false]) func noFlippedBitLosesARecordSilently(closed: Bool) throws {
        let (sample, state) = try Self.sample(closed: closed)
        var refused = 0
        for file in sample.fileNames {
            let bytes = try #require(sample[file])
            for i in bytes.indices {
                for mask: UInt8 in [0x01, 0x80] {
                    let disk = sample.killed()
                    disk[file]![i] ^= mask
                    let verdict = Self.check(disk, is: state, "\(file), byte \(i) ^ \(mask)")
                    if verdict == .refused { refused += 1 }
                }
            }
        }
        // Most bytes of segments are records, and all of those that matter are refused.
        #expect(refused > 1000)
    }

    @Test(arguments: [true, false]) func noZeroedOrSwappedBlockLosesARecordSilently(closed: Bool) throws {
        let (sample, state) = try Self.sample(closed: closed)
        for file in sample.fileNames where file.hasPrefix("segment") {
            let bytes = try #require(sample[file])
            for block in stride(from: 0, to: bytes.count, by: 32) {
                let zeroed = sample.killed()
                for i in block..<block + 32 { zeroed[file]![i] = 0 }
                // The last block with content holds only the mark of the durable end, or is shared with the last record.
                if !Self.isAtTheEnd(block + 32, of: bytes, file: file, in: sample) {
                    Self.check(zeroed, is: state, "\(file), zeros at \(block)")
                }
                for other in stride(from: 0, to: bytes.count, by: 32) where other != block && other % 128 == block % 128
                {
                    let misdirected = sample.killed()
                    for i in 0..<32 { misdirected[file]![block + i] = bytes[other + i] }
                    if !Self.isAtTheEnd(block + 32, of: bytes, file: file, in: sample) {
                        Self.check(misdirected, is: state, "\(file), \(block) as written to \(other)")
                    }
                }
            }
        }
    }

    /// Whether nothing valid follows `offset`: damage there cannot be told from a write that a crash interrupted.
    static func isAtTheEnd(_ offset: Int, of bytes: [UInt8], file: String, in disk: MemoryDisk) -> Bool {
        let last = disk.fileNames.last { name in name.hasPrefix("segment") && disk[name]!.contains { $0 != 0 } }
        guard file == last else { return false }
        let end = (bytes.lastIndex { $0 != 0 } ?? 0) + 1
        return offset > end - RecordHeader.size
    }

    @Test func aWholeSegmentFromElsewhereIsNotTaken() throws {
        let (sample, state) = try Self.sample(closed: true)
        let names = sample.fileNames.filter { $0.hasPrefix("segment") }
        for file in names {
            for other in names where other != file {
                let disk = sample.killed()
                disk[file] = disk[other]
                Self.check(disk, is: state, "\(file) as \(other)")
            }
        }
    }

    @Test func aMissingFileIsNoticed() throws {
        let (sample, state) = try Self.sample(closed: true)
        var verdicts: [String: Verdict] = [:]
        for file in sample.fileNames {
            let disk = sample.killed()
            disk[file] = nil
            verdicts[file] = Self.check(disk, is: state, "without \(file)")
        }
        #expect(
            verdicts == [
                "identity": .refused,
                // Both snapshots lead on to the same state, and the newer one does without the first segment.
                "segment-00000001": .same, "segment-00000002": .refused, "segment-00000003": .refused,
                "segment-00000004": .refused, "segment-00000005": .refused,
                // Prepared, not used yet.
                "segment-00000006": .same,
                "snapshot-0000000000000003-0000000000000001": .same,
                "snapshot-0000000000000004-0000000000000001": .same,
            ])
    }

    @Test func theLastSegmentsMissingTogetherIsNoticed() throws {
        let (sample, state) = try Self.sample(closed: true)
        for first in 1...5 {
            let disk = sample.killed()
            for number in first...6 { disk[FileName.segment(UInt32(number))] = nil }
            #expect(Self.check(disk, is: state, "without segments from \(first) on") == .refused)
        }
    }

    @Test func allSegmentsMissingIsNotANewFolder() throws {
        let (sample, _) = try Self.sample(closed: true)
        for file in sample.fileNames where file != "identity" { sample[file] = nil }
        #expect(throws: WALError.self) { try openStore(sample) }
    }

    @Test func theErrorNamesThePlaceAndTheWayOut() throws {
        let (sample, _) = try Self.sample(closed: true)
        sample["segment-00000001"]![200] ^= 1
        do {
            _ = try openStore(sample)
            Issue.record("opened a damaged log")
        } catch {
            guard case .corrupted(let corrupted) = error else { throw error }
            #expect(corrupted.file == "segment-00000001")
            #expect((150...200).contains(corrupted.offset))
            #expect(error.description.contains("move the data folder away and start the node again"))
            #expect(error.description.contains("majority"))
        }
    }

    @Test func damageToASyncThatNothingFollowsCountsAsTorn() throws {
        // Killed between the sync and the mark of the durable end: nothing on the disk tells this from a torn write.
        let disk = MemoryDisk()
        var (store, _) = try openStore(disk)
        try store.commit(entries: entries(1...1))
        try store.settle()
        try store.commit(entries: entries(2...2))
        let killed = disk.killed()
        killed["segment-00000001"]![Int(store.end.offset) - 20] ^= 1
        #expect(try openStore(killed).restored.entries == entries(1...1))
        // One mark later it can be told.
        try store.settle()
        let later = disk.killed()
        later["segment-00000001"]![Int(store.end.offset) - 68] ^= 1
        #expect(throws: WALError.self) { try openStore(later) }
    }

    @Test func aRecordThatWasNeverRewrittenIsNoticed() throws {
        // A repaired and rewritten place goes back to what it held before the repair: whole, in its place, chained to what
        // is before it. What follows it knows better.
        let disk = MemoryDisk()
        var (store, _) = try openStore(disk)
        try store.commit(entries: entries(1...1))
        try store.settle()
        try store.sync()
        let place = Int(store.end.offset)
        let size = LogRecord.entry(entry(2)).size
        try store.write([LogBatch(number: 2, entries: [entry(2, term: 5)])])
        let stale = Array(disk["segment-00000001"]![place..<place + size])
        let restarted = disk.crashed(losing: .everything)
        var (again, _) = try openStore(restarted)
        try again.commit(entries: [entry(2)])
        try again.settle()
        let reverted = restarted.killed()
        #expect(again.end.offset == UInt32(place + size + RecordHeader.size))
        reverted["segment-00000001"]!.replaceSubrange(place..<place + size, with: stale)
        #expect(throws: WALError.self) { try openStore(reverted) }
    }
}

import Raft
import Testing
import WriteAheadLog

@Suite struct SnapshotTests {
    static func snapshotFiles(_ disk: MemoryDisk) -> [LogIndex] {
        disk.fileNames.compactMap { FileName.snapshotMark($0)?.index }
    }

    static func segments(_ disk: MemoryDisk) -> [UInt32] { disk.fileNames.compactMap(FileName.segmentNumber) }

    @Test func aSavedSnapshotStandsForTheEntriesUpToIt() throws {
        let disk = MemoryDisk()
        var (store, _) = try openStore(disk)
        try store.commit(entries: entries(1...9))
        try store.save(snapshot(6))
        try store.settle()
        let (_, restored) = try openStore(disk.crashed(losing: .everything))
        #expect(restored.snapshot == snapshot(6))
        #expect(restored.entries == entries(7...9))
        #expect(restored.hardState.commit == 6)
    }

    @Test func theTwoNewestSnapshotsStayAndTheEntriesAfterTheOlder() throws {
        let disk = MemoryDisk()
        var (store, _) = try openStore(disk)
        for index in LogIndex(1)...60 {
            try store.commit(entries: [entry(index)])
            if index % 20 == 0 {
                try store.save(snapshot(index))
                try store.settle()
                // At most the piece of the segment before, the one in use, and the prepared one come on top.
                #expect(Self.snapshotFiles(disk) == (index == 20 ? [20] : [index - 20, index]))
            }
        }
        #expect(try #require(Self.segments(disk).first) > 5)
        // The newest is damaged: the one before it and the entries from there are as good.
        disk["snapshot-000000000000003c-0000000000000001"]![40] ^= 1
        var notices: [String] = []
        let (_, restored) = try openStore(disk.killed(), notice: { notices.append($0) })
        #expect(restored.snapshot == snapshot(40))
        #expect(restored.entries == entries(41...60))
        #expect(notices.contains { $0.contains("snapshot-000000000000003c") })
        // Both are damaged: nothing leads to the entries that are left.
        disk["snapshot-0000000000000028-0000000000000001"]![40] ^= 1
        #expect(throws: WALError.self) { try openStore(disk) }
    }

    @Test func theFirstSnapshotMayBeDamagedWhileTheLogIsWhole() throws {
        let disk = MemoryDisk()
        var (store, _) = try openStore(disk)
        try store.commit(entries: entries(1...30))
        try store.save(snapshot(20))
        try store.settle()
        disk["snapshot-0000000000000014-0000000000000001"] = nil
        let (_, restored) = try openStore(disk)
        #expect(restored.snapshot == nil)
        #expect(restored.entries == entries(1...30))
    }

    @Test func aReceivedSnapshotReplacesTheLog() throws {
        let disk = MemoryDisk()
        var (store, _) = try openStore(disk)
        try store.commit(hardState: HardState(term: 1, vote: nil, commit: 2), entries: entries(1...30))
        let state = HardState(term: 4, vote: nil, commit: 20)
        try store.commit(hardState: state, snapshot: snapshot(20, term: 3), entries: entries(21...22, term: 4))
        try store.settle()
        let (_, restored) = try openStore(disk.crashed(losing: .everything))
        #expect(
            restored
                == PersistedState(
                    hardState: state, snapshot: snapshot(20, term: 3), entries: entries(21...22, term: 4)))
        // What it replaced is gone from the disk as well.
        #expect(try #require(Self.segments(disk).first) > 1)
        // There is nothing to fall back on: refused.
        disk["snapshot-0000000000000014-0000000000000003"]![30] ^= 1
        #expect(throws: WALError.self) { try openStore(disk) }
    }

    @Test func aReceivedSnapshotMayKeepTheEntriesAfterIt() throws {
        let disk = MemoryDisk()
        var (store, _) = try openStore(disk)
        try store.commit(entries: entries(1...30))
        try store.commit(snapshot: snapshot(20), keeping: true)
        let (_, restored) = try openStore(disk.crashed(losing: .everything))
        #expect(restored.snapshot == snapshot(20))
        #expect(restored.entries == entries(21...30))
    }

    @Test func aCrashWhileASnapshotIsInstalledLeavesTheOldStateOrTheNew() throws {
        let old = PersistedState(hardState: HardState(term: 1, vote: nil, commit: 2), entries: entries(1...4))
        let state = HardState(term: 2, vote: nil, commit: 20)
        let batch = LogBatch(number: 2, snapshot: snapshot(20, term: 2), hardState: state)
        let between = PersistedState(hardState: HardState(term: 2, vote: nil, commit: 4), entries: entries(1...4))
        let new = PersistedState(hardState: state, snapshot: snapshot(20, term: 2))
        var seen = [0, 0, 0]
        var budget = 0
        while true {
            let disk = MemoryDisk()
            var (store, _) = try openStore(disk, options: LogOptions(segmentBytes: 4096))
            try store.commit(hardState: old.hardState, entries: old.entries)
            disk.with { $0.writeBudget = budget }
            let finished = (try? store.write([batch])) != nil
            let after = disk.killed()
            let (_, restored) = try openStore(after)
            let stage = try #require(
                [old, between, new].firstIndex(of: restored), "stopped after \(budget): \(restored)")
            seen[stage] += 1
            #expect(try openStore(disk.crashed(losing: .everything)).restored == old)
            if finished {
                #expect(restored == new)
                break
            }
            // What was left of the snapshot does no harm when the leader sends it again.
            var (again, _) = try openStore(after)
            try again.commit(hardState: batch.hardState, snapshot: batch.snapshot)
            try again.settle()
            #expect(try openStore(after.killed()).restored == new)
            #expect(Self.snapshotFiles(after) == [20])
            budget += 1
        }
        #expect(seen.allSatisfy { $0 > 0 })
    }

    @Test func aCrashAtAnyByteOfSavingLosesNothing() throws {
        let whole = entries(1...12)
        var budget = 0
        while true {
            let disk = MemoryDisk()
            var (store, _) = try openStore(disk, options: LogOptions(segmentBytes: 512, stepBytes: 64))
            try store.commit(entries: whole)
            try store.save(snapshot(4))
            try store.settle()
            try store.save(snapshot(10))
            disk.with { $0.writeBudget = budget }
            let finished = (try? store.settle()) != nil
            for after in [disk.killed(), disk.crashed(losing: .everything)] {
                let (_, restored) = try openStore(after)
                let index = try #require(restored.snapshot).index
                #expect([4, 10].contains(index))
                #expect(restored.entries == Array(whole[Int(index)...]))
                if finished { #expect(index == 10) }
            }
            if finished { break }
            budget += 1
        }
    }

    @Test func batchesAreWrittenWhileASnapshotIsSaved() throws {
        let disk = MemoryDisk()
        var (store, _) = try openStore(disk)
        try store.commit(entries: entries(1...3))
        try store.settle()
        try store.save(snapshot(3, bytes: 2000))
        var index: LogIndex = 4
        // Even if there is never a moment's rest, it ends.
        while Self.snapshotFiles(disk).isEmpty {
            try #require(index < 30)
            try store.commit(entries: [entry(index)])
            index += 1
            try store.housekeep()
        }
        #expect(index > 12)
        let (_, restored) = try openStore(disk.killed())
        #expect(restored.snapshot == snapshot(3, bytes: 2000))
        #expect(restored.entries == entries(4...index - 1))
    }

    @Test func aNewerSnapshotEndsTheSavingOfAnOlderOne() throws {
        let disk = MemoryDisk()
        var (store, _) = try openStore(disk)
        try store.commit(entries: entries(1...9))
        try store.settle()
        try store.save(snapshot(5, bytes: 900))
        try store.housekeep()
        #expect(disk.fileNames.contains { $0.hasSuffix(".unfinished") })
        try store.save(snapshot(7, bytes: 900))
        #expect(!disk.fileNames.contains { $0.hasSuffix(".unfinished") })
        try store.housekeep()
        // An older one is too late.
        try store.save(snapshot(6, bytes: 900))
        // One that the leader sends is newer still.
        try store.commit(snapshot: snapshot(40, term: 2))
        try store.settle()
        #expect(Self.snapshotFiles(disk) == [40])
        try store.save(snapshot(9))
        #expect(!store.hasHousekeeping)
        #expect(try openStore(disk).restored.snapshot == snapshot(40, term: 2))
    }

    @Test func aSnapshotFileThatNoRecordSpeaksOfIsRemoved() throws {
        let disk = MemoryDisk()
        var (store, _) = try openStore(disk)
        try store.commit(entries: entries(1...3))
        disk["snapshot-0000000000000063-0000000000000001"] = SnapshotFile.encode(snapshot(99), folder: store.folderID)
        disk["snapshot-0000000000000063-0000000000000001.unfinished"] = [1, 2, 3]
        var (again, restored) = try openStore(disk)
        #expect(restored.snapshot == nil)
        try again.settle()
        #expect(!disk.fileNames.contains { $0.hasPrefix("snapshot") })
    }
}

import Raft
import Testing
import WriteAheadLog

@Suite struct LogStoreTests {
    @Test func aNewFolderHoldsNothing() throws {
        let disk = MemoryDisk()
        let (_, restored) = try openStore(disk)
        #expect(restored == PersistedState())
        #expect(disk.fileNames == ["identity", "segment-00000001"])
        #expect(disk["segment-00000001"]?.count == 512)
    }

    @Test func whatWasWrittenComesBack() throws {
        let disk = MemoryDisk()
        var (store, _) = try openStore(disk)
        try store.commit(hardState: HardState(term: 3, vote: NodeID(2), commit: 0))
        try store.commit(entries: entries(1...3, term: 3))
        try store.commit(hardState: HardState(term: 3, vote: NodeID(2), commit: 2))
        let (_, restored) = try openStore(disk.crashed(losing: .everything))
        #expect(restored.hardState == HardState(term: 3, vote: NodeID(2), commit: 2))
        #expect(restored.entries == entries(1...3, term: 3))
        #expect(restored.snapshot == nil)
    }

    @Test func entriesOfEveryKindAndSizeComeBack() throws {
        let disk = MemoryDisk()
        var (store, _) = try openStore(disk)
        var all = (0...20).map { entry(LogIndex($0 + 1), bytes: $0) }
        all.append(Entry(index: 22, term: .max, kind: .noop, payload: []))
        try store.commit(entries: all)
        try store.close()
        #expect(try openStore(disk.killed()).restored.entries == all)
    }

    @Test func anEntryWithinTheLogReplacesTheRest() throws {
        let disk = MemoryDisk()
        var (store, _) = try openStore(disk)
        try store.commit(entries: entries(1...9))
        try store.commit(entries: entries(4...5, term: 2))
        let (_, restored) = try openStore(disk.killed())
        #expect(restored.entries == entries(1...3) + entries(4...5, term: 2))
    }

    @Test func theLogRunsOverManySegments() throws {
        let disk = MemoryDisk()
        var (store, _) = try openStore(disk)
        for index in LogIndex(1)...100 {
            try store.commit(entries: [entry(index, bytes: Int(index))])
            if index % 7 == 0 { try store.settle() }
        }
        #expect(store.segmentCount > 10)
        let (_, restored) = try openStore(disk.killed())
        #expect(restored.entries == (1...100).map { entry($0, bytes: Int($0)) })
    }

    @Test func oneBatchMayRunOverManySegments() throws {
        let disk = MemoryDisk()
        var (store, _) = try openStore(disk)
        try store.commit(entries: entries(1...100))
        #expect(try openStore(disk.crashed(losing: .everything)).restored.entries == entries(1...100))
    }

    @Test func everySegmentIsWrittenWithOneCall() throws {
        let disk = MemoryDisk()
        var (store, _) = try openStore(disk, options: LogOptions(segmentBytes: 4096))
        try store.settle()
        disk.with { state in state.writes = [] }
        try store.write((1...10).map { LogBatch(number: $0, entries: [entry($0)]) })
        #expect(disk.with { state in state.writes.count } == 1)
    }

    @Test func anEntryMayFillASegmentAndNotOneByteMore() throws {
        let disk = MemoryDisk()
        var (store, _) = try openStore(disk)
        let limit = smallOptions.entryByteLimit
        try store.commit(entries: [entry(1, bytes: limit), entry(2, bytes: limit)])
        #expect(throws: WALError.entryTooLarge(bytes: limit + 1, limit: limit)) {
            try store.commit(entries: [entry(3), entry(4, bytes: limit + 1)])
        }
        // Nothing of the refused batch was written, and the log goes on.
        try store.commit(entries: [entry(3)])
        let (_, restored) = try openStore(disk.killed())
        #expect(restored.entries == [entry(1, bytes: limit), entry(2, bytes: limit), entry(3)])
    }

    @Test func theSegmentSizeMayChangeBetweenStarts() throws {
        var disk = MemoryDisk()
        var log: [Entry] = []
        for size in [512, 4096, 1024, 512] {
            let options = LogOptions(segmentBytes: size)
            var (store, restored) = try openStore(disk, options: options)
            #expect(restored.entries == log)
            try store.settle()
            let next = LogIndex(log.count + 1)
            let more = entries(next...next + 30)
            try store.commit(entries: more)
            log += more
            try store.settle()
            disk = disk.killed()
        }
        #expect(try openStore(disk).restored.entries == log)
    }

    @Test func theCommitIndexIsCutToWhatIsThere() throws {
        // The hard state is durable before the entries it speaks of.
        let disk = MemoryDisk()
        var (store, _) = try openStore(disk)
        try store.commit(hardState: HardState(term: 1, vote: nil, commit: 5), entries: entries(1...3))
        #expect(try openStore(disk.killed()).restored.hardState.commit == 3)
    }

    @Test func theHardStateOutlivesTheSegmentItWasWrittenTo() throws {
        let disk = MemoryDisk()
        var (store, _) = try openStore(disk)
        let state = HardState(term: 7, vote: NodeID(3), commit: 0)
        try store.commit(hardState: state)
        try store.commit(entries: entries(1...60, term: 7))
        for index in [LogIndex(50), 60] {
            try store.save(snapshot(index, term: 7))
            try store.settle()
        }
        #expect(!disk.fileNames.contains("segment-00000001"))
        let (_, restored) = try openStore(disk.killed())
        #expect(restored.hardState == HardState(term: 7, vote: NodeID(3), commit: 60))
    }

    @Test func nothingIsWrittenWhileNothingHappens() throws {
        let disk = MemoryDisk()
        var (store, _) = try openStore(disk)
        try store.commit(entries: entries(1...3))
        try store.settle()
        let before = disk.with { state in (state.writes.count, state.syncs) }
        #expect(!store.hasHousekeeping)
        try store.sync()
        #expect(disk.with { state in (state.writes.count, state.syncs) } == (before.0, before.1 + 1))
        try store.sync()
        #expect(disk.with { state in (state.writes.count, state.syncs) } == (before.0, before.1 + 1))
        #expect(!store.hasHousekeeping)
    }

    @Test func theNextSegmentIsReadyBeforeItIsNeeded() throws {
        let disk = MemoryDisk()
        var (store, _) = try openStore(disk)
        #expect(store.isHousekeepingUrgent)
        try store.settle()
        #expect(disk["segment-00000002"] == [UInt8](repeating: 0, count: 512))
        disk.with { state in state.writes = [] }
        try store.commit(entries: entries(1...6))
        // No zeros were written on the way.
        #expect(disk.with { state in state.writes.map(\.file) } == ["segment-00000001", "segment-00000002"])
        #expect(store.segmentCount == 2)
    }

    @Test func segmentsBeingPreparedKeepPaceWithWriting() throws {
        // Even if there is never a moment's rest, one step after each group has the segment ready in time.
        let disk = MemoryDisk()
        var (store, _) = try openStore(disk, options: LogOptions(segmentBytes: 2048, stepBytes: 256))
        var next: LogIndex = 1
        while store.segmentCount < 5 {
            disk.with { state in state.writes = [] }
            let before = store.segmentCount
            try store.commit(entries: [entry(next)])
            next += 1
            if store.segmentCount > before {
                let zeros = disk.with { state in state.writes.filter { $0.file.hasSuffix(".unfinished") } }
                #expect(zeros.isEmpty)
            }
            if store.isHousekeepingUrgent { try store.housekeep() }
        }
    }
}

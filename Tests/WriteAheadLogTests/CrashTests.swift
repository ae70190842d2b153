import Raft
import Testing
import WriteAheadLog

/// What a crash of process or machine may leave, and what must come back.
@Suite struct CrashTests {
    static let oldState = HardState(term: 1, vote: NodeID(1), commit: 0)
    static let newState = HardState(term: 2, vote: NodeID(3), commit: 2)

    /// Everything that a batch in flight may come back as: the state before it, then each part of it in turn.
    static let stages: [PersistedState] = {
        let old = entries(1...4)
        let clamped = HardState(term: 2, vote: NodeID(3), commit: 2)
        return [
            PersistedState(hardState: oldState, entries: old),
            PersistedState(hardState: clamped, entries: old),
            PersistedState(hardState: clamped, entries: Array(old[..<2]) + entries(3...3, term: 2)),
            PersistedState(hardState: clamped, entries: Array(old[..<2]) + entries(3...4, term: 2)),
            PersistedState(hardState: clamped, entries: Array(old[..<2]) + entries(3...5, term: 2)),
        ]
    }()

    static let batch = LogBatch(number: 2, hardState: newState, entries: entries(3...5, term: 2))

    static func storeInOldState(_ disk: MemoryDisk, proven: Bool, bytes: Int = 4096) throws -> LogStore {
        var (store, _) = try openStore(disk, options: LogOptions(segmentBytes: bytes, stepBytes: 4096))
        try store.commit(hardState: oldState, entries: entries(1...4))
        if proven { try store.settle() }
        return store
    }

    /// Raft scenario 3: never the new term with the old vote, wherever the write stops.
    @Test(arguments: [true, false], [512, 4096])
    func aWriteThatStopsAtAnyByteIsOldOrNew(proven: Bool, segmentBytes: Int) throws {
        var seen: Set<Int> = []
        var budget = 0
        while true {
            let disk = MemoryDisk()
            var store = try Self.storeInOldState(disk, proven: proven, bytes: segmentBytes)
            disk.with { $0.writeBudget = budget }
            var finished = false
            do {
                try store.write([Self.batch])
                finished = true
            } catch {}
            let (_, restored) = try openStore(disk.killed())
            let stage = try #require(Self.stages.firstIndex(of: restored), "stopped after \(budget) bytes: \(restored)")
            seen.insert(stage)
            // Nothing of it was synced. Where the batch crosses into a new segment, the old one is synced first.
            let (_, lost) = try openStore(disk.crashed(losing: .everything))
            #expect(Self.stages.contains(lost))
            if segmentBytes == 4096 { #expect(lost == Self.stages[0]) }
            if finished {
                #expect(stage == Self.stages.count - 1)
                break
            }
            budget += 1
        }
        #expect(seen == Set(Self.stages.indices))
    }

    @Test func blocksThatReachTheDiskOutOfOrderAreATornWrite() throws {
        var seen: Set<Int> = []
        for seed in UInt64(0)..<400 {
            let disk = MemoryDisk()
            var store = try Self.storeInOldState(disk, proven: seed % 2 == 0)
            try store.write([Self.batch])
            for size in [8, 16, 64] {
                let (_, restored) = try openStore(disk.crashed(losing: .blocks(size, seed: seed)))
                seen.insert(try #require(Self.stages.firstIndex(of: restored), "seed \(seed): \(restored)"))
            }
        }
        #expect(seen.isSuperset(of: [0, 1, 2]))
    }

    @Test func aTornTailIsCutWithANotice() throws {
        let disk = MemoryDisk()
        var store = try Self.storeInOldState(disk, proven: true)
        disk.with { $0.writeBudget = 100 }
        #expect(throws: WALError.self) { try store.write([Self.batch]) }
        var notices: [String] = []
        let after = disk.killed()
        let (_, restored) = try openStore(after, notice: { notices.append($0) })
        #expect(restored == Self.stages[1])
        // The hard state's 56 bytes are whole; of the first entry's 64 there are 44, the last of them zero or not.
        #expect(notices.count == 1)
        #expect(notices[0].contains("the last 44 bytes were not completely written"))
        notices = []
        #expect(try openStore(after, notice: { notices.append($0) }).restored == restored)
        #expect(notices.isEmpty)
    }

    @Test func restartingTwiceAfterATornTailChangesNothing() throws {
        for budget in stride(from: 1, to: 300, by: 7) {
            var disk = MemoryDisk()
            var store = try Self.storeInOldState(disk, proven: true)
            disk.with { $0.writeBudget = budget }
            try? store.write([Self.batch])
            disk = disk.killed()
            let first = try openStore(disk).restored
            // Once without any writing, once with the same batch again, then with the machine gone before a sync.
            disk = disk.crashed(losing: .everything)
            var (again, second) = try openStore(disk)
            #expect(second == first)
            try again.write([Self.batch])
            let (_, third) = try openStore(disk.crashed(losing: .everything))
            #expect(third == first)
            let (_, fourth) = try openStore(disk.killed())
            #expect(fourth == Self.stages.last)
        }
    }

    @Test func leftoversOfATornWriteAreNotTakenForPartOfALaterOne() throws {
        // The first entry of the batch never reached the disk, the others did. The next process writes that very entry
        // again: the others must not come back to life behind it.
        let disk = MemoryDisk()
        var store = try Self.storeInOldState(disk, proven: true)
        // So that both processes know the same about what is durable, and write the very same bytes.
        try store.sync()
        let start = Int(store.end.offset)
        try store.write([LogBatch(number: 2, entries: entries(5...7))])
        let torn = disk.killed()
        var bytes = try #require(torn["segment-00000001"])
        for i in start..<start + 64 { bytes[i] = 0 }
        torn["segment-00000001"] = bytes
        var (again, restored) = try openStore(torn)
        #expect(restored.entries == entries(1...4))
        try again.write([LogBatch(number: 1, entries: entries(5...5))])
        #expect(try openStore(torn.killed()).restored.entries == entries(1...5))
    }

    @Test func aCrashWhileTheFolderIsMadeLeavesOneThatCanBeMade() throws {
        var budget = 0
        while true {
            let disk = MemoryDisk()
            disk.with { $0.writeBudget = budget }
            if (try? openStore(disk)) != nil { break }
            for after in [disk.killed(), disk.crashed(losing: .everything)] {
                var (store, restored) = try openStore(after)
                #expect(restored == PersistedState())
                try store.commit(entries: entries(1...2))
                #expect(try openStore(after.killed()).restored.entries == entries(1...2))
            }
            budget += 1
        }
        #expect(budget > 512)
    }

    @Test func whatIsReadAfterAKillIsSyncedBeforeItCounts() throws {
        // The process died, its writes live in the page cache only. A vote read from there must survive the machine.
        let disk = MemoryDisk()
        var store = try Self.storeInOldState(disk, proven: true)
        try store.write([Self.batch])
        let (_, restored) = try openStore(disk)
        #expect(restored == Self.stages.last)
        #expect(try openStore(disk.crashed(losing: .everything)).restored == restored)
    }

    @Test func aCrashDuringARepairLeavesItToBeRepaired() throws {
        let disk = MemoryDisk()
        var store = try Self.storeInOldState(disk, proven: true)
        disk.with { $0.writeBudget = 180 }
        #expect(throws: WALError.self) { try store.write([Self.batch]) }
        let torn = disk.killed()
        let expected = try openStore(torn.killed()).restored
        for budget in 0..<64 {
            let repairing = torn.killed()
            repairing.with { $0.writeBudget = budget }
            _ = try? openStore(repairing)
            #expect(try openStore(repairing.killed()).restored == expected)
            #expect(try openStore(repairing.crashed(losing: .everything)).restored == expected)
        }
    }
}

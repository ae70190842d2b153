import Raft
import Testing
import WriteAheadLog

@Suite struct DiskFaultTests {
    @Test func afterAFailedSyncNothingIsWrittenAnyMore() throws {
        let disk = MemoryDisk()
        var (store, _) = try openStore(disk)
        try store.settle()
        let error = MemoryDisk.error("syncing", .failed)
        disk.with { $0.syncError = error }
        #expect(throws: WALError.disk(error)) { try store.commit(entries: entries(1...2)) }
        // The disk says that all is well again. It is not to be believed.
        let writes = disk.with { $0.writes.count }
        #expect(throws: WALError.disk(error)) { try store.sync() }
        #expect(throws: WALError.disk(error)) { try store.write([LogBatch(number: 2, entries: entries(3...3))]) }
        #expect(throws: WALError.disk(error)) { try store.housekeep() }
        #expect(!store.hasHousekeeping && !store.isHousekeepingUrgent)
        #expect(throws: WALError.disk(error)) { try store.close() }
        #expect(disk.with { $0.writes.count } == writes)
        #expect(disk.with { $0.isClosed })
    }

    @Test func afterAFailedWriteNothingIsWrittenAnyMore() throws {
        let disk = MemoryDisk()
        var (store, _) = try openStore(disk)
        let error = MemoryDisk.error("writing", .failed)
        disk.with { $0.writeError = error }
        #expect(throws: WALError.disk(error)) { try store.write([LogBatch(number: 1, entries: entries(1...2))]) }
        disk.with { $0.writeError = nil }
        #expect(throws: WALError.disk(error)) { try store.sync() }
    }

    @Test func aFullDiskIsNoErrorBeforeTheSpaceIsNeeded() throws {
        let disk = MemoryDisk()
        var (store, _) = try openStore(disk)
        // Room for the identity, this segment and half of another one.
        disk.with { $0.capacity = 512 + 256 + 150 }
        try store.settle()
        #expect(!disk.fileNames.contains { $0.hasSuffix(".unfinished") })
        var index: LogIndex = 1
        do {
            while index < 100 {
                try store.commit(entries: [entry(index)])
                index += 1
                try store.settle()
            }
            Issue.record("wrote \(index) entries to a full disk")
        } catch {
            guard case .disk(let error) = error, error.code == .full else { throw error }
            #expect(error.description.contains("Free some space on that disk"))
        }
        #expect(index > 3)
        let after = disk.killed()
        #expect(try openStore(after).restored.entries == entries(1...index - 1))
    }

    @Test func spaceThatASnapshotFreesIsUsed() throws {
        let disk = MemoryDisk()
        var (store, _) = try openStore(disk)
        disk.with { $0.capacity = 5 * 512 + 300 }
        for index in LogIndex(1)...200 {
            try store.commit(entries: [entry(index)])
            if index % 3 == 0 { try store.save(snapshot(index, bytes: 1)) }
            try store.settle()
        }
        #expect(try openStore(disk.killed()).restored.entries == entries(199...200))
    }

    @Test func errorsSayWhatToDo() {
        let codes: [DiskError.Code] = [.full, .notPermitted, .locked, .failed]
        let texts = codes.map {
            DiskError(code: $0, operation: "writing x", directory: "/data", cause: "why").description
        }
        #expect(texts.allSatisfy { $0.hasPrefix("writing x in /data failed: why. ") && $0.hasSuffix(".") })
        #expect(Set(texts).count == 4)
        #expect(WALError.entryTooLarge(bytes: 9, limit: 8).description.contains("entryByteLimit"))
    }

    @Test func aFolderOfAnotherNodeOrClusterIsRefused() throws {
        let disk = MemoryDisk()
        _ = try openStore(disk)
        let before = disk.fileNames
        for other in [DataIdentity(node: 2, cluster: identity.cluster), DataIdentity(node: 1, cluster: "another")] {
            let mismatch = WALError.identity(IdentityMismatch(expected: other, found: identity))
            #expect(throws: mismatch) { try LogStore.open(disk: disk, identity: other, newFolderID: 2) }
            #expect(mismatch.description.contains("data folder belongs to"))
        }
        #expect(disk.fileNames == before)
    }

    @Test func dataWithoutAnIdentityIsRefused() throws {
        let disk = MemoryDisk()
        var (store, _) = try openStore(disk)
        try store.commit(entries: entries(1...1))
        disk["identity"] = nil
        do {
            _ = try openStore(disk)
            Issue.record("opened a folder without an identity")
        } catch {
            guard case .corrupted(let corrupted) = error else { throw error }
            #expect(corrupted.file == "identity")
        }
    }
}

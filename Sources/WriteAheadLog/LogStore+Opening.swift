import ByteCoding
public import Raft

extension LogStore {
    /// Opens the log in a folder, or makes a new one in an empty folder.
    ///
    /// - Parameters:
    ///   - newFolderID: a random number, used if the folder is new.
    ///   - notice: told, in sentences for the operator, about everything that was repaired.
    /// - Returns: the log, and what it holds, all of it durable.
    /// - Throws: ``WALError/identity(_:)``, ``WALError/corrupted(_:)``, ``WALError/disk(_:)``. Nothing was changed if it is
    ///   one of the first two.
    public static func open(
        disk: any Disk, identity: DataIdentity, newFolderID: UInt64, options: LogOptions = LogOptions(),
        notice: (String) -> Void = { _ in }
    ) throws(WALError) -> (store: LogStore, restored: PersistedState) {
        do {
            let files = try disk.list().sorted()
            guard files.contains(FileName.identity) else {
                try checkUnused(files, on: disk)
                let store = try create(
                    disk: disk, identity: identity, folderID: newFolderID, options: options, replacing: files)
                return (store, PersistedState())
            }
            let found = try IdentityFile(decoding: try disk.read(FileName.identity))
            guard found.identity == identity else {
                throw WALError.identity(IdentityMismatch(expected: identity, found: found.identity))
            }
            return try restore(disk: disk, files: files, folderID: found.folder, options: options, notice: notice)
        } catch let error as DiskError {
            throw .disk(error)
        } catch let error as LogCorrupted {
            throw .corrupted(error)
        } catch let error as WALError {
            throw error
        } catch {
            preconditionFailure("unexpected error: \(error)")
        }
    }

    /// A folder without an identity must be one that was never used, or whose making was interrupted.
    private static func checkUnused(_ files: [String], on disk: any Disk) throws {
        for file in files {
            let isUsed: Bool
            if let number = FileName.segmentNumber(file) {
                let content = try disk.read(file)
                isUsed = number > 1 || content.dropFirst(SegmentStart.maximumRecordSize).contains { $0 != 0 }
            } else {
                isUsed = FileName.snapshotMark(file) != nil
            }
            guard !isUsed else {
                throw LogCorrupted(
                    file: FileName.identity, offset: 0, reason: "the file is missing, yet there is data in \(file)")
            }
        }
    }

    /// The identity is written last: with it, the folder counts as used, and a segment must be there.
    private static func create(
        disk: any Disk, identity: DataIdentity, folderID: UInt64, options: LogOptions, replacing files: [String]
    ) throws(DiskError) -> LogStore {
        for file in files where file.hasSuffix(FileName.unfinishedSuffix) || FileName.segmentNumber(file) != nil {
            try disk.remove(file)
        }
        var first = SpareSegment(state: .absent)
        while first.state != .ready { try first.step(number: 1, on: disk, options: options) }
        var appender = LogAppender(folder: folderID, segmentBytes: options.segmentBytes)
        let piece = appender.takePending()!
        try disk.write(piece.bytes, to: FileName.segment(1), at: 0)
        try disk.sync(FileName.segment(1))
        appender.synced()
        try disk.writeWhole(IdentityFile(identity: identity, folder: folderID).encode(), to: FileName.identity)
        return LogStore(
            disk: disk, options: options, folderID: folderID, appender: appender, spare: .absent, snapshotFiles: [])
    }

    private static func restore(
        disk: any Disk, files: [String], folderID: UInt64, options: LogOptions, notice: (String) -> Void
    ) throws -> (store: LogStore, restored: PersistedState) {
        var recovery = LogRecovery(folder: folderID)
        var sizes: [UInt32: Int] = [:]
        for file in files {
            guard let number = FileName.segmentNumber(file) else { continue }
            let bytes = try disk.read(file)
            sizes[number] = bytes.count
            try recovery.add(segment: number, bytes)
        }
        let outcome = try recovery.finish { mark in lookUp(mark, files: files, on: disk, folderID: folderID) }

        outcome.notices.forEach(notice)
        for file in files where file.hasSuffix(FileName.unfinishedSuffix) { try disk.remove(file) }
        for repair in outcome.repairs {
            switch repair {
            case .zero(let segment, let range):
                try disk.write(
                    [UInt8](repeating: 0, count: range.count), to: FileName.segment(segment), at: range.lowerBound)
            case .remove(let segment):
                try disk.remove(FileName.segment(segment))
                sizes[segment] = nil
            }
        }
        // After a crash of the process alone, what was read may never have reached the disk: nothing may rely on it yet.
        try disk.sync(FileName.segment(outcome.end.segment))

        // A prepared segment of another size belongs to another setting; one that is not the next has lost its use.
        var spare = SpareSegment.State.absent
        for (number, size) in sizes.sorted(by: { $0.key < $1.key }) where number > outcome.end.segment {
            if number == outcome.end.segment + 1, size == options.segmentBytes {
                spare = .ready
            } else {
                try disk.remove(FileName.segment(number))
            }
        }
        let appender = LogAppender(
            folder: folderID, outline: outcome.outline, end: outcome.end, segmentBytes: outcome.segmentBytes,
            chain: outcome.chain, predecessorEnd: outcome.predecessorEnd)
        var store = LogStore(
            disk: disk, options: options, folderID: folderID, appender: appender, spare: spare,
            snapshotFiles: files.compactMap(FileName.snapshotMark))
        if outcome.state.hardState != outcome.outline.hardState {
            // The commit index was cut to what is there. It must not come back once something else is there.
            try store.write([LogBatch(number: 0, hardState: outcome.state.hardState)])
            try store.sync()
        }
        return (store, outcome.state)
    }

    private static func lookUp(
        _ mark: SnapshotMark, files: [String], on disk: any Disk, folderID: UInt64
    ) -> LogRecovery.SnapshotLookup {
        let file = FileName.snapshot(mark)
        guard files.contains(file) else { return .unusable("the snapshot's file is missing") }
        do throws(DiskError) {
            let bytes = try disk.read(file)
            do {
                return .found(try SnapshotFile.decode(bytes, mark: mark, folder: folderID))
            } catch {
                return .unusable(error.description)
            }
        } catch {
            return .unusable(error.cause)
        }
    }
}

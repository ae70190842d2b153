import Glibc
import Raft
import Testing
import WriteAheadLog

/// The real thing, in a temporary folder.
@Suite struct FileDiskTests {
    /// Runs `body` with the path of a folder that does not exist yet.
    static func withFolder<Result>(_ body: (String) throws -> Result) throws -> Result {
        var template = Array("/tmp/millrace-wal-XXXXXX".utf8CString)
        let made = template.withUnsafeMutableBufferPointer { mkdtemp($0.baseAddress!) }
        let path = String(cString: try #require(made))
        defer { removeAll(path) }
        return try body(path + "/deep/data")
    }

    private static func removeAll(_ path: String) {
        if let stream = opendir(path) {
            while let entry = readdir(stream) {
                let name = withUnsafePointer(to: &entry.pointee.d_name) { pointer in
                    pointer.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
                }
                if name != ".", name != ".." { removeAll(path + "/" + name) }
            }
            closedir(stream)
            rmdir(path)
        } else {
            unlink(path)
        }
    }

    static func open(
        _ path: String, options: LogOptions = LogOptions(segmentBytes: 4096)
    ) throws -> (log: WriteAheadLog, restored: PersistedState) {
        try WriteAheadLog.open(directory: path, identity: identity, options: options, notice: { _ in })
    }

    @Test func aLogOnARealDiskComesBack() throws {
        try Self.withFolder { path in
            var written: [Entry] = []
            var folder: UInt64?
            for round in 0..<4 {
                let (log, restored) = try Self.open(path)
                #expect(restored.entries == Array(written.drop { $0.index <= restored.snapshot?.index ?? 0 }))
                #expect(folder ?? log.folderID == log.folderID)
                folder = log.folderID
                let reports = Reports()
                reports.start(log)
                for number in UInt64(1)...100 {
                    let entry = entry(LogIndex(written.count + 1), term: Term(round + 1), bytes: Int(number))
                    written.append(entry)
                    try log.submit(LogBatch(number: number, entries: [entry]))
                }
                try reports.wait { $0.durable.last == 100 }
                log.saveSnapshot(snapshot(LogIndex(written.count - 20), term: Term(round + 1)))
                log.close()
                #expect(reports.fatal.isEmpty)
            }
        }
    }

    @Test func aFolderIsForOneProcessAtATime() throws {
        try Self.withFolder { path in
            let (log, _) = try Self.open(path)
            do {
                _ = try Self.open(path)
                Issue.record("opened a folder twice")
            } catch WALError.disk(let error) {
                #expect(error.code == .locked)
                #expect(error.description.contains("Only one process may use a data folder"))
            }
            log.close()
            try Self.open(path).log.close()
        }
    }

    @Test func aRefusedFolderIsGivenBack() throws {
        try Self.withFolder { path in
            try Self.open(path).log.close()
            for _ in 0..<2 {
                let other = DataIdentity(node: 9, cluster: identity.cluster)
                #expect(throws: WALError.identity(IdentityMismatch(expected: other, found: identity))) {
                    try WriteAheadLog.open(directory: path, identity: other, notice: { _ in })
                }
            }
        }
    }

    @Test func aFileWhereTheFolderShouldBeIsAnError() throws {
        try Self.withFolder { path in
            let disk = try FileDisk(path: path)
            try disk.write([1], to: "file", at: 0)
            #expect(throws: DiskError.self) { try FileDisk(path: path + "/file") }
            #expect(throws: DiskError.self) { try FileDisk(path: path + "/file/below") }
            #expect(throws: DiskError.self) { try disk.read("no such file") }
            #expect(throws: DiskError.self) { try disk.sync("no such file") }
            try disk.remove("no such file")
            disk.close()
            disk.close()
        }
    }

    @Test func filesAreWrittenInPlaceAndReplacedWhole() throws {
        try Self.withFolder { path in
            let disk = try FileDisk(path: path + "/")
            try disk.write([1, 2, 3, 4], to: "a", at: 0)
            try disk.write([9], to: "a", at: 2)
            try disk.write([], to: "a", at: 0)
            try disk.write([7], to: "a", at: 5)
            try disk.sync("a")
            #expect(try disk.read("a") == [1, 2, 9, 4, 0, 7])
            try disk.write([5], to: "b", at: 0)
            try disk.sync("b")
            try disk.replace("a", with: "b")
            #expect(try disk.read("a") == [5])
            #expect(try disk.list() == ["a"])
            try disk.remove("a")
            #expect(try disk.list() == [])
            disk.close()
        }
    }

    @Test func aFullDiskIsRecognised() throws {
        // The kernel's own full disk. Opening it as a folder fails, so it is written to by its name from one.
        let disk = try FileDisk(path: "/dev/shm")
        defer { disk.close() }
        do {
            try disk.write([1], to: "../full", at: 0)
            Issue.record("wrote to /dev/full")
        } catch {
            #expect(error.code == .full)
        }
    }

    @Test func aSegmentIsWrittenNotSparse() throws {
        try Self.withFolder { path in
            let (log, _) = try Self.open(path, options: LogOptions(segmentBytes: 1 << 20))
            log.close()
            var status = stat()
            #expect(stat(path + "/segment-00000001", &status) == 0)
            #expect(status.st_size == 1 << 20)
            #expect(Int(status.st_blocks) * 512 >= 1 << 20)
        }
    }
}

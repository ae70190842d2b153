import Synchronization
import WriteAheadLog

/// A disk in memory that fails as told. It keeps apart what was synced and what was only written, so that a crash can
/// lose any part of the latter.
final class MemoryDisk: Disk {
    struct File: Equatable {
        /// What the last sync covered.
        var durable: [UInt8] = []
        /// What a reader sees.
        var content: [UInt8] = []
        var unsynced: [(offset: Int, bytes: [UInt8])] = []

        static func == (a: File, b: File) -> Bool { a.content == b.content && a.durable == b.durable }
    }

    /// What becomes of unsynced bytes in a crash.
    enum Loss {
        case nothing
        case everything
        /// Each block of that many bytes on its own.
        case blocks(Int, seed: UInt64)
    }

    struct State {
        var files: [String: File] = [:]
        var isClosed = false
        /// Bytes that may still be written before the power goes.
        var writeBudget: Int?
        var isDead = false
        var syncError: DiskError?
        var writeError: DiskError?
        /// Bytes that all files together may have.
        var capacity = Int.max
        var syncs = 0
        var writes: [(file: String, offset: Int, count: Int)] = []
        var whenSyncing: (@Sendable (String) -> Void)?
    }

    private let state = Mutex(State())

    init() {}

    init(files: [String: File]) {
        state.withLock { state in state.files = files }
    }

    static func error(_ operation: String, _ code: DiskError.Code = .failed) -> DiskError {
        DiskError(code: code, operation: operation, directory: "memory", cause: "as told by the test")
    }

    // MARK: - For tests

    func with<Result>(_ body: (inout State) -> Result) -> Result { state.withLock { body(&$0) } }

    subscript(file: String) -> [UInt8]? {
        get { state.withLock { state in state.files[file]?.content } }
        set {
            state.withLock { state in
                state.files[file] = newValue.map { File(durable: $0, content: $0) }
            }
        }
    }

    var fileNames: [String] { state.withLock { state in state.files.keys.sorted() } }

    /// The same files after a crash of the machine, on a new and healthy disk.
    func crashed(losing loss: Loss) -> MemoryDisk {
        let files = state.withLock { state in state.files }
        var survivors: [String: File] = [:]
        for (name, file) in files.sorted(by: { $0.key < $1.key }) {
            var content = file.durable
            switch loss {
            case .nothing: content = file.content
            case .everything: break
            case .blocks(let size, let seed):
                var generator = SplitMix64(seed: seed)
                for write in file.unsynced {
                    for start in stride(from: 0, to: write.bytes.count, by: size) where generator.chance(50) {
                        let block = write.bytes[start..<min(start + size, write.bytes.count)]
                        Self.put(Array(block), into: &content, at: write.offset + start)
                    }
                }
            }
            survivors[name] = File(durable: content, content: content)
        }
        return MemoryDisk(files: survivors)
    }

    /// The same files, as another process finds them after this one was killed.
    func killed() -> MemoryDisk { MemoryDisk(files: state.withLock { state in state.files }) }

    // MARK: - Disk

    func list() throws(DiskError) -> [String] {
        try act { state throws(DiskError) in state.files.keys.sorted() }
    }

    func read(_ file: String) throws(DiskError) -> [UInt8] {
        try act { state throws(DiskError) in
            guard let file = state.files[file] else { throw Self.error("reading \(file)") }
            return file.content
        }
    }

    func write(_ bytes: [UInt8], to file: String, at offset: Int) throws(DiskError) {
        try act { state throws(DiskError) in
            if let error = state.writeError { throw error }
            let used = state.files.values.reduce(0) { $0 + $1.content.count }
            let growth = max(0, offset + bytes.count - (state.files[file]?.content.count ?? 0))
            guard used + growth <= state.capacity else { throw Self.error("writing \(file)", .full) }
            var bytes = bytes
            if let budget = state.writeBudget {
                if bytes.count > budget {
                    bytes = Array(bytes[..<budget])
                    state.isDead = true
                }
                state.writeBudget = budget - bytes.count
            }
            state.writes.append((file, offset, bytes.count))
            state.files[file, default: File()].unsynced.append((offset, bytes))
            Self.put(bytes, into: &state.files[file]!.content, at: offset)
            if state.isDead { throw Self.error("power cut while writing \(file)") }
        }
    }

    func sync(_ file: String) throws(DiskError) {
        let hook = state.withLock { state in state.whenSyncing }
        hook?(file)
        try act { state throws(DiskError) in
            if let error = state.syncError {
                // Linux forgets the error and the data: the next sync would succeed.
                state.syncError = nil
                throw error
            }
            state.syncs += 1
            guard let content = state.files[file]?.content else {
                throw Self.error("syncing \(file), which is not there")
            }
            state.files[file] = File(durable: content, content: content)
        }
    }

    func replace(_ target: String, with file: String) throws(DiskError) {
        try act { state throws(DiskError) in
            guard let content = state.files.removeValue(forKey: file) else { throw Self.error("renaming \(file)") }
            precondition(content.unsynced.isEmpty, "renamed before it was synced")
            state.files[target] = content
        }
    }

    func remove(_ file: String) throws(DiskError) {
        try act { state throws(DiskError) in state.files[file] = nil }
    }

    func release(_ file: String) {}

    func close() { state.withLock { state in state.isClosed = true } }

    private func act<Result>(_ body: (inout State) throws(DiskError) -> Result) throws(DiskError) -> Result {
        let result = state.withLock { state -> Swift.Result<Result, DiskError> in
            precondition(!state.isClosed, "the disk is used after it was closed")
            if state.isDead { return .failure(Self.error("anything after the power cut")) }
            do throws(DiskError) {
                return .success(try body(&state))
            } catch {
                return .failure(error)
            }
        }
        return try result.get()
    }

    private static func put(_ bytes: [UInt8], into content: inout [UInt8], at offset: Int) {
        if content.count < offset + bytes.count {
            content += [UInt8](repeating: 0, count: offset + bytes.count - content.count)
        }
        content.replaceSubrange(offset..<offset + bytes.count, with: bytes)
    }
}

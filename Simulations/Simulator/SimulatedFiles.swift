import WriteAheadLog

/// The files of one machine, in memory: what was synced, and what was only written, of which a loss of power may leave any part.
///
/// The production log (`LogStore`) writes to it and recovers from it, byte by byte.
final class SimulatedFiles: Disk, @unchecked Sendable {  // one thread runs everything
    private struct File {
        var durable: [UInt8] = []
        /// What a reader sees.
        var content: [UInt8] = []
        /// What was written since the last sync.
        var unsynced: [Range<Int>] = []
        /// What the last sync made durable: nothing later proves it yet.
        var newest: Range<Int>?
    }

    /// What a disk writes at once, in bytes: after a loss of power each such block is there or not.
    private static let block = 512

    private var files: [String: File] = [:]
    /// Nothing more fits: what would make a file longer fails.
    var isFull = false
    /// Syncs say that all is well and do nothing. Outside the promise.
    var liesAboutSyncs = false
    /// The next write of a record goes to another place.
    var misdirectsNextWrite = false
    /// The write that went astray, until something later proves that it should be there.
    private var astray: (file: String, offset: Int, bytes: [UInt8], wrong: Int, overwritten: [UInt8])?

    init() {}

    private init(files: [String: File]) { self.files = files }

    /// The same files on another disk.
    func copy() -> SimulatedFiles { SimulatedFiles(files: files) }

    // MARK: What may happen to it

    /// The power is lost: of what was not synced, `survives` says for each block whether it is there.
    func losePower(_ survives: () -> Bool) {
        undoUnprovenAstray()
        for name in files.keys.sorted() {
            for range in files[name]!.unsynced {
                for start in stride(from: range.lowerBound, to: range.upperBound, by: SimulatedFiles.block)
                where survives() {
                    let part = start..<min(start + SimulatedFiles.block, range.upperBound)
                    put(Array(files[name]!.content[part]), into: &files[name]!.durable, at: start)
                }
            }
            files[name]!.content = files[name]!.durable
            files[name]!.unsynced = []
        }
    }

    /// The process dies and the machine does not: what was written is there.
    func survive() { undoUnprovenAstray() }

    /// One bit of what is durable turns over, at a place that `below` chooses. Not in what the last sync made durable: that nobody could
    /// tell from a write that was cut short, and one copy of a majority would be lost without a word.
    func rot(below: (Int) -> Int) {
        let names = files.keys.sorted().filter { $0 != "identity" && !files[$0]!.durable.isEmpty }
        guard !names.isEmpty else { return }
        let name = names[below(names.count)]
        // Where something was written: the rest of a segment is zeros, and nobody reads them.
        var used = files[name]!.durable.count
        while used > 0, files[name]!.durable[used - 1] == 0 { used -= 1 }
        let end = min(used, files[name]!.newest?.lowerBound ?? used)
        guard end > 0 else { return }
        let place = below(end)
        let bit: UInt8 = 1 << UInt8(below(8))
        files[name]!.durable[place] ^= bit
        files[name]!.content[place] ^= bit
    }

    private func undoUnprovenAstray() {
        guard let lost = astray else { return }
        astray = nil
        put(lost.overwritten, into: &files[lost.file]!.durable, at: lost.wrong)
        put(lost.overwritten, into: &files[lost.file]!.content, at: lost.wrong)
        put(lost.bytes, into: &files[lost.file]!.durable, at: lost.offset)
        put(lost.bytes, into: &files[lost.file]!.content, at: lost.offset)
    }

    // MARK: Disk

    func list() throws(DiskError) -> [String] { files.keys.sorted() }

    func read(_ file: String) throws(DiskError) -> [UInt8] {
        guard let found = files[file] else { throw error("reading \(file)", .failed) }
        return found.content
    }

    func write(_ bytes: [UInt8], to file: String, at offset: Int) throws(DiskError) {
        guard !bytes.isEmpty else { return }
        if isFull, offset + bytes.count > files[file]?.content.count ?? 0 { throw error("writing \(file)", .full) }
        var place = offset
        if misdirectsNextWrite, file.hasPrefix("segment"), offset >= 4_096, bytes.contains(where: { $0 != 0 }) {
            misdirectsNextWrite = false
            place = offset - 4_096
            let old = Array(files[file]!.content[place..<place + bytes.count])
            astray = (file, offset, bytes, place, old)
        }
        put(bytes, into: &files[file, default: File()].content, at: place)
        files[file]!.unsynced.append(place..<place + bytes.count)
    }

    func sync(_ file: String) throws(DiskError) {
        guard files[file] != nil else { throw error("syncing \(file), which is not there", .failed) }
        if liesAboutSyncs { return }
        // A later record is durable, and says that what went astray had been.
        if let lost = astray, lost.file == file,
            files[file]!.unsynced.contains(where: { $0.lowerBound > lost.offset })
        {
            astray = nil
        }
        for range in files[file]!.unsynced {
            put(Array(files[file]!.content[range]), into: &files[file]!.durable, at: range.lowerBound)
        }
        if let first = files[file]!.unsynced.map(\.lowerBound).min(),
            let last = files[file]!.unsynced.map(\.upperBound).max()
        {
            files[file]!.newest = first..<last
        }
        files[file]!.unsynced = []
    }

    func replace(_ target: String, with file: String) throws(DiskError) {
        guard let moved = files.removeValue(forKey: file) else { throw error("renaming \(file)", .failed) }
        files[target] = moved
    }

    func remove(_ file: String) throws(DiskError) { files[file] = nil }

    func release(_ file: String) {}

    func close() {}

    private func error(_ operation: String, _ code: DiskError.Code) -> DiskError {
        DiskError(code: code, operation: operation, directory: "the simulated disk", cause: "as the schedule says")
    }

    private func put(_ bytes: [UInt8], into content: inout [UInt8], at offset: Int) {
        if content.count < offset + bytes.count {
            content += [UInt8](repeating: 0, count: offset + bytes.count - content.count)
        }
        content.replaceSubrange(offset..<offset + bytes.count, with: bytes)
    }
}

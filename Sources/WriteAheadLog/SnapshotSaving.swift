import Raft

/// A snapshot on its way to its file, piece by piece, so that log writes need not wait for all of it.
struct SnapshotSaving: Sendable {
    let mark: SnapshotMark
    private let bytes: [UInt8]
    private var written = 0

    init(_ snapshot: Snapshot, folder: UInt64) {
        mark = SnapshotMark(snapshot)
        bytes = SnapshotFile.encode(snapshot, folder: folder)
    }

    private var unfinished: String { FileName.snapshot(mark) + FileName.unfinishedSuffix }

    /// Writes the next piece. Returns true once the file is complete and durable under its name.
    mutating func step(on disk: any Disk, stepBytes: Int) throws(DiskError) -> Bool {
        let end = min(written + stepBytes, bytes.count)
        try disk.write(Array(bytes[written..<end]), to: unfinished, at: written)
        try disk.sync(unfinished)
        written = end
        guard written == bytes.count else { return false }
        try disk.replace(FileName.snapshot(mark), with: unfinished)
        disk.release(FileName.snapshot(mark))
        return true
    }

    /// Gives up, and leaves nothing behind.
    func cancel(on disk: any Disk) throws(DiskError) {
        if written > 0 { try disk.remove(unfinished) }
    }
}

public import Raft

/// One write that the consensus core asked for: recovered as a prefix of the order hard state, snapshot, entries.
public struct LogBatch: Equatable, Sendable {
    /// Counts up; the log reports the highest number that is durable.
    public var number: UInt64
    /// A snapshot received from the leader.
    public var snapshot: Snapshot?
    /// Whether the log's entries survive ``snapshot``: true only if the log holds its very entry.
    public var entriesKeptAfterSnapshot: Bool
    /// Present when term, vote or commit changed.
    public var hardState: HardState?
    /// Consecutive entries. The first may lie within the log: then everything from its index on is replaced.
    public var entries: [Entry]
    /// False if losing the batch in a crash would break no promise (only the commit index moved).
    public var mustSync: Bool

    public init(
        number: UInt64, snapshot: Snapshot? = nil, entriesKeptAfterSnapshot: Bool = false,
        hardState: HardState? = nil, entries: [Entry] = [], mustSync: Bool = true
    ) {
        self.number = number
        self.snapshot = snapshot
        self.entriesKeptAfterSnapshot = entriesKeptAfterSnapshot
        self.hardState = hardState
        self.entries = entries
        self.mustSync = mustSync
    }

    /// - Throws: ``WALError/entryTooLarge(bytes:limit:)``.
    func check(entryByteLimit limit: Int) throws(WALError) {
        for entry in entries where entry.payload.count > limit {
            throw .entryTooLarge(bytes: entry.payload.count, limit: limit)
        }
    }

    /// What the batch weighs in the queue, in bytes.
    var weight: Int {
        var bytes = RecordHeader.size + (snapshot?.data.count ?? 0)
        for entry in entries { bytes += RecordHeader.size + entry.payload.count }
        return bytes
    }
}

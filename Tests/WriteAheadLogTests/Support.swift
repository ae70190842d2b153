import Raft
import WriteAheadLog

let identity = DataIdentity(node: 1, cluster: "1=a,2=b,3=c")

/// Segments as small as they may be, so that a few entries fill several.
let smallOptions = LogOptions(segmentBytes: 512, stepBytes: 200)

func openStore(
    _ disk: MemoryDisk, options: LogOptions = smallOptions, notice: (String) -> Void = { _ in }
) throws(WALError) -> (store: LogStore, restored: PersistedState) {
    try LogStore.open(disk: disk, identity: identity, newFolderID: 0xF01D, options: options, notice: notice)
}

func entry(_ index: LogIndex, term: Term = 1, bytes: Int = 10) -> Entry {
    Entry(index: index, term: term, payload: (0..<bytes).map { UInt8(truncatingIfNeeded: Int(index) &* 31 &+ $0 &+ 1) })
}

func entries(_ range: ClosedRange<LogIndex>, term: Term = 1, bytes: Int = 10) -> [Entry] {
    range.map { entry($0, term: term, bytes: bytes) }
}

func snapshot(_ index: LogIndex, term: Term = 1, bytes: Int = 50) -> Snapshot {
    Snapshot(
        index: index, term: term, voters: [NodeID(1), NodeID(2), NodeID(3)],
        data: (0..<bytes).map { UInt8(truncatingIfNeeded: Int(index) &* 7 &+ $0) })
}

extension LogStore {
    /// Writes and syncs one batch.
    mutating func commit(
        hardState: HardState? = nil, snapshot: Snapshot? = nil, keeping: Bool = false, entries: [Entry] = []
    ) throws(WALError) {
        try write([
            LogBatch(
                number: 1, snapshot: snapshot, entriesKeptAfterSnapshot: keeping, hardState: hardState, entries: entries
            )
        ])
        try sync()
    }

    /// Does all the work that waits for idleness.
    mutating func settle() throws(WALError) {
        var steps = 0
        while hasHousekeeping {
            try housekeep()
            steps += 1
            precondition(steps < 100_000, "housekeeping never ends")
        }
    }
}

import Raft

/// A disk in memory that obeys the rules of ``Write`` and loses what was not synced.
struct SimulatedDisk {
    private(set) var durable: PersistedState
    private(set) var pending: [Write] = []

    init(_ state: PersistedState = PersistedState()) { durable = state }

    mutating func enqueue(_ write: Write) {
        precondition(write.number > (pending.last?.number ?? 0), "writes are numbered upwards")
        pending.append(write)
    }

    /// Carries out the oldest pending write.
    mutating func completeFirst() -> Write {
        let write = pending.removeFirst()
        durable.apply(write)
        return write
    }

    /// Power fails. The first `parts` parts of what is pending happen to be on the disk already, though nobody was told.
    mutating func crash(parts: Int) {
        var left = parts
        for write in pending {
            guard left > 0 else { break }
            left -= durable.apply(write, parts: left)
        }
        pending = []
    }

    /// How many parts the pending writes have: snapshots, hard states and entries.
    var pendingParts: Int {
        pending.reduce(0) { $0 + $1.parts }
    }

    /// The driver's own snapshot, which keeps the entries after it.
    mutating func save(_ snapshot: Snapshot) {
        durable.snapshot = snapshot
        durable.entries.removeAll { $0.index <= snapshot.index }
    }

    func term(at index: LogIndex) -> Term? {
        if let snapshot = durable.snapshot, snapshot.index == index { return snapshot.term }
        guard let first = durable.entries.first?.index, index >= first, index <= durable.entries.last!.index else {
            return nil
        }
        return durable.entries[Int(index - first)].term
    }
}

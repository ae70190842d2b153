import Raft

/// A disk in memory that obeys the rules of `Write` and loses what was not synced.
struct SimulatedDisk {
    private(set) var durable = PersistedState()
    private var pending: [Write] = []
    /// When the last pending write will be done: writes are carried out one after the other.
    private(set) var busyUntil: Int64 = 0
    private(set) var syncs = 0

    /// Takes a write and tells when it will be durable.
    mutating func enqueue(_ write: Write, at time: Int64, taking duration: Int64) -> Int64 {
        pending.append(write)
        if write.mustSync { syncs += 1 }
        busyUntil = max(busyUntil, time) + (write.mustSync ? duration : 0)
        return busyUntil
    }

    /// The oldest pending write is durable.
    mutating func complete(_ number: UInt64) {
        precondition(pending.first?.number == number, "write \(number) is done out of turn")
        apply(pending.removeFirst(), parts: .max)
    }

    /// The node's own snapshot, which keeps the entries after it.
    mutating func save(_ snapshot: Snapshot) {
        guard snapshot.index > durable.snapshot?.index ?? 0 else { return }  // one from the leader was faster
        durable.snapshot = snapshot
        durable.entries.removeAll { $0.index <= snapshot.index }
    }

    /// The process dies. The first `parts` parts of what is pending happen to be on the disk already, though nobody was told.
    mutating func crash(parts: Int) {
        var left = parts
        for write in pending where left > 0 { left -= apply(write, parts: left) }
        pending = []
        busyUntil = 0
    }

    @discardableResult
    private mutating func apply(_ write: Write, parts: Int) -> Int {
        var done = 0
        if let snapshot = write.snapshot, done < parts {
            durable.snapshot = snapshot
            durable.entries = []
            done += 1
        }
        if let hardState = write.hardState, done < parts {
            durable.hardState = hardState
            done += 1
        }
        for entry in write.entries where done < parts {
            if let last = durable.entries.last, entry.index <= last.index {
                durable.entries.removeAll { $0.index >= entry.index }
            }
            let previous = durable.entries.last?.index ?? durable.snapshot?.index ?? 0
            precondition(entry.index == previous + 1, "entry \(entry.index) would leave a gap after \(previous)")
            durable.entries.append(entry)
            done += 1
        }
        return done
    }
}

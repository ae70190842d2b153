package import Raft

/// A disk in memory that obeys the rules of `Write` and loses what was not synced.
package struct SimulatedDisk {
    package private(set) var durable = PersistedState()
    private var pending: [Write] = []
    /// When the last pending write will be done: writes are carried out one after the other.
    private(set) var busyUntil: Int64 = 0
    private(set) var syncs = 0

    /// Whether a write is under way.
    package var isBusy: Bool { !pending.isEmpty }

    /// Takes a write and tells when it will be durable.
    mutating func enqueue(_ write: Write, at time: Int64, taking duration: Int64) -> Int64 {
        pending.append(write)
        if write.mustSync { syncs += 1 }
        busyUntil = max(busyUntil, time) + (write.mustSync ? duration : 0)
        return busyUntil
    }

    /// Everything up to this write is durable. The news of an earlier one may come later: a process that was paused hears all of them
    /// at once.
    mutating func complete(_ number: UInt64) {
        while let first = pending.first, first.number <= number { apply(pending.removeFirst(), parts: .max) }
    }

    /// The node's own snapshot, which keeps the entries after it.
    mutating func save(_ snapshot: Snapshot) {
        guard snapshot.index > durable.snapshot?.index ?? 0 else { return }  // one from the leader was faster
        durable.snapshot = snapshot
        durable.entries.removeAll { $0.index <= snapshot.index }
    }

    /// The process dies. The first `parts` parts of what is pending happen to be on the disk already, though nobody was told.
    /// Returns whether a write was torn: some of its parts are there and others are not.
    @discardableResult
    mutating func crash(parts: Int) -> Bool {
        var left = parts
        var isTorn = false
        for write in pending where left > 0 {
            let done = apply(write, parts: left)
            let all = (write.snapshot == nil ? 0 : 1) + (write.hardState == nil ? 0 : 1) + write.entries.count
            isTorn = isTorn || done > 0 && done < all
            left -= done
        }
        pending = []
        busyUntil = 0
        return isTorn
    }

    /// The term of the entry at `index`, if it is durable here and not in the snapshot.
    package func term(at index: UInt64) -> UInt64? {
        guard let first = durable.entries.first?.index, index >= first, index - first < UInt64(durable.entries.count)
        else { return nil }
        return durable.entries[Int(index - first)].term
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

package import Raft
import WriteAheadLog

/// A machine's disk: what of a node's log outlives its process.
///
/// It is kept as a model, which obeys the rules of `Write` and loses what was not synced; and in some runs as files, too, which the
/// production log writes and recovers: then every start must find at least what the model holds.
package struct SimulatedDisk {
    /// How a process ends, as far as its disk can tell.
    package enum Death {
        /// The first so many parts of what is pending happen to be there, though nobody was told.
        case parts(Int)
        /// Only the process died; what it had begun to write is there.
        case processOnly
    }

    package private(set) var durable = PersistedState()
    private var pending: [Write] = []
    /// When the last pending write will be done.
    private(set) var busyUntil: Int64 = 0
    /// When the sync ends that is under way: what comes before then shares the next one, as in the log's group commit.
    private var syncEnd: Int64 = 0
    private(set) var syncs = 0

    /// The folder, if this run keeps one, and the log in it while a process has it open.
    private(set) var files: SimulatedFiles?
    private var log: LogStore?
    /// Nothing more fits.
    private(set) var isFull = false
    /// Syncs lied: what is there after a loss of power proves nothing.
    private(set) var hasLied = false

    /// Small, so that the log goes on to new segments in a short run; large enough for the largest batch of bounds.
    private static let segmentBytes = 256 << 10

    init(inFiles: Bool) {
        if inFiles { files = SimulatedFiles() }
    }

    /// Whether a write is under way.
    package var isBusy: Bool { !pending.isEmpty }

    // MARK: The process

    /// What a new process finds.
    ///
    /// - Throws: `WALError.corrupted` if the log refuses to start.
    mutating func open(node: Int, folder: UInt64) throws(WALError) -> PersistedState {
        guard let files else { return durable }
        let identity = DataIdentity(node: UInt32(node + 1), cluster: "simulated")
        let (store, restored) = try LogStore.open(
            disk: files, identity: identity, newFolderID: folder,
            options: LogOptions(segmentBytes: SimulatedDisk.segmentBytes))
        log = store
        let loss = hasLied ? nil : SimulatedDisk.loss(of: durable, replacedFrom: replacedFrom, in: restored)
        durable = restored
        replacedFrom = nil
        if let loss { losses.append(loss) }
        return restored
    }

    /// Where the writes that were under way at the last crash began to replace entries; they may be of any term that the new leader had
    /// entries of.
    private var replacedFrom: UInt64?

    /// What the log has lost although it had been synced, in words.
    private(set) var losses: [String] = []

    /// Takes a write and tells when it will be durable.
    mutating func enqueue(_ write: Write, at time: Int64, taking duration: Int64) -> Int64 {
        pending.append(write)
        guard write.mustSync else { return max(busyUntil, time) }
        if time >= busyUntil {
            syncEnd = time + duration
            busyUntil = syncEnd
        } else if time >= syncEnd {
            // What waited together is being synced now.
            syncEnd = busyUntil
            busyUntil += duration
        } else if busyUntil == syncEnd {
            busyUntil += duration
        } else {
            return busyUntil
        }
        syncs += 1
        return busyUntil
    }

    /// Everything up to this write is durable. The news of an earlier one may come later: a process that was paused hears all of them
    /// at once. False if the disk refused: then the process has to end.
    mutating func complete(_ number: UInt64) -> Bool {
        while let first = pending.first, first.number <= number {
            guard !isFull || files != nil else { return false }
            if log != nil {
                do throws(WALError) {
                    try log!.write([LogBatch(first)])
                    if first.mustSync { try log!.sync() }
                    try log!.housekeep()
                } catch {
                    return false
                }
            }
            pending.removeFirst()
            durable.apply(first)
        }
        return true
    }

    /// The node's own snapshot, which keeps the entries after it.
    mutating func save(_ snapshot: Snapshot) -> Bool {
        guard snapshot.index > durable.snapshot?.index ?? 0 else { return true }  // one from the leader was faster
        if log != nil {
            do throws(WALError) {
                try log!.save(snapshot)
                while log!.isHousekeepingUrgent { try log!.housekeep() }
            } catch {
                return false
            }
        }
        durable.snapshot = snapshot
        durable.entries.removeAll { $0.index <= snapshot.index }
        return true
    }

    /// The process dies. Returns whether a write was torn: some of its parts are there and others are not.
    @discardableResult
    mutating func crash(_ death: Death, survives: () -> Bool) -> Bool {
        replacedFrom = pending.compactMap { $0.entries.first?.index }.min()
        defer {
            pending = []
            busyUntil = 0
            syncEnd = 0
            log = nil
        }
        if let files {
            // The log's thread had begun with the first of them; what it wrote may be there in any part.
            var begun = 0
            if case .parts(let parts) = death { begun = min(parts, pending.count) } else { begun = pending.count }
            for write in pending.prefix(begun) { try? log?.write([LogBatch(write)]) }
            switch death {
            case .processOnly: files.survive()
            case .parts: files.losePower(survives)
            }
            return begun > 0
        }
        guard case .parts(let parts) = death else {
            for write in pending { durable.apply(write) }
            return false
        }
        var left = parts
        var isTorn = false
        for write in pending where left > 0 {
            let done = durable.apply(write, parts: left)
            isTorn = isTorn || done > 0 && done < write.parts
            left -= done
        }
        return isTorn
    }

    // MARK: What may happen to it

    /// Until it is told otherwise nothing more fits.
    mutating func setFull(_ isFull: Bool) {
        self.isFull = isFull
        files?.isFull = isFull
    }

    /// From now on syncs do nothing. Outside the promise.
    mutating func lie() {
        hasLied = true
        files?.liesAboutSyncs = true
    }

    /// The next write of a record goes to another place; only where there are files.
    func misdirectNextWrite() { files?.misdirectsNextWrite = true }

    /// One bit turns over; only where there are files.
    func rot(below: (Int) -> Int) { files?.rot(below: below) }

    /// A new, empty disk.
    mutating func wipe() { self = SimulatedDisk(inFiles: files != nil) }

    /// The disk as it is now, to be put back later. Of a process that is up, only what is durable.
    func image() -> SimulatedDisk {
        var copy = self
        copy.pending = []
        copy.busyUntil = 0
        copy.syncEnd = 0
        copy.log = nil
        copy.files = files?.copy()
        copy.files?.losePower { false }
        return copy
    }

    // MARK: The model

    /// The term of the entry at `index`, if it is durable here and not in the snapshot.
    package func term(at index: UInt64) -> UInt64? {
        guard let first = durable.entries.first?.index, index >= first, index - first < UInt64(durable.entries.count)
        else { return nil }
        return durable.entries[Int(index - first)].term
    }

    /// Where the log on it ends.
    package var lastIndex: UInt64 { durable.entries.last?.index ?? durable.snapshot?.index ?? 0 }

    /// What of the `known` state, which had been synced, is not in a recovered one. A write that was under way may have moved the term,
    /// or replaced entries at the end.
    private static func loss(of known: PersistedState, replacedFrom: UInt64?, in found: PersistedState) -> String? {
        if found.hardState.term < known.hardState.term
            || found.hardState.term == known.hardState.term && known.hardState.vote != nil
                && found.hardState.vote != known.hardState.vote
        {
            return "term \(known.hardState.term) and its vote; found is \(found.hardState.term)"
        }
        let base = found.snapshot?.index ?? 0
        for entry in known.entries where entry.index > base && entry.index < replacedFrom ?? .max {
            let place = Int(entry.index) - Int(found.entries.first?.index ?? 0)
            guard found.entries.indices.contains(place), found.entries[place] == entry else {
                return "entry \(entry.index) of term \(entry.term)"
            }
        }
        if let snapshot = known.snapshot, snapshot.index > base,
            (found.entries.last?.index ?? base) < snapshot.index
        {
            return "the snapshot of entry \(snapshot.index)"
        }
        return nil
    }
}

extension LogBatch {
    fileprivate init(_ write: Write) {
        self.init(
            number: write.number, snapshot: write.snapshot, entriesKeptAfterSnapshot: write.entriesKeptAfterSnapshot,
            hardState: write.hardState, entries: write.entries, mustSync: write.mustSync)
    }
}

/// The log in memory: the entries after `baseIndex`, and the snapshot that stands for what is before them.
///
/// `baseIndex` may lie before the snapshot's index: a compaction may retain some of the entries it covers, so that a
/// follower which is only a little behind does not need the whole snapshot.
package struct RaftLog: Sendable {
    /// The entry just before the first one held here; (0, 0) at the start of time.
    package private(set) var baseIndex: LogIndex
    private var baseTerm: Term
    private var entries: [Entry]
    package private(set) var snapshot: Snapshot?
    package private(set) var snapshotChecksum: UInt64

    package init(snapshot: Snapshot?, entries: [Entry]) {
        baseIndex = snapshot?.index ?? 0
        baseTerm = snapshot?.term ?? 0
        self.snapshot = snapshot
        snapshotChecksum = snapshot?.checksum ?? 0
        self.entries = []
        append(entries)
    }

    package var firstIndex: LogIndex { baseIndex + 1 }
    package var lastIndex: LogIndex { baseIndex + UInt64(entries.count) }
    package var lastTerm: Term { entries.last?.term ?? baseTerm }
    package var snapshotIndex: LogIndex { snapshot?.index ?? 0 }

    /// The term of the entry at `index`, or nil if it was compacted or is not there yet.
    package func term(at index: LogIndex) -> Term? {
        if index == baseIndex { return baseTerm }
        guard index > baseIndex, index <= lastIndex else { return nil }
        return entries[position(of: index)].term
    }

    /// The entries in `range`, all of which must be held.
    package func entries(_ range: ClosedRange<LogIndex>) -> ArraySlice<Entry> {
        precondition(
            range.lowerBound > baseIndex && range.upperBound <= lastIndex,
            "entries \(range) asked of a log that holds \(firstIndex) to \(lastIndex)")
        return entries[position(of: range.lowerBound)...position(of: range.upperBound)]
    }

    /// As many entries from `index` on as weigh at most `bytes` together; at least one if `atLeastOne` says so and
    /// there is one.
    package func entries(from index: LogIndex, bytes: Int, atLeastOne: Bool) -> ArraySlice<Entry> {
        let start = position(of: index)
        var end = start
        var weight = 0
        while end < entries.count {
            weight += entries[end].weight
            guard weight <= bytes || (atLeastOne && end == start) else { break }
            end += 1
        }
        return entries[start..<end]
    }

    /// What the entries of `range` weigh together.
    package func weight(of range: ClosedRange<LogIndex>) -> Int {
        entries(range).reduce(0) { $0 + $1.weight }
    }

    /// Linear in the new entries only.
    package mutating func append(_ new: some Collection<Entry>) {
        for entry in new {
            precondition(entry.index == lastIndex + 1, "entry \(entry.index) cannot follow entry \(lastIndex)")
            precondition(entry.term >= lastTerm, "terms never fall along a log: entry \(entry.index)")
            entries.append(entry)
        }
    }

    /// Drops the entries from `index` on.
    package mutating func truncate(from index: LogIndex) {
        entries.removeSubrange(position(of: index)...)
    }

    /// The last index at or before `index` whose entry's term is at most `term`: by asking each other this question,
    /// leader and follower skip whole terms (etcd-io/raft's `findConflictByTerm`; section 5.3 of the paper, end).
    ///
    /// Nil if the answer lies before what is held. Linear in the entries skipped.
    package func lastIndex(notAfter index: LogIndex, termAtMost term: Term) -> LogIndex? {
        var candidate = min(index, lastIndex)
        while candidate > baseIndex, entries[position(of: candidate)].term > term { candidate -= 1 }
        if candidate > baseIndex { return candidate }
        return candidate == baseIndex && baseTerm <= term ? candidate : nil
    }

    /// Makes `snapshot`, taken of the own state machine, the one to send, and forgets the entries that it covers except
    /// the last ones, which weigh at most `retainedBytes`. Linear in the entries that stay.
    package mutating func compact(to snapshot: Snapshot, retainedBytes: Int) {
        var retained = 0
        var base = snapshot.index
        while base > baseIndex {
            retained += entries[position(of: base)].weight
            guard retained <= retainedBytes else { break }
            base -= 1
        }
        guard let term = term(at: base) else { preconditionFailure("entry \(base) is not in the log") }
        entries.removeFirst(Int(base - baseIndex))
        baseIndex = base
        baseTerm = term
        adopt(snapshot)
    }

    /// Replaces everything by a received snapshot.
    package mutating func replace(by snapshot: Snapshot) {
        entries = []
        baseIndex = snapshot.index
        baseTerm = snapshot.term
        adopt(snapshot)
    }

    private mutating func adopt(_ snapshot: Snapshot) {
        self.snapshot = snapshot
        snapshotChecksum = snapshot.checksum
    }

    private func position(of index: LogIndex) -> Int { Int(index - baseIndex) - 1 }
}

/// One entry of the replicated log.
public struct Entry: Equatable, Sendable {
    /// What an entry is to Raft itself. Raw values are the on-disk and on-wire encoding.
    public enum Kind: UInt8, Sendable {
        /// A command for the state machine.
        case command = 0
        /// The empty entry that a new leader appends to commit what earlier terms left (section 8 of the paper).
        case noop = 1
    }

    public var index: LogIndex
    public var term: Term
    public var kind: Kind
    public var payload: [UInt8]

    public init(index: LogIndex, term: Term, kind: Kind = .command, payload: [UInt8]) {
        self.index = index
        self.term = term
        self.kind = kind
        self.payload = payload
    }

    /// What an entry counts against every limit in bytes: its payload and a flat charge for the rest, so that empty
    /// entries are not free.
    public var weight: Int { payload.count + Entry.overhead }

    /// The flat charge, in bytes; about what an entry costs on the wire and on the disk beside its payload.
    public static let overhead = 32
}

/// What must reach the disk before a node may answer for it (figure 2: "persistent state"), plus the commit index,
/// which is only a hint that saves work after a restart.
public struct HardState: Equatable, Sendable {
    public var term: Term
    public var vote: NodeID?
    public var commit: LogIndex

    public init(term: Term = 0, vote: NodeID? = nil, commit: LogIndex = 0) {
        self.term = term
        self.vote = vote
        self.commit = commit
    }
}

/// The state machine's state after the entry `index`, which replaces the log up to there (section 7).
public struct Snapshot: Equatable, Sendable {
    public var index: LogIndex
    public var term: Term
    public var voters: [NodeID]
    public var data: [UInt8]

    public init(index: LogIndex, term: Term, voters: [NodeID], data: [UInt8]) {
        self.index = index
        self.term = term
        self.voters = voters
        self.data = data
    }
}

/// Everything a restarted process reads back from its disk.
public struct PersistedState: Equatable, Sendable {
    public var hardState: HardState
    public var snapshot: Snapshot?
    /// The entries after the snapshot, without gaps.
    public var entries: [Entry]

    public init(hardState: HardState = HardState(), snapshot: Snapshot? = nil, entries: [Entry] = []) {
        self.hardState = hardState
        self.snapshot = snapshot
        self.entries = entries
    }
}

extension PersistedState {
    /// What a disk holds once the first `parts` parts of a write are on it: its snapshot, its hard state, and each entry are one. For
    /// disks in memory; returns how many parts there were.
    @discardableResult
    package mutating func apply(_ write: Write, parts: Int = .max) -> Int {
        var done = 0
        if let snapshot = write.snapshot, done < parts {
            self.snapshot = snapshot
            entries = []
            done += 1
        }
        if let hardState = write.hardState, done < parts {
            self.hardState = hardState
            done += 1
        }
        for entry in write.entries where done < parts {
            if let last = entries.last, entry.index <= last.index { entries.removeAll { $0.index >= entry.index } }
            let previous = entries.last?.index ?? snapshot?.index ?? 0
            precondition(entry.index == previous + 1, "entry \(entry.index) would leave a gap after \(previous)")
            entries.append(entry)
            done += 1
        }
        return done
    }
}

extension Write {
    /// How many parts a crash can tear it into.
    package var parts: Int { (snapshot == nil ? 0 : 1) + (hardState == nil ? 0 : 1) + entries.count }
}

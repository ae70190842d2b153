/// What one batch of events made necessary; the driver carries it out (thesis 10.2, etcd-io/raft's `Ready`).
///
/// Messages in ``messages`` may leave at once. What ``write`` holds must be durable before its
/// ``Write/messagesAfterSync`` leave and before ``RaftNode/written(_:)`` is called.
public struct Ready: Equatable, Sendable {
    /// May be sent now, in this order.
    public var messages: [Message]
    /// What to make durable, if anything. Writes are numbered and must be carried out in order.
    public var write: Write?
    /// A snapshot received from the leader that the state machine must adopt before it applies ``committed``. It comes
    /// only when its write is durable.
    public var snapshot: Snapshot?
    /// Newly committed entries to apply, in order; each once, and only when this node's own copy is durable.
    public var committed: [Entry]

    public init(messages: [Message] = [], write: Write? = nil, snapshot: Snapshot? = nil, committed: [Entry] = []) {
        self.messages = messages
        self.write = write
        self.snapshot = snapshot
        self.committed = committed
    }
}

/// One write to the log. The parts are to be written in the order: snapshot, hard state, entries.
public struct Write: Equatable, Sendable {
    /// Counts up from 1 in the life of a `RaftNode`.
    public var number: UInt64
    /// A received snapshot: it replaces the log up to its index (and all of the log, unless the log holds an entry of the
    /// same index and term, as `entriesKeptAfterSnapshot` says).
    public var snapshot: Snapshot?
    /// Whether log entries after the snapshot's index survive it. False in every write of a `RaftNode`: a log that agrees
    /// with a received snapshot needs none of it. A driver that persists what ``RaftNode/compact(through:state:)`` returned
    /// keeps them.
    public var entriesKeptAfterSnapshot: Bool
    /// Present when term, vote or commit changed. The commit index is only a hint: it lags, and moves only with writes that
    /// are made for another reason.
    public var hardState: HardState?
    /// Entries to append. The first one's index may lie within the log: everything from there on is replaced.
    public var entries: [Entry]
    /// False if nothing in it has to be durable: it needs no sync of its own, but is done only when those before it are.
    public var mustSync: Bool
    /// To be sent only once this write and all before it are durable.
    public var messagesAfterSync: [Message]

    public init(
        number: UInt64, snapshot: Snapshot? = nil, entriesKeptAfterSnapshot: Bool = false, hardState: HardState? = nil,
        entries: [Entry] = [], mustSync: Bool = true, messagesAfterSync: [Message] = []
    ) {
        self.number = number
        self.snapshot = snapshot
        self.entriesKeptAfterSnapshot = entriesKeptAfterSnapshot
        self.hardState = hardState
        self.entries = entries
        self.mustSync = mustSync
        self.messagesAfterSync = messagesAfterSync
    }
}

/// What a leader knows about one voter.
struct Progress: Sendable {
    enum State: Sendable {
        /// Where the logs part is unknown: one append at a time. `awaiting` until it is answered, or until a heartbeat's
        /// answer shows that the follower is there and the append was lost.
        case probe(awaiting: Bool)
        /// The logs agree: appends follow each other without waiting.
        case replicate
        /// What the follower needs next was compacted away.
        case snapshot(SnapshotTransfer)
    }

    /// The follower's durable log equals the leader's up to here.
    var match: LogIndex = 0
    /// The first entry to send next; always above `match`.
    var next: LogIndex
    var state: State = .probe(awaiting: false)
    var inflights: Inflights
    /// The tick of the last message of this term from it.
    var lastContact: UInt64
    /// The commit index that the last append carried.
    var commitSent: LogIndex = 0
    /// `match` when the last heartbeat was answered: if it has not moved since, an append may have been lost.
    var matchAtHeartbeat: LogIndex = 0
    /// The newest heartbeat that it answered.
    var heartbeatAnswered: UInt64 = 0
    /// The newest ``RaftNode/heartbeatContext`` from it, until it is taken.
    var context: [UInt8]?

    mutating func probe(from next: LogIndex) {
        self.next = max(next, match + 1)
        state = .probe(awaiting: false)
        inflights.removeAll()
    }

    mutating func replicate() {
        next = match + 1
        state = .replicate
        inflights.removeAll()
    }

    mutating func send(_ snapshot: Snapshot, checksum: UInt64) {
        state = .snapshot(SnapshotTransfer(snapshot: snapshot, checksum: checksum))
        inflights.removeAll()
    }
}

/// What a node is doing in its term.
public enum Role: Equatable, Sendable {
    case follower
    /// Asks whether it could win a campaign (thesis 9.6).
    case preCandidate
    case candidate
    case leader
}

/// A node's view of itself and, if it leads, of the others; for operators and tests.
public struct Status: Equatable, Sendable {
    public var id: NodeID
    public var role: Role
    public var term: Term
    public var leader: NodeID?
    public var firstIndex: LogIndex
    public var lastIndex: LogIndex
    public var commitIndex: LogIndex
    public var appliedIndex: LogIndex
    public var durableIndex: LogIndex
    public var snapshotIndex: LogIndex
    /// Ticks since the node started.
    public var ticks: UInt64
    /// The other voters in ascending order; empty unless this node leads.
    public var peers: [PeerStatus]
}

/// A leader's view of one follower.
public struct PeerStatus: Equatable, Sendable {
    public enum State: Equatable, Sendable {
        /// Looking for where the logs agree.
        case probe
        /// Up to date, or on the way there by appends.
        case replicate
        /// Being sent a snapshot.
        case snapshot
    }

    public var id: NodeID
    /// Its durable log equals the leader's up to here.
    public var match: LogIndex
    /// The first entry that was not sent yet.
    public var next: LogIndex
    public var state: State
    /// Whether it was heard from within the last `electionTicks`.
    public var recentlyActive: Bool
}

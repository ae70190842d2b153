public import Coordination
public import LimiterCore
public import Raft

/// What one node says to another.
public enum PeerMessage: Equatable, Sendable {
    case raft(Message)
    case coordination(CoordinationMessage)
}

/// Something an operator would like to read in the log.
public enum NodeEvent: Equatable, Sendable {
    case roleChanged(Role, term: Term)
    /// nil: nobody leads, as far as this node knows.
    case leaderChanged(NodeID?, term: Term)
    case formed(cluster: UInt64)
    case rulesChanged(count: Int, index: LogIndex)
    /// This node took over these ranges.
    case tookOver([RangeID])
    /// This node owns these ranges no more.
    case lost([RangeID])
    /// The leader (this node) asked for these moves.
    case assigning([Assignment])
    case compacted(LogIndex, bytes: Int)
    case adoptedSnapshot(LogIndex)
    /// A committed entry could not be read: this version is older than the cluster's data.
    case unreadable(String)
}

/// What became of a change that this process proposed.
public struct Completion: Equatable, Sendable {
    public enum Result: Equatable, Sendable {
        /// Committed and applied, at this index.
        case applied(LogIndex)
        /// Committed, and refused for this reason: nothing changed.
        case refused(String)
        /// Not proposed: there is no leader, or too much is under way. Try again.
        case notProposed(String)
        /// No word in time: it may or may not come into force.
        case unknown
    }

    public var number: UInt64
    public var result: Result
}

/// A message on its way to a peer.
public struct Outgoing: Equatable, Sendable {
    public var to: NodeID
    public var message: PeerMessage

    init(_ message: PeerMessage, to: NodeID) {
        self.message = message
        self.to = to
    }
}

/// What one batch of events made necessary; the driver carries it out in the order of these fields.
public struct Outputs: Sendable {
    /// To be made durable in this order. When a write is, call ``NodeRuntime/written(_:now:)``.
    public var writes: [Write] = []
    /// A snapshot of this node's own to be saved whenever it suits.
    public var snapshot: Snapshot?
    /// To be sent now, in this order.
    public var messages: [Outgoing] = []
    /// Decisions for the front doors.
    public var settled: [Holder.Settled] = []
    /// Rules in force from now on.
    public var directory: RuleDirectory?
    public var completions: [Completion] = []
    public var events: [NodeEvent] = []
    /// Admissions by this owner, if it is traced.
    public var admissions: [Owner.Admission] = []
    /// What this node lent as an owner; empty unless it traces.
    package var loans: [Owner.Loan] = []
    /// To be sent now to embedded clients, in this order, where they are still connected.
    public var clientMessages: [(to: ClientID, message: ClientMessage)] = []
    /// To be sent now to all connected clients: the rules have changed.
    public var clientRules: [ClientRules] = []
    /// All connected clients should be told to go elsewhere.
    public var sendsGoodbye = false
    /// Admissions from this node's allowances on behalf of clients, if it is traced.
    public var clientAdmissions: [Lender.Admission] = []

    public init() {}

    /// Empties it; its arrays keep their room for the next batch.
    mutating func removeAll() {
        writes.clear()
        snapshot = nil
        messages.clear()
        settled.clear()
        directory = nil
        completions.clear()
        events.clear()
        admissions.clear()
        loans.clear()
        clientMessages.clear()
        clientRules.clear()
        sendsGoodbye = false
        clientAdmissions.clear()
    }
}

extension Array {
    /// Most batches leave most arrays empty: then nothing is touched.
    fileprivate mutating func clear() { if !isEmpty { removeAll(keepingCapacity: true) } }
}

/// What nodes say to each other.
///
/// ``term`` is always the sender's own current term, also in a pre-vote request (which asks about `term + 1`) and in
/// every refusal, so that whoever is behind learns it.
public struct Message: Equatable, Sendable {
    public var from: NodeID
    public var to: NodeID
    public var term: Term
    public var body: Body

    public init(from: NodeID, to: NodeID, term: Term, body: Body) {
        self.from = from
        self.to = to
        self.term = term
        self.body = body
    }

    public enum Body: Equatable, Sendable {
        /// "Would you vote for me in `term + 1`?" (thesis 9.6). `round` tells the answers of one attempt from those of
        /// an earlier attempt in the same term.
        case preVote(lastIndex: LogIndex, lastTerm: Term, round: UInt64)
        case preVoteResponse(granted: Bool, round: UInt64)
        /// RequestVote (paper, figure 2).
        case vote(lastIndex: LogIndex, lastTerm: Term)
        case voteResponse(granted: Bool)
        /// AppendEntries (paper, figure 2). Without entries it probes, or tells a new commit index.
        case append(previousIndex: LogIndex, previousTerm: Term, commit: LogIndex, entries: [Entry])
        /// "My durable log equals yours up to and including `match`."
        case appendResponse(match: LogIndex)
        /// "I have no entry (`previousIndex`, your term)": the hint is this node's last entry, at or before
        /// `previousIndex`, whose term is not above the refused one.
        case appendRejection(previousIndex: LogIndex, hintIndex: LogIndex, hintTerm: Term)
        /// `commit` is never beyond what the receiver acknowledged. `sequence` is the leader's tick count.
        case heartbeat(commit: LogIndex, sequence: UInt64)
        /// Echoes the sequence; `context` is the sender's ``RaftNode/heartbeatContext``.
        case heartbeatResponse(sequence: UInt64, context: [UInt8])
        /// "Count on nothing of mine after `match`": answers a heartbeat whose commit index is beyond what this node knows to be equal
        /// to the leader's log, because it was started anew since it acknowledged more, perhaps from another disk.
        case unmatched(match: LogIndex)
        case snapshotChunk(SnapshotChunk)
        /// Answers the chunk at `offset` of the snapshot (`index`, `snapshotTerm`): the bytes before `received` are here.
        case snapshotResponse(index: LogIndex, snapshotTerm: Term, offset: UInt64, received: UInt64)
        /// "Your term is over": answers a leader, or one who thinks so, of an older term.
        case staleTerm
        /// A proposal, on its way to the leader.
        case forward(payload: [UInt8])
    }
}

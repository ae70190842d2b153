/// What became of a proposal at once. None of the answers means that it was committed: that shows when the entry comes
/// out of ``Ready/committed``. A proposal may be lost, and one that was forwarded may be committed twice if the network
/// duplicates messages, so the state machine has to recognise repetitions.
public enum ProposalOutcome: Equatable, Sendable {
    public enum Refusal: Equatable, Sendable {
        /// No leader is known; try again after an election.
        case noLeader
        /// Too many bytes are waiting to be committed (``RaftNode/Configuration/maxUncommittedBytes``); try again later.
        case tooManyUncommittedBytes
        /// The payload is larger than ``RaftNode/Configuration/maxProposalBytes``; never try again.
        case tooLarge
    }

    /// This node leads, and the proposal has this place in its log. If another entry is committed there, it was lost.
    case appended(index: LogIndex, term: Term)
    /// On its way to the leader, which may still drop it without an answer.
    case forwarded(to: NodeID)
    case refused(Refusal)
}

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
        case snapshotChunk(SnapshotChunk)
        /// Answers the chunk at `offset` of the snapshot (`index`, `snapshotTerm`): the bytes before `received` are here.
        case snapshotResponse(index: LogIndex, snapshotTerm: Term, offset: UInt64, received: UInt64)
        /// "Your term is over": answers a leader, or one who thinks so, of an older term.
        case staleTerm
        /// A proposal, on its way to the leader.
        case forward(payload: [UInt8])
    }
}

/// A piece of a snapshot (section 7, figure 13).
public struct SnapshotChunk: Equatable, Sendable {
    /// The snapshot's last included index and term.
    public var index: LogIndex
    public var term: Term
    public var voters: [NodeID]
    /// The size of the whole, in bytes.
    public var totalBytes: UInt64
    /// ``Snapshot/checksum`` of the whole. With it, pieces from different leaders fit together or are told apart.
    public var checksum: UInt64
    public var offset: UInt64
    public var bytes: [UInt8]

    public init(
        index: LogIndex, term: Term, voters: [NodeID], totalBytes: UInt64, checksum: UInt64, offset: UInt64,
        bytes: [UInt8]
    ) {
        self.index = index
        self.term = term
        self.voters = voters
        self.totalBytes = totalBytes
        self.checksum = checksum
        self.offset = offset
        self.bytes = bytes
    }
}

extension Snapshot {
    /// A 64-bit digest of `data`, linear in its size. It finds mixed-up pieces, not attackers.
    public var checksum: UInt64 {
        var hash = UInt64(data.count) &* 0x9E37_79B9_7F4A_7C15
        data.withUnsafeBytes { bytes in
            var offset = 0
            while offset + 8 <= bytes.count {
                let word = UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: offset, as: UInt64.self))
                hash = (hash ^ word) &* 0xBF58_476D_1CE4_E5B9
                hash ^= hash >> 29
                offset += 8
            }
            while offset < bytes.count {
                hash = (hash ^ UInt64(bytes[offset])) &* 0x94D0_49BB_1331_11EB
                hash ^= hash >> 31
                offset += 1
            }
        }
        return hash
    }
}

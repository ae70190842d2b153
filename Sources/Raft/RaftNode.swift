/// One node's part in the Raft consensus algorithm (Ongaro and Ousterhout, "In search of an understandable consensus
/// algorithm", 2014, called "the paper"; Ongaro's dissertation of the same year, "the thesis"), as a value without
/// clock, network, disk or chance.
///
/// The driver feeds it events (``tick()``, ``step(_:)``, ``propose(_:)``, ``written(_:)``) and carries out what
/// ``takeReady()`` returns. Two nodes with the same history are equal in all they say.
///
/// What is done beyond the paper's figure 2, and where it differs:
/// - PreVote and CheckQuorum (thesis 9.6, 6.2) are on unless switched off.
/// - Appends leave before the leader's own write is durable (thesis 10.2.1); its own copy counts towards a commit only
///   after ``written(_:)``, and so does its own vote.
/// - Requests for votes wait for the candidate's own vote *and log* to be durable. Otherwise a candidate could crash,
///   campaign again in the same term with a shorter log, and be elected by late answers to the longer one.
/// - A committed entry is handed out once this node's own copy is durable. It could be earlier, but so whatever was
///   applied is on the own disk, a state machine never runs ahead of its log, and a snapshot needs no care.
public struct RaftNode: Sendable {
    public let id: NodeID
    public let configuration: Configuration
    /// The members of the cluster that vote, in ascending order.
    public internal(set) var voters: [NodeID]

    // The persistent state of figure 2.
    public internal(set) var term: Term
    var vote: NodeID?
    var log: RaftLog
    var durability: Durability

    // The volatile state of figure 2.
    public internal(set) var role = Role.follower
    /// The leader of the current term, if this node has heard of it.
    public internal(set) var leader: NodeID?
    public internal(set) var commitIndex: LogIndex
    /// The last entry that was handed out by ``takeReady()`` (or is covered by a snapshot that was).
    public internal(set) var appliedIndex: LogIndex

    // Time, counted in ticks. Deadlines are absolute, so that a tick costs a comparison and the nodes of a process do not
    // fall into step.
    var now: UInt64 = 0
    var lastLeaderContact: UInt64 = 0
    var electionTimeout: UInt64 = 0
    var electionDeadline: UInt64 = 0
    var heartbeatDeadline: UInt64 = 0
    var quorumDeadline: UInt64 = 0
    var generator: SplitMix64

    // A candidate's state: who has answered what, by position in `voters`.
    var answers: [Bool?] = []
    var preVoteRound: UInt64 = 0

    // A leader's state, by position in `voters`. The own place is kept as well, for the arithmetic.
    var progress: [Progress] = []
    var uncommittedBytes = 0
    /// Something may have to be sent to followers. Appends are made only when the driver takes them, so that the proposals
    /// of one batch travel together and a commit index is told once.
    var replicationDue = false

    // A follower's state.
    /// The log was seen to equal that of this term's leader up to here, since this node was started. (What is committed equals it
    /// anyway: Leader Completeness.)
    var matchedIndex: LogIndex = 0
    var incoming: IncomingSnapshot?
    /// The acknowledgement to send to the leader of this term; later ones include earlier ones.
    var pendingAcknowledgement: LogIndex?
    var forwardedBytes = 0

    // What the next Ready brings.
    var outbox: [Message] = []
    var outboxAfterSync: [Message] = []
    var durableSnapshot: Snapshot?

    /// A few bytes that go with every answer to a heartbeat, at most ``maxContextBytes``. Whoever leads finds the newest
    /// from each node in ``takePeerContexts()``.
    public var heartbeatContext: [UInt8] = [] {
        didSet {
            precondition(
                heartbeatContext.count <= Self.maxContextBytes,
                "a heartbeat context has at most \(Self.maxContextBytes) bytes")
        }
    }

    /// The limit of ``heartbeatContext``.
    public static let maxContextBytes = 1024

    /// The largest number of voters.
    public static let maxVoters = 31

    /// Terms, indices and sequence numbers at or above this are refused, so that arithmetic on them cannot overflow. At
    /// a billion a second they would last 146 years.
    static let absurd: UInt64 = 1 << 62

    /// - Parameters:
    ///   - id: this node.
    ///   - voters: the cluster's voters, unless `restored` has a snapshot: that one's win.
    ///   - restored: what the disk holds. The state machine starts at its snapshot; committed entries after it are handed
    ///     out again.
    ///   - seed: decides the election timeouts; should differ between nodes and between starts.
    public init(
        id: NodeID, voters: [NodeID], configuration: Configuration = Configuration(),
        restored: PersistedState = PersistedState(), seed: UInt64
    ) {
        configuration.checkConsistency()
        self.id = id
        self.configuration = configuration
        self.voters = (restored.snapshot?.voters ?? voters).sorted()
        term = restored.hardState.term
        vote = isPlanted(.forgetsVote) ? nil : restored.hardState.vote
        log = RaftLog(snapshot: restored.snapshot, entries: restored.entries)
        // The commit index on the disk is a hint that may be older than the snapshot.
        commitIndex = max(restored.hardState.commit, log.snapshotIndex)
        appliedIndex = log.snapshotIndex
        durability = Durability(
            restored: restored.hardState, lastIndex: log.lastIndex, maxFlights: configuration.maxWritesInFlight)
        generator = SplitMix64(seed: seed)
        precondition(!self.voters.isEmpty && self.voters.count <= Self.maxVoters, "1 to \(Self.maxVoters) voters")
        precondition(Set(self.voters).count == self.voters.count, "no voter may be named twice")
        precondition(log.lastTerm <= term, "the log on the disk has an entry of a later term than the disk's own")
        precondition(commitIndex <= log.lastIndex, "the disk's commit index lies beyond the end of its log")
        drawElectionTimeout()
    }

    // MARK: - Events

    /// One unit of time has passed. Constant cost unless something is due.
    public mutating func tick() {
        now += 1
        if role == .leader {
            if now >= heartbeatDeadline { broadcastHeartbeat() }
            if configuration.checkQuorum, now >= quorumDeadline { checkQuorum() }
        } else if now >= electionDeadline {
            campaign()
        }
    }

    /// A message from another node has arrived.
    ///
    /// Messages may be lost, repeated, delayed and reordered in any way.
    ///
    /// - Throws: if no correct node of this cluster can have sent it.
    public mutating func step(_ message: Message) throws(PeerViolation) {
        try validate(message)
        if message.term > term {
            guard try adoptTerm(of: message) else { return }
        } else if message.term < term {
            guard answerStale(message) else { return }
        }
        switch message.body {
        case .preVote(let lastIndex, let lastTerm, let round):
            handlePreVote(message, last: (lastTerm, lastIndex), round: round)
        case .preVoteResponse(let granted, let round):
            handlePreVoteResponse(message.from, granted: granted, round: round)
        case .vote(let lastIndex, let lastTerm):
            handleVote(message, last: (lastTerm, lastIndex))
        case .voteResponse(let granted):
            handleVoteResponse(message.from, granted: granted)
        case .append(let previousIndex, let previousTerm, let commit, let entries):
            try follow(message.from)
            try handleAppend(after: (previousIndex, previousTerm), commit: commit, entries: entries)
        case .appendResponse(let match):
            try handleAppendResponse(message.from, match: match)
        case .appendRejection(let previousIndex, let hintIndex, let hintTerm):
            handleRejection(message.from, previousIndex: previousIndex, hint: (hintIndex, hintTerm))
        case .heartbeat(let commit, let sequence):
            try follow(message.from)
            try handleHeartbeat(message.from, commit: commit, sequence: sequence)
        case .heartbeatResponse(let sequence, let context):
            try handleHeartbeatResponse(message.from, sequence: sequence, context: context)
        case .unmatched(let match):
            handleUnmatched(message.from, match: match)
        case .snapshotChunk(let chunk):
            try follow(message.from)
            try handleChunk(chunk, from: message.from)
        case .snapshotResponse(let index, let snapshotTerm, let offset, let received):
            try handleSnapshotResponse(
                message.from, index: index, snapshotTerm: snapshotTerm, offset: offset, received: received)
        case .staleTerm:
            break  // Its term was the message, and is not newer than ours any more.
        case .forward(let payload):
            // A forward is never forwarded again, or two nodes with different ideas of the leader could play ping-pong; and
            // it is not answered: the proposer has to try again anyway if it does not see its entry committed.
            if role == .leader { _ = propose(payload) }
        }
    }

    /// The writes up to and including `number` are durable.
    public mutating func written(_ number: UInt64) {
        // A number that was reported before completes nothing more: syncs may finish late or be reported twice.
        durableSnapshot = durability.complete(number) ?? durableSnapshot
        switch role {
        case .leader: acknowledgeOwnLog()
        case .candidate: countOwnVote()
        case .follower, .preCandidate: break
        }
    }

    /// Proposes a command for the log.
    public mutating func propose(_ payload: [UInt8]) -> ProposalOutcome {
        guard payload.count <= configuration.maxProposalBytes else { return .refused(.tooLarge) }
        let weight = payload.count + Entry.overhead
        if role == .leader {
            guard uncommittedBytes + weight <= configuration.maxUncommittedBytes else {
                return .refused(.tooManyUncommittedBytes)
            }
            append(kind: .command, payload: payload)
            return .appended(index: log.lastIndex, term: term)
        }
        guard let leader else { return .refused(.noLeader) }
        guard forwardedBytes + weight <= configuration.maxUncommittedBytes else {
            return .refused(.tooManyUncommittedBytes)
        }
        forwardedBytes += weight
        send(.forward(payload: payload), to: leader)
        return .forwarded(to: leader)
    }

    /// The state machine's `state` after the entry `index` stands for the log up to there from now on.
    ///
    /// The driver persists it (as a ``Snapshot`` of the entry's term and ``voters``) and drops what it covers from the
    /// disk whenever it likes. Linear in the size of `state` and in the number of entries kept.
    ///
    /// - Parameter index: at most ``appliedIndex``.
    /// - Returns: the snapshot to persist, or nil if a newer one is there already.
    @discardableResult
    public mutating func compact(through index: LogIndex, state: [UInt8]) -> Snapshot? {
        precondition(index <= appliedIndex, "only applied entries can be compacted, \(index) is not yet")
        // A snapshot may have arrived from the leader while the state machine wrote this one.
        guard index > log.snapshotIndex, let term = log.term(at: index) else { return nil }
        let snapshot = Snapshot(index: index, term: term, voters: voters, data: state)
        log.compact(to: snapshot, retainedBytes: configuration.maxRetainedBytes)
        return snapshot
    }

    /// The transport believes that what was last sent to `peer` is lost.
    public mutating func unreachable(_ peer: NodeID) {
        guard role == .leader, let position = position(of: peer), peer != id else { return }
        if case .replicate = progress[position].state {
            progress[position].probe(from: progress[position].match + 1)
            // No append now: it would be lost as well. The next answered heartbeat shows that the peer is back.
            progress[position].state = .probe(awaiting: true)
        }
    }

    /// The newest ``heartbeatContext`` from each peer that sent one since the last call, in ascending order of the peers;
    /// empty unless this node leads.
    public mutating func takePeerContexts() -> [(NodeID, [UInt8])] {
        guard role == .leader else { return [] }
        var contexts: [(NodeID, [UInt8])] = []
        for position in progress.indices {
            guard let context = progress[position].context else { continue }
            contexts.append((voters[position], context))
            progress[position].context = nil
        }
        return contexts
    }

    // MARK: - Common parts

    func position(of peer: NodeID) -> Int? { voters.firstIndex(of: peer) }

    var quorum: Quorum { Quorum(members: voters.count) }

    mutating func send(_ body: Message.Body, to peer: NodeID) {
        outbox.append(Message(from: id, to: peer, term: term, body: body))
    }

    mutating func sendAfterSync(_ body: Message.Body, to peer: NodeID) {
        if isSentBeforeSync(body) { return send(body, to: peer) }
        outboxAfterSync.append(Message(from: id, to: peer, term: term, body: body))
    }
}

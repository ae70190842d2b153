/// Elections: section 5.2 and 5.4.1 of the paper; PreVote (thesis 9.6), CheckQuorum (thesis 6.2), and the rule that a
/// follower of a live leader ignores candidates (thesis 4.2.3).
extension RaftNode {
    // MARK: - Campaigns

    /// Stands for election now, or asks for pre-votes first if the configuration says so.
    public mutating func campaign() {
        // A leader has won already; and who has no vote may not ask for others'.
        guard role != .leader, voters.contains(id) else { return }
        if configuration.preVote {
            startPreVote()
        } else {
            startCampaign()
        }
    }

    /// Stands for election at once, as if the pre-votes had been won: a random choice inside our own code, for simulations.
    package mutating func stand() {
        guard role != .leader, voters.contains(id) else { return }
        startCampaign()
    }

    /// Changes nothing that would have to be durable: whoever only asks makes no promise.
    private mutating func startPreVote() {
        role = .preCandidate
        leader = nil
        pendingAcknowledgement = nil
        drawElectionTimeout()
        preVoteRound = generator.next()
        resetAnswers()
        for peer in voters where peer != id {
            send(.preVote(lastIndex: log.lastIndex, lastTerm: log.lastTerm, round: preVoteRound), to: peer)
        }
        record(true, from: id)
    }

    private mutating func startCampaign() {
        role = .candidate
        leader = nil
        pendingAcknowledgement = nil
        term += 1
        vote = id
        matchedIndex = 0
        drawElectionTimeout()
        resetAnswers()
        for peer in voters where peer != id {
            sendAfterSync(.vote(lastIndex: log.lastIndex, lastTerm: log.lastTerm), to: peer)
        }
    }

    /// The candidate's vote for itself counts like any other: when it is durable.
    mutating func countOwnVote() {
        if durability.durableVote == Durability.Ballot(term: term, vote: id) { record(true, from: id) }
    }

    private mutating func resetAnswers() {
        answers = Array(repeating: nil, count: voters.count)
    }

    private mutating func record(_ granted: Bool, from peer: NodeID) {
        guard let position = position(of: peer), answers[position] == nil else { return }
        answers[position] = granted
        let outcome = quorum.outcome(
            granted: answers.count { $0 == true },
            refused: answers.count { $0 == false })
        switch outcome {
        case .open: break
        case .lost: becomeFollower()
        case .won where role == .preCandidate: startCampaign()
        case .won: becomeLeader()
        }
    }

    private mutating func becomeLeader() {
        role = .leader
        leader = id
        incoming = nil
        progress = voters.map { _ in
            Progress(
                next: log.lastIndex + 1,
                inflights: Inflights(
                    maxAppends: configuration.maxInflightAppends, maxBytes: configuration.maxInflightBytes),
                lastContact: now)
        }
        uncommittedBytes = commitIndex < log.lastIndex ? log.weight(of: commitIndex + 1...log.lastIndex) : 0
        heartbeatDeadline = now + configuration.heartbeatTicks
        quorumDeadline = now + configuration.electionTicks + 1
        // Entries of earlier terms are committed only under one of this term (section 5.4.2), so there has to be one.
        append(kind: .noop, payload: [])
        acknowledgeOwnLog()
    }

    // MARK: - Terms

    /// Back to following nobody in particular, in the same term.
    mutating func becomeFollower() {
        role = .follower
        leader = nil
        progress = []
        answers = []
        replicationDue = false
        drawElectionTimeout()
    }

    /// A new term begins for this node.
    private mutating func enter(_ newTerm: Term) {
        term = newTerm
        vote = nil
        matchedIndex = 0
        leader = nil
        // It was for the leader of the old term, and the new one may replace the entries it spoke of.
        pendingAcknowledgement = nil
        // A follower keeps its deadline. If every candidate moved it, one that cannot win could keep those who can from
        // standing.
        if role != .follower { becomeFollower() }
    }

    /// Called for a message of a newer term; false if the message ends here.
    mutating func adoptTerm(of message: Message) throws(PeerViolation) -> Bool {
        switch message.body {
        case .preVote:
            // Only a question. If its sender's term is news, a campaign, an answer or a leader will tell.
            return true
        case .vote where configuration.checkQuorum && hearsLeader:
            // Its term is not adopted either: that would depose the leader as surely as a vote.
            return false
        default:
            enter(message.term)
            return true
        }
    }

    /// Called for a message of an older term; true if it is handled like any other.
    mutating func answerStale(_ message: Message) -> Bool {
        switch message.body {
        case .append where isPlanted(.followsOldLeader), .voteResponse where isPlanted(.countsStaleVotes),
            .appendResponse where isPlanted(.countsStaleAcks):
            return true
        case .preVote where isPlanted(.deafToLowerTerms), .preVoteResponse where isPlanted(.deafToLowerTerms):
            return false
        case .append, .heartbeat, .snapshotChunk:
            // A deposed leader; or the leader of a majority that this node, alone in a higher term, has to rejoin: then
            // the leader must learn our term, or it would never get through to us (etcd-io/raft,
            // TestFreeStuckCandidateWithCheckQuorum).
            if !isPlanted(.silentToOldLeaders) { send(.staleTerm, to: message.from) }
            return false
        case .vote:
            send(.voteResponse(granted: false), to: message.from)
            return false
        case .preVote, .forward:
            return true
        case .preVoteResponse:
            // A node in a lower term may grant it, and must be heard: or whoever is ahead of all others in its term, and
            // has the only log that can win, could never stand again (etcd #8501). The round shows which are old.
            return true
        case .voteResponse, .appendResponse, .appendRejection, .heartbeatResponse, .snapshotResponse,
            .unmatched, .staleTerm:
            // An answer to what this node was in an earlier term.
            return false
        }
    }

    /// The sender leads this term.
    mutating func follow(_ sender: NodeID) throws(PeerViolation) {
        if let leader, leader != sender {
            throw PeerViolation(
                .twoLeaders,
                "nodes \(leader) and \(sender) both lead term \(term); "
                    + "check that no two nodes share an id and that no node's data was reset")
        }
        if role != .follower { becomeFollower() }
        leader = sender
        lastLeaderContact = now
        electionDeadline = now + electionTimeout
    }

    // MARK: - Votes

    private func isUpToDate(_ last: (term: Term, index: LogIndex)) -> Bool {
        if isPlanted(.comparesLengthsOnly) { return last.index >= log.lastIndex }
        return last >= (log.lastTerm, log.lastIndex) || isPlanted(.votesForShorterLogs)
    }

    /// Whether there is a leader that was heard from within the shortest election timeout, or this node is it.
    private var hearsLeader: Bool {
        role == .leader || (leader != nil && now < lastLeaderContact + configuration.electionTicks)
    }

    mutating func handlePreVote(_ message: Message, last: (term: Term, index: LogIndex), round: UInt64) {
        let granted = message.term >= term && !hearsLeader && isUpToDate(last)
        send(.preVoteResponse(granted: granted, round: round), to: message.from)
    }

    mutating func handlePreVoteResponse(_ peer: NodeID, granted: Bool, round: UInt64) {
        // An answer to an attempt that is over says nothing about this one.
        guard role == .preCandidate, round == preVoteRound else { return }
        record(granted, from: peer)
    }

    mutating func handleVote(_ message: Message, last: (term: Term, index: LogIndex)) {
        let free = vote == nil && leader == nil
        guard free || vote == message.from || isPlanted(.votesTwice), isUpToDate(last) else {
            send(.voteResponse(granted: false), to: message.from)
            return
        }
        vote = message.from
        electionDeadline = now + electionTimeout
        sendAfterSync(.voteResponse(granted: true), to: message.from)
    }

    mutating func handleVoteResponse(_ peer: NodeID, granted: Bool) {
        // Late votes for a leader, or for one who gave up.
        guard role == .candidate else { return }
        record(granted, from: peer)
    }

    // MARK: - Time

    mutating func drawElectionTimeout() {
        electionTimeout = configuration.electionTicks + generator.next(below: configuration.electionTicks)
        electionDeadline = now + electionTimeout
    }

    /// Resigns if no majority was heard from within `electionTicks`: clients should not wait for a leader that cannot
    /// commit, and the others should be free to elect one who can.
    mutating func checkQuorum() {
        let heardFrom = quorum.reached { voters[$0] == id ? now : progress[$0].lastContact }
        quorumDeadline = heardFrom + configuration.electionTicks + 1
        if now >= quorumDeadline { becomeFollower() }
    }
}

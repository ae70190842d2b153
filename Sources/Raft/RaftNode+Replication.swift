/// Log replication: sections 5.3 and 5.4.2 of the paper, pipelined as in thesis 10.2.1.
extension RaftNode {
    // MARK: - The leader's own log

    mutating func append(kind: Entry.Kind, payload: [UInt8]) {
        let entry = Entry(index: log.lastIndex + 1, term: term, kind: kind, payload: payload)
        log.append(CollectionOfOne(entry))
        uncommittedBytes += entry.weight
        replicationDue = true
    }

    mutating func acknowledgeOwnLog() {
        guard let own = position(of: id) else { return }
        progress[own].match = isPlanted(.countsUnwrittenEntries) ? log.lastIndex : durability.durableIndex
        advanceCommit()
    }

    /// Commits what a majority has on its disks, if the last of it is of this term. An older entry may not be committed
    /// by counting, since a later leader could still replace it (section 5.4.2, figure 8).
    private mutating func advanceCommit() {
        let reached = quorum.reached { progress[$0].match }
        guard reached > commitIndex, log.term(at: reached) == term || isPlanted(.commitsOldTerms) else { return }
        uncommittedBytes -= log.weight(of: commitIndex + 1...reached)
        commitIndex = reached
        replicationDue = true
    }

    // MARK: - Sending

    /// Sends every follower what it lacks and may be sent.
    mutating func replicate() {
        for position in progress.indices where voters[position] != id { replicate(to: position) }
    }

    private mutating func replicate(to position: Int) {
        while true {
            if case .snapshot = progress[position].state {
                sendChunk(to: position)
                return
            }
            if case .probe(awaiting: true) = progress[position].state { return }
            if progress[position].next < log.firstIndex {
                guard let snapshot = log.snapshot else { preconditionFailure("a log is only compacted to a snapshot") }
                progress[position].send(snapshot, checksum: log.snapshotChecksum)
                continue
            }
            if case .probe = progress[position].state {
                progress[position].state = .probe(awaiting: true)
                let entries = log.entries(
                    from: progress[position].next, bytes: configuration.maxBytesPerAppend, atLeastOne: true)
                sendAppend(Array(entries), to: position)
                return
            }
            guard sendNextAppend(to: position) else { break }
        }
        // Nothing more to send, or no room for it: a new commit index travels alone.
        let known = min(commitIndex, progress[position].next - 1)
        if progress[position].commitSent < known { sendAppend([], to: position) }
    }

    /// Sends the next batch to a follower in ``Progress/State/replicate``; false if there is none or the limits forbid it.
    private mutating func sendNextAppend(to position: Int) -> Bool {
        let next = progress[position].next
        guard next <= log.lastIndex, !progress[position].inflights.isFull else { return false }
        let room = progress[position].inflights.remainingBytes
        let entries = log.entries(
            from: next, bytes: min(configuration.maxBytesPerAppend, room),
            atLeastOne: progress[position].inflights.isEmpty || log.weight(of: next...next) <= room)
        guard let last = entries.last else { return false }
        sendAppend(Array(entries), to: position)
        progress[position].inflights.add(lastIndex: last.index, bytes: entries.reduce(0) { $0 + $1.weight })
        progress[position].next = last.index + 1
        return true
    }

    private mutating func sendAppend(_ entries: [Entry], to position: Int) {
        let previous = progress[position].next - 1
        guard let previousTerm = log.term(at: previous) else { preconditionFailure("entry \(previous) was compacted") }
        progress[position].commitSent = min(commitIndex, previous + UInt64(entries.count))
        send(
            .append(previousIndex: previous, previousTerm: previousTerm, commit: commitIndex, entries: entries),
            to: voters[position])
    }

    mutating func broadcastHeartbeat() {
        heartbeatDeadline = now + configuration.heartbeatTicks
        for position in progress.indices where voters[position] != id {
            // What lies beyond `match` in the follower's log may be something else than what is committed here.
            let commit = isPlanted(.unclampedHeartbeats) ? commitIndex : min(commitIndex, progress[position].match)
            send(.heartbeat(commit: commit, sequence: now), to: voters[position])
        }
    }

    // MARK: - The leader's ears

    mutating func handleAppendResponse(_ peer: NodeID, match: LogIndex) throws(PeerViolation) {
        guard role == .leader, let position = position(of: peer) else { return }
        guard match <= log.lastIndex else {
            throw PeerViolation(
                .unknownEntries,
                "node \(peer) acknowledges entry \(match) of term \(term), but its leader's log ends at \(log.lastIndex)"
            )
        }
        progress[position].lastContact = now
        // An old acknowledgement, overtaken by a newer one.
        guard match >= progress[position].match else { return }
        progress[position].match = match
        switch progress[position].state {
        case .probe:
            progress[position].replicate()
        case .replicate:
            progress[position].inflights.free(through: match)
            progress[position].next = max(progress[position].next, match + 1)
        case .snapshot(let transfer):
            // Either the snapshot is installed, or an append from before it was acknowledged late and the log still
            // reaches back to it.
            if match >= transfer.snapshot.index || match + 1 >= log.firstIndex { progress[position].replicate() }
        }
        replicationDue = true
        advanceCommit()
    }

    mutating func handleRejection(_ peer: NodeID, previousIndex: LogIndex, hint: (index: LogIndex, term: Term)) {
        guard role == .leader, let position = position(of: peer) else { return }
        progress[position].lastContact = now
        switch progress[position].state {
        case .snapshot:
            return  // About an append from before the snapshot.
        case .replicate:
            // Acknowledged since, or a repetition.
            guard previousIndex > progress[position].match, previousIndex < progress[position].next else { return }
            progress[position].probe(from: progress[position].match + 1)
        case .probe:
            // Not about the current probe: a rejection that was overtaken or repeated.
            guard previousIndex == progress[position].next - 1 else { return }
            let hinted = min(hint.index, previousIndex - 1)
            // Nil if the follower's log parts from ours before what is held here: it will get a snapshot.
            let agreed = log.lastIndex(notAfter: hinted, termAtMost: hint.term) ?? min(hinted, log.baseIndex - 1)
            // A leader may step back further than it must; ours never does, and so its followers could not go wrong.
            progress[position].probe(from: agreed + (isPlanted(.commitsUnmatched) && agreed > 0 ? 0 : 1))
        }
        replicationDue = true
    }

    /// A follower was started anew since it acknowledged, maybe from a disk that was replaced: where the logs part is to be found
    /// again.
    ///
    /// This makes the way back of an operator work (one node at a time, the others well); that nothing was committed on the strength
    /// of a lost copy is for the operator to see to.
    mutating func handleUnmatched(_ peer: NodeID, match: LogIndex) {
        guard role == .leader, let position = position(of: peer), match < progress[position].match,
            !isPlanted(.ignoresLostLogs)
        else { return }
        progress[position].lastContact = now
        progress[position].match = match
        progress[position].matchAtHeartbeat = 0
        progress[position].commitSent = 0
        progress[position].probe(from: match + 1)
        replicationDue = true
    }

    mutating func handleHeartbeatResponse(
        _ peer: NodeID, sequence: UInt64, context: [UInt8]
    ) throws(PeerViolation) {
        guard role == .leader, let position = position(of: peer) else { return }
        guard sequence <= now else {
            throw PeerViolation(.malformed, "node \(peer) answers heartbeat \(sequence), but it is only tick \(now)")
        }
        progress[position].lastContact = now
        // Overtaken by the answer to a later heartbeat, or repeated.
        guard sequence > progress[position].heartbeatAnswered else { return }
        progress[position].heartbeatAnswered = sequence
        progress[position].context = context
        switch progress[position].state {
        case .probe(awaiting: true) where !isPlanted(.neverProbesAgain):
            // The peer is there, so the probe or its answer may have been lost.
            progress[position].state = .probe(awaiting: false)
            replicationDue = true
        case .replicate:
            // Nothing was acknowledged for the time of a heartbeat: ask whether the last append is there. If not, the
            // rejection leads back to probing.
            if progress[position].next < log.firstIndex {
                replicationDue = true
            } else if progress[position].match + 1 < progress[position].next,
                progress[position].match == progress[position].matchAtHeartbeat
            {
                sendAppend([], to: position)
            }
            progress[position].matchAtHeartbeat = progress[position].match
        case .snapshot:
            retryChunk(to: position)
        case .probe:
            break
        }
    }

    // MARK: - The follower's side

    mutating func handleAppend(
        after previous: (index: LogIndex, term: Term), commit: LogIndex, entries: [Entry]
    ) throws(PeerViolation) {
        let lastNew = previous.index + UInt64(entries.count)
        // Below the base of the log everything is committed, and so the same in the leader's log.
        if previous.index >= log.baseIndex, log.term(at: previous.index) != previous.term {
            guard previous.index > commitIndex else { throw conflict(at: previous.index, term: previous.term) }
            return reject(previous)
        }
        if let new = entries.firstIndex(where: {
            $0.index >= log.baseIndex && log.term(at: $0.index) != $0.term
                || isPlanted(.truncatesMatching) && $0.index > commitIndex
        }) {
            let index = entries[new].index
            guard index > commitIndex else { throw conflict(at: index, term: entries[new].term) }
            // Only a real conflict removes entries: an old append, overtaken by a longer one, must not shorten the log.
            if index <= log.lastIndex {
                log.truncate(from: index)
                durability.replaced(from: index)
            }
            log.append(entries[new...])
        }
        matchedIndex = max(matchedIndex, lastNew)
        commitIndex = max(commitIndex, min(commit, isPlanted(.commitsUnmatched) ? log.lastIndex : lastNew))
        // Whatever is committed here is in the leader's log as well, even if this append was about less.
        pendingAcknowledgement = max(pendingAcknowledgement ?? 0, lastNew, commitIndex)
    }

    private mutating func reject(_ previous: (index: LogIndex, term: Term)) {
        guard let leader else { return }
        let index = log.lastIndex(notAfter: previous.index, termAtMost: previous.term) ?? log.baseIndex
        send(
            .appendRejection(previousIndex: previous.index, hintIndex: index, hintTerm: log.term(at: index) ?? 0),
            to: leader)
    }

    private func conflict(at index: LogIndex, term other: Term) -> PeerViolation {
        let own = log.term(at: index).map(String.init) ?? "unknown"
        return PeerViolation(
            .committedConflict,
            "the leader of term \(term) has entry \(index) of term \(other), but the committed one here has term \(own); "
                + "some node has lost data that it had acknowledged: stop the cluster and compare the logs")
    }

    mutating func handleHeartbeat(_ peer: NodeID, commit: LogIndex, sequence: UInt64) throws(PeerViolation) {
        let matched = isPlanted(.trustsOwnTail) ? log.lastIndex : max(matchedIndex, commitIndex)
        guard commit <= matched else {
            // Only what was acknowledged in this term comes back as a commit index. So this node was started anew since then, and
            // what its disk holds may be something else: an operator may have replaced it. As long as the leader counts on it, nothing
            // else would be sent.
            send(.unmatched(match: matched), to: peer)
            return
        }
        commitIndex = max(commitIndex, commit)
        send(.heartbeatResponse(sequence: sequence, context: heartbeatContext), to: peer)
    }
}

/// Sending the state machine's state to a follower whose next entry was compacted away: section 7 of the paper.
///
/// A chunk is sent when the one before it is answered. The answer says how much is there, so a transfer goes on where it
/// was even if the leader changes, as long as the new leader's snapshot has the same bytes.
extension RaftNode {
    // MARK: - The leader's side

    mutating func sendChunk(to position: Int) {
        guard case .snapshot(var transfer) = progress[position].state, transfer.sentAt == nil else { return }
        let snapshot = transfer.snapshot
        let end = min(transfer.offset + configuration.maxSnapshotChunk, snapshot.data.count)
        transfer.sentAt = now
        progress[position].state = .snapshot(transfer)
        let chunk = SnapshotChunk(
            index: snapshot.index, term: snapshot.term, voters: snapshot.voters,
            totalBytes: UInt64(snapshot.data.count), checksum: transfer.checksum, offset: UInt64(transfer.offset),
            bytes: Array(snapshot.data[transfer.offset..<end]))
        send(.snapshotChunk(chunk), to: voters[position])
    }

    /// Sends the last chunk again if it has been unanswered for too long; called when the follower shows that it is there.
    mutating func retryChunk(to position: Int) {
        guard case .snapshot(var transfer) = progress[position].state, let sentAt = transfer.sentAt else { return }
        guard now >= sentAt + configuration.electionTicks else { return }
        transfer.sentAt = nil
        progress[position].state = .snapshot(transfer)
        replicationDue = true
    }

    mutating func handleSnapshotResponse(
        _ peer: NodeID, index: LogIndex, snapshotTerm: Term, offset: UInt64, received: UInt64
    ) throws(PeerViolation) {
        guard role == .leader, let position = position(of: peer) else { return }
        progress[position].lastContact = now
        // About a transfer that is over, or about a chunk that was answered before.
        guard case .snapshot(var transfer) = progress[position].state,
            transfer.snapshot.index == index, transfer.snapshot.term == snapshotTerm,
            transfer.sentAt != nil, offset == UInt64(transfer.offset)
        else { return }
        guard received <= UInt64(transfer.snapshot.data.count) else {
            throw PeerViolation(
                .malformed,
                "node \(peer) says it has \(received) bytes of a snapshot of \(transfer.snapshot.data.count)")
        }
        transfer.offset = Int(received)
        transfer.sentAt = nil
        progress[position].state = .snapshot(transfer)
        replicationDue = true
    }

    // MARK: - The follower's side

    mutating func handleChunk(_ chunk: SnapshotChunk, from peer: NodeID) throws(PeerViolation) {
        if chunk.index <= commitIndex, !isPlanted(.adoptsOldSnapshots) {
            if let own = log.term(at: chunk.index), own != chunk.term {
                throw PeerViolation(
                    .committedConflict,
                    "the leader's snapshot ends with entry \(chunk.index) of term \(chunk.term), but the committed one "
                        + "here is of term \(own)")
            }
            // Nothing new in it. The acknowledgement tells the leader where to go on.
            acknowledge(commitIndex)
            return
        }
        if log.term(at: chunk.index) == chunk.term, !isPlanted(.snapshotsDropLog), !isPlanted(.adoptsOldSnapshots) {
            // The log agrees with the snapshot's last entry, hence with all before it (Log Matching): they are all here
            // and all committed, and the state machine gets them one by one.
            commitIndex = chunk.index
            acknowledge(commitIndex)
            return
        }
        var staged = IncomingSnapshot(chunk)
        if let incoming, incoming.isSame(as: staged) { staged = incoming }
        // The copy here must be the only one, or every chunk would copy all before it.
        incoming = nil
        if chunk.offset == UInt64(staged.data.count) { staged.data += chunk.bytes }
        guard UInt64(staged.data.count) == chunk.totalBytes else {
            send(
                .snapshotResponse(
                    index: chunk.index, snapshotTerm: chunk.term, offset: chunk.offset,
                    received: UInt64(staged.data.count)),
                to: peer)
            incoming = staged
            return
        }
        let snapshot = Snapshot(index: chunk.index, term: chunk.term, voters: chunk.voters, data: staged.data)
        guard snapshot.checksum == chunk.checksum else {
            throw PeerViolation(
                .corruptSnapshot,
                "the snapshot of entry \(chunk.index) from node \(peer) has another checksum than announced; "
                    + "it will be fetched again from the start")
        }
        install(snapshot)
    }

    /// Makes the snapshot the log's beginning. The acknowledgement and the state machine wait for its write.
    private mutating func install(_ snapshot: Snapshot) {
        durability.replaced(by: snapshot, committed: commitIndex)
        log.replace(by: snapshot)
        voters = snapshot.voters
        commitIndex = snapshot.index
        matchedIndex = snapshot.index
        acknowledge(commitIndex)
    }

    private mutating func acknowledge(_ match: LogIndex) {
        pendingAcknowledgement = max(pendingAcknowledgement ?? 0, match)
    }
}

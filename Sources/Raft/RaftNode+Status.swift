extension RaftNode {
    /// The first entry still held; ``lastIndex`` + 1 if there is none.
    public var firstIndex: LogIndex { log.firstIndex }

    public var lastIndex: LogIndex { log.lastIndex }

    /// The last entry that the newest snapshot covers, or 0.
    public var snapshotIndex: LogIndex { log.snapshotIndex }

    /// The newest snapshot: the node's own, or one from a leader (which may not be durable yet).
    public var snapshot: Snapshot? { log.snapshot }

    /// The log is on this node's disk up to here.
    public var durableIndex: LogIndex { durability.durableIndex }

    /// Whom this node votes for in its term.
    public var votedFor: NodeID? { vote }

    /// The term of the entry at `index`, or nil if it was compacted or is not there yet.
    public func term(at index: LogIndex) -> Term? { log.term(at: index) }

    /// The entries held from `index` on, committed or not: as many as weigh at most `maxBytes` together, but at least one
    /// if there is one.
    public func entries(from index: LogIndex, maxBytes: Int = .max) -> [Entry] {
        let start = max(index, log.firstIndex)
        guard start <= log.lastIndex else { return [] }
        return Array(log.entries(from: start, bytes: maxBytes, atLeastOne: true))
    }

    public var status: Status {
        Status(
            id: id, role: role, term: term, leader: leader, firstIndex: firstIndex, lastIndex: lastIndex,
            commitIndex: commitIndex, appliedIndex: appliedIndex, durableIndex: durableIndex,
            snapshotIndex: snapshotIndex, ticks: now,
            peers: progress.indices.filter { voters[$0] != id }.map { peerStatus($0) })
    }

    private func peerStatus(_ position: Int) -> PeerStatus {
        let progress = progress[position]
        let state: PeerStatus.State =
            switch progress.state {
            case .probe: .probe
            case .replicate: .replicate
            case .snapshot: .snapshot
            }
        return PeerStatus(
            id: voters[position], match: progress.match, next: progress.next, state: state,
            recentlyActive: now <= progress.lastContact + configuration.electionTicks)
    }
}

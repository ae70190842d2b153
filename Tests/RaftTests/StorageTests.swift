import Raft
import Testing

/// What waits for the disk, and what does not.
struct StorageTests {
    private static let voters = (1...3).map { NodeID($0) }

    private func node(_ state: PersistedState = PersistedState(), voters: [NodeID] = voters) -> RaftNode {
        RaftNode(id: NodeID(1), voters: voters, configuration: .bare, restored: state, seed: 1)
    }

    private func entries(_ range: ClosedRange<LogIndex>, _ term: Term) -> [Entry] {
        range.map { Entry(index: $0, term: term, payload: [UInt8(term)]) }
    }

    @Test("A cluster of one commits what its disk has, and not before (etcd #14370)")
    func singleVoter() throws {
        var node = RaftNode(id: NodeID(1), voters: [NodeID(1)], seed: 1)
        for _ in 0..<20 where node.role == .follower { node.tick() }
        #expect(node.role == .candidate)
        let vote = try node.nextWrite()
        #expect(vote.hardState == HardState(term: 1, vote: NodeID(1)))
        #expect(node.role == .candidate)
        node.written(vote.number)
        #expect(node.role == .leader)
        #expect(node.propose([5]) == .appended(index: 2, term: 1))
        let write = try node.nextWrite()
        #expect(write.entries.map(\.index) == [1, 2])
        #expect(node.commitIndex == 0)
        #expect(!node.hasReady)
        node.written(write.number)
        #expect(node.commitIndex == 2)
        #expect(node.takeReady()?.committed.map(\.payload) == [[], [5]])
    }

    @Test("The leader's appends leave at once, its own copy counts when it is durable (thesis 10.2.1)")
    func parallelAppend() throws {
        var leader = node()
        try leader.win(votesOf: 2)
        let ready = try leader.nextReady()
        #expect(ready.messages.map(\.entries.count) == [1, 1])
        let write = try #require(ready.write)
        // Node 2 is faster than the own disk.
        try leader.hear(2, 1, .appendResponse(match: 1))
        #expect(leader.commitIndex == 0)
        leader.written(write.number)
        #expect(leader.commitIndex == 1)
        // And a majority without the leader commits, though the leader applies it when it has it itself.
        _ = leader.drain()
        _ = leader.propose([1])
        let second = try leader.nextWrite()
        try leader.hear(2, 1, .appendResponse(match: 2))
        try leader.hear(3, 1, .appendResponse(match: 2))
        #expect(leader.commitIndex == 2)
        #expect(leader.takeReady()?.committed == [])
        leader.written(second.number)
        #expect(leader.takeReady()?.committed.map(\.index) == [2])
    }

    @Test("An acknowledgement waits for the write, and for all writes before it")
    func acknowledgement() throws {
        var follower = node()
        try follower.hear(2, 1, .append(previousIndex: 0, previousTerm: 0, commit: 0, entries: entries(1...1, 1)))
        let first = try follower.nextReady()
        #expect(first.messages.isEmpty)
        #expect(first.write?.messagesAfterSync.map(\.body) == [.appendResponse(match: 1)])
        // A repetition has nothing to write, but its answer may not overtake the write in flight.
        try follower.hear(2, 1, .append(previousIndex: 0, previousTerm: 0, commit: 0, entries: entries(1...1, 1)))
        let second = try follower.nextReady()
        #expect(second.messages.isEmpty)
        let write = try #require(second.write)
        #expect(!write.mustSync)
        #expect(write.entries.isEmpty)
        #expect(write.messagesAfterSync.map(\.body) == [.appendResponse(match: 1)])
        // When all is durable it is answered at once.
        follower.written(write.number)
        try follower.hear(2, 1, .append(previousIndex: 0, previousTerm: 0, commit: 0, entries: entries(1...1, 1)))
        let third = try follower.nextReady()
        #expect(third.messages.map(\.body) == [.appendResponse(match: 1)])
        #expect(third.write == nil)
    }

    @Test("Answers to a batch of appends are one")
    func cumulativeAcknowledgement() throws {
        var follower = node()
        try follower.hear(2, 1, .append(previousIndex: 0, previousTerm: 0, commit: 0, entries: entries(1...2, 1)))
        try follower.hear(2, 1, .append(previousIndex: 2, previousTerm: 1, commit: 0, entries: entries(3...4, 1)))
        let write = try follower.nextWrite()
        #expect(write.entries.count == 4)
        #expect(write.messagesAfterSync.map(\.body) == [.appendResponse(match: 4)])
    }

    @Test("An acknowledgement is for one leader, and dies with its term")
    func acknowledgementOfOldTerm() throws {
        var follower = node()
        try follower.hear(2, 1, .append(previousIndex: 0, previousTerm: 0, commit: 0, entries: entries(1...3, 1)))
        try follower.hear(3, 2, .append(previousIndex: 0, previousTerm: 0, commit: 0, entries: entries(1...1, 2)))
        #expect(follower.drain().map(\.body) == [.appendResponse(match: 1)])
        // The same if the new leader only says that it is there.
        try follower.hear(3, 2, .append(previousIndex: 1, previousTerm: 2, commit: 0, entries: entries(2...3, 2)))
        try follower.hear(2, 3, .heartbeat(commit: 0, sequence: 9))
        #expect(follower.drain().map(\.body) == [.heartbeatResponse(sequence: 9, context: [])])
    }

    @Test("A write whose entries were replaced since vouches for nothing that replaced them (openraft #1960)")
    func replacedInFlight() throws {
        var follower = node()
        try follower.hear(2, 1, .append(previousIndex: 0, previousTerm: 0, commit: 0, entries: entries(1...3, 1)))
        let old = try follower.nextWrite()
        try follower.hear(3, 2, .append(previousIndex: 1, previousTerm: 1, commit: 3, entries: entries(2...3, 2)))
        let new = try follower.nextWrite()
        #expect(new.entries == entries(2...3, 2))
        follower.written(old.number)
        #expect(follower.durableIndex == 1)
        #expect(follower.takeReady()?.committed.map(\.index) == [1])
        follower.written(new.number)
        #expect(follower.takeReady()?.committed == entries(2...3, 2))
    }

    @Test("A write that was reported before changes nothing when it is reported again")
    func repeatedReport() throws {
        var follower = node()
        try follower.hear(2, 1, .append(previousIndex: 0, previousTerm: 0, commit: 2, entries: entries(1...2, 1)))
        let first = try follower.nextWrite()
        try follower.hear(2, 1, .append(previousIndex: 2, previousTerm: 1, commit: 2, entries: entries(3...3, 1)))
        let second = try follower.nextWrite()
        follower.written(second.number)
        follower.written(first.number)
        follower.written(second.number)
        #expect(follower.durableIndex == 3)
        #expect(follower.takeReady()?.committed.map(\.index) == [1, 2])
        #expect(!follower.hasReady)
    }

    @Test("An older write that becomes durable during a campaign is not the vote")
    func olderWriteIsNoVote() throws {
        var candidate = node()
        try candidate.hear(2, 1, .append(previousIndex: 0, previousTerm: 0, commit: 0, entries: entries(1...1, 1)))
        let older = try candidate.nextWrite()
        candidate.campaign()
        let vote = try candidate.nextWrite()
        #expect(vote.hardState == HardState(term: 2, vote: NodeID(1)))
        candidate.written(older.number)
        try candidate.hear(3, 2, .voteResponse(granted: true))
        #expect(candidate.role == .candidate)
        candidate.written(vote.number)
        #expect(candidate.role == .leader)
    }

    @Test("The commit index on the disk never speaks for entries that may not be there")
    func commitHint() throws {
        // The disk holds entries of term 1, which a leader replaces and commits in one message.
        var follower = node(.log([1, 1, 1, 1]))
        try follower.hear(2, 2, .append(previousIndex: 1, previousTerm: 1, commit: 4, entries: entries(2...4, 2)))
        #expect(follower.commitIndex == 4)
        let write = try follower.nextWrite()
        // If the power fails between the hard state and the entries, entries 2 to 4 of term 1 must not pass for committed.
        #expect(write.hardState == HardState(term: 2, vote: nil, commit: 1))
        follower.written(write.number)
        try follower.hear(2, 2, .append(previousIndex: 4, previousTerm: 2, commit: 4, entries: entries(5...5, 2)))
        #expect(try follower.nextWrite().hardState?.commit == 4)
    }

    @Test("The commit index alone is worth no write")
    func commitWithoutWrite() throws {
        var follower = node(.log([1, 1]))
        try follower.hear(2, 1, .append(previousIndex: 2, previousTerm: 1, commit: 2, entries: []))
        let ready = try follower.nextReady()
        #expect(ready.write == nil)
        #expect(ready.committed.map(\.index) == [1, 2])
    }

    @Test("After a restart, what was committed is handed out again from the snapshot on")
    func restart() throws {
        let snapshot = Snapshot(index: 2, term: 1, voters: [NodeID(1), NodeID(2)], data: [1])
        let follower = node(
            PersistedState(
                hardState: HardState(term: 3, vote: NodeID(2), commit: 4), snapshot: snapshot,
                entries: entries(3...5, 2)))
        #expect(follower.voters == [NodeID(1), NodeID(2)])
        #expect(follower.term == 3)
        #expect(follower.votedFor == NodeID(2))
        #expect((follower.firstIndex, follower.lastIndex, follower.commitIndex) == (3, 5, 4))
        var restarted = follower
        let ready = try restarted.nextReady()
        #expect(ready.snapshot == nil)
        #expect(ready.write == nil)
        #expect(ready.committed.map(\.index) == [3, 4])
    }
}

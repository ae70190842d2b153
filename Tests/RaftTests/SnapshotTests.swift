import Raft
import Testing

/// Log compaction: section 7 of the paper.
struct SnapshotTests {
    private static let state = (0..<50).map { UInt8($0) }

    /// Node 3 was away while the others wrote entries up to 6 and forgot them; the snapshot takes four chunks.
    private func lagging(retainedBytes: Int = 0) throws -> Cluster {
        var configuration = RaftNode.Configuration.bare
        configuration.maxSnapshotChunk = 15
        configuration.maxRetainedBytes = retainedBytes
        var cluster = Cluster(size: 3, configuration)
        cluster.isolate(3)
        try cluster.campaign(1)
        for value in 0..<5 as Range<UInt8> { _ = try cluster.propose(1, [value]) }
        cluster.compact(1, state: Self.state)
        cluster.compact(2, state: Self.state)
        cluster.forgetDelivered()
        return cluster
    }

    private func chunks(_ cluster: Cluster) -> [UInt64] {
        cluster.delivered.compactMap { message in
            if case .snapshotChunk(let chunk) = message.body { chunk.offset } else { nil }
        }
    }

    @Test("A follower that lags behind the log gets the snapshot in chunks, and then the rest")
    func transfer() throws {
        var cluster = try lagging()
        #expect(cluster[1].firstIndex == 7)
        #expect(cluster[1].snapshotIndex == 6)
        _ = try cluster.propose(1, [5])
        cluster.heal()
        try cluster.tick(1, 4)
        #expect(chunks(cluster) == [0, 15, 30, 45])
        #expect(cluster.snapshots[2].map(\.data) == [Self.state])
        #expect(cluster.applied[2].map(\.index) == [7])
        #expect(cluster[3].durableIndex == 7)
        #expect(cluster[1].status.peers[1].state == .replicate)
        #expect(cluster[1].status.peers[1].match == 7)
        // It survives a restart, and can lead.
        cluster.restart(3)
        #expect(cluster[3].snapshot?.data == Self.state)
        try cluster.campaign(3)
        try cluster.campaign(3)
        #expect(cluster[3].role == .leader)
    }

    @Test("A follower that is a little behind gets what the compaction retained")
    func retainedEntries() throws {
        var cluster = try lagging(retainedBytes: 6 * (1 + Entry.overhead))
        #expect(cluster[1].firstIndex == 1)
        cluster.heal()
        try cluster.tick(1, 4)
        #expect(chunks(cluster).isEmpty)
        #expect(cluster.applied[2].map(\.index) == [1, 2, 3, 4, 5, 6])
    }

    @Test("The retained entries weigh what they may, and not a byte more")
    func retainedLimit() throws {
        #expect(try lagging(retainedBytes: 2 * (1 + Entry.overhead))[1].firstIndex == 5)
        #expect(try lagging(retainedBytes: 2 * (1 + Entry.overhead) - 1)[1].firstIndex == 6)
    }

    @Test("A lost chunk is sent again, and the ones before it are not")
    func lostChunk() throws {
        var cluster = try lagging()
        cluster.lose = { message in
            if case .snapshotChunk(let chunk) = message.body { chunk.offset == 30 } else { false }
        }
        try cluster.tick(1, 4)
        #expect(chunks(cluster) == [0, 15])
        cluster.heal()
        try cluster.tick(1, 12)
        #expect(chunks(cluster) == [0, 15, 30, 45])
        #expect(cluster[3].appliedIndex == 6)
    }

    @Test("A new leader goes on where the old one was interrupted, if the bytes are the same")
    func resumeUnderNewLeader() throws {
        var cluster = try lagging()
        cluster.lose = { message in
            if case .snapshotChunk(let chunk) = message.body { chunk.offset == 30 } else { false }
        }
        try cluster.tick(1, 4)
        cluster.isolate(1)
        cluster.forgetDelivered()
        try cluster.campaign(2)
        #expect(cluster[2].role == .leader)
        try cluster.tick(2, 2)
        // The first chunk tells how much is there.
        #expect(chunks(cluster) == [0, 30, 45])
        #expect(cluster.snapshots[2].map(\.data) == [Self.state])
    }

    @Test("A new leader with other bytes starts again")
    func restartUnderNewLeader() throws {
        var cluster = try lagging()
        _ = try cluster.propose(1, [9])
        let other = Self.state.map { $0 + 1 }
        cluster.compact(2, state: other)
        cluster.lose = { message in
            if case .snapshotChunk(let chunk) = message.body { chunk.offset == 30 } else { false }
        }
        try cluster.tick(1, 4)
        cluster.isolate(1)
        cluster.forgetDelivered()
        try cluster.campaign(2)
        try cluster.tick(2, 2)
        #expect(chunks(cluster) == [0, 15, 30, 45])
        #expect(cluster.snapshots[2].map(\.data) == [other])
    }

    @Test("A compaction during a transfer does not start it again")
    func compactionDuringTransfer() throws {
        var cluster = try lagging()
        cluster.lose = { message in
            if case .snapshotChunk(let chunk) = message.body { chunk.offset == 30 } else { false }
        }
        try cluster.tick(1, 4)
        _ = try cluster.propose(1, [9])
        cluster.compact(1, state: [1, 2, 3])
        cluster.heal()
        cluster.forgetDelivered()
        try cluster.tick(1, 14)
        // The rest of the old one, and then the new one, because the entries in between are gone.
        #expect(chunks(cluster) == [30, 45, 0])
        #expect(cluster.snapshots[2].map(\.index) == [6, 7])
        #expect(cluster[3].appliedIndex == 7)
    }

    /// A follower, its log and a snapshot for it that ends with entry 4 of term 2.
    private func follower(_ log: [Term], commit: LogIndex) -> (node: RaftNode, chunk: SnapshotChunk) {
        let voters = (1...3).map { NodeID($0) }
        let node = RaftNode(
            id: NodeID(1), voters: voters, configuration: .bare, restored: .log(log, commit: commit), seed: 1)
        let snapshot = Snapshot(index: 4, term: 2, voters: voters, data: Self.state)
        let chunk = SnapshotChunk(
            index: 4, term: 2, voters: voters, totalBytes: 50, checksum: snapshot.checksum, offset: 0,
            bytes: Self.state)
        return (node, chunk)
    }

    @Test("The state machine gets a snapshot only when it is on the disk, and the acknowledgement waits as well")
    func surfacedWhenDurable() throws {
        var (node, chunk) = follower([1, 1, 1, 1, 1], commit: 1)
        _ = node.drain()
        try node.hear(2, 3, .snapshotChunk(chunk))
        try node.hear(
            2, 3,
            .append(
                previousIndex: 4, previousTerm: 2, commit: 5, entries: [Entry(index: 5, term: 3, payload: [])]))
        let ready = try node.nextReady()
        #expect(ready.snapshot == nil)
        #expect(ready.committed.isEmpty)
        #expect(ready.messages.isEmpty)
        let write = try #require(ready.write)
        #expect(write.snapshot?.data == Self.state)
        #expect(write.entries.map(\.index) == [5])
        // Not even the hint may speak of what is not yet on the disk.
        #expect(write.hardState == HardState(term: 3, vote: nil, commit: 1))
        #expect(write.messagesAfterSync.map(\.body) == [.appendResponse(match: 5)])
        #expect(!node.hasReady)
        node.written(write.number)
        let next = try node.nextReady()
        #expect(next.snapshot?.index == 4)
        #expect(next.committed.map(\.index) == [5])
        #expect(node.appliedIndex == 5)
    }

    @Test("The entries that a snapshot replaced are not durable under their new numbers")
    func replacedTailIsVoid() throws {
        // Five uncommitted entries of term 1 are on the disk beyond the snapshot's index.
        var (node, chunk) = follower([1, 1, 1, 1, 1, 1, 1, 1, 1], commit: 1)
        _ = node.drain()
        try node.hear(2, 3, .snapshotChunk(chunk))
        let first = try node.nextWrite()
        try node.hear(
            2, 3,
            .append(
                previousIndex: 4, previousTerm: 2, commit: 5, entries: [Entry(index: 5, term: 3, payload: [])]))
        let second = try node.nextWrite()
        #expect(node.durableIndex == 1)
        node.written(first.number)
        #expect(node.durableIndex == 4)
        #expect(node.takeReady()?.committed == [])
        node.written(second.number)
        #expect(node.takeReady()?.committed.map(\.index) == [5])
    }

    @Test("A snapshot that the log agrees with commits the log instead, and loses none of it")
    func agreeingLogIsKept() throws {
        var (node, chunk) = follower([1, 1, 2, 2, 2], commit: 1)
        _ = node.drain()
        try node.hear(2, 3, .snapshotChunk(chunk))
        let ready = try node.nextReady()
        #expect(ready.write?.snapshot == nil)
        #expect(ready.committed.map(\.index) == [2, 3, 4])
        #expect(ready.write?.messagesAfterSync.map(\.body) == [.appendResponse(match: 4)])
        #expect(node.lastIndex == 5)
    }

    @Test("A snapshot of what is committed here is only acknowledged")
    func oldSnapshot() throws {
        var (node, chunk) = follower([1, 1, 2, 2, 2], commit: 5)
        _ = node.drain()
        try node.hear(2, 2, .snapshotChunk(chunk))
        #expect(node.drain().map(\.body) == [.appendResponse(match: 5)])
        #expect(node.snapshotIndex == 0)
    }

    @Test("A late compaction, overtaken by a received snapshot, changes nothing")
    func overtakenCompaction() throws {
        var (node, chunk) = follower([1, 1, 1], commit: 2)
        _ = node.drain()
        #expect(node.appliedIndex == 2)
        try node.hear(2, 3, .snapshotChunk(chunk))
        #expect(node.compact(through: 2, state: [1]) == nil)
        #expect(node.snapshotIndex == 4)
        #expect(node.takeReady()?.write?.snapshot?.data == Self.state)
    }

    @Test("An empty snapshot is one empty chunk")
    func emptySnapshot() throws {
        var cluster = try lagging()
        _ = try cluster.propose(1, [9])
        cluster.compact(1, state: [])
        cluster.heal()
        try cluster.tick(1, 4)
        #expect(chunks(cluster) == [0])
        #expect(cluster.snapshots[2].map(\.index) == [7])
    }

    @Test("The digest depends on every byte and on the length")
    func checksum() {
        func digest(_ data: [UInt8]) -> UInt64 { Snapshot(index: 1, term: 1, voters: [], data: data).checksum }
        var seen: Set<UInt64> = [digest([])]
        for count in 1...20 { #expect(seen.insert(digest(Array(repeating: 0, count: count))).inserted) }
        for place in 0..<20 {
            var data = [UInt8](repeating: 0, count: 20)
            data[place] = 1
            #expect(seen.insert(digest(data)).inserted)
        }
    }
}

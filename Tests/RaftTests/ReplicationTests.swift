import Raft
import Testing

struct ReplicationTests {
    private static let voters = (1...3).map { NodeID($0) }

    private func leader(_ state: PersistedState = PersistedState()) throws -> RaftNode {
        var node = RaftNode(id: NodeID(1), voters: Self.voters, configuration: .bare, restored: state, seed: 1)
        try node.win(votesOf: 2)
        return node
    }

    private func entries(_ range: ClosedRange<LogIndex>, _ term: Term) -> [Entry] {
        range.map { Entry(index: $0, term: term, payload: []) }
    }

    @Test("Proposals of one batch travel in one append; later ones do not wait for its answer")
    func pipeline() throws {
        var node = try leader()
        for value in 0..<3 as Range<UInt8> { _ = node.propose([value]) }
        var sent = node.drain().filter { $0.to == NodeID(2) }
        #expect(sent.map(\.entries.count) == [4])
        // Until the logs are known to agree there is one append at a time.
        _ = node.propose([3])
        #expect(node.drain().isEmpty)
        try node.hear(2, 1, .appendResponse(match: 4))
        sent = node.drain().filter { $0.to == NodeID(2) }
        #expect(sent.map(\.entries.count) == [1])
        for value in 4..<7 as Range<UInt8> {
            _ = node.propose([value])
            sent += node.drain().filter { $0.to == NodeID(2) }
        }
        #expect(sent.map(\.previousIndex) == [4, 5, 6, 7])
        #expect(node.status.peers[0].state == .replicate)
        #expect(node.status.peers[1].state == .probe)
    }

    @Test("A new commit index is told at once, and once for a batch of acknowledgements")
    func commitNotice() throws {
        var node = try leader()
        _ = node.drain()
        for peer in [2, 3] as [UInt32] { try node.hear(peer, 1, .appendResponse(match: 1)) }
        let sent = node.drain()
        #expect(
            sent.map(\.body)
                == Array(
                    repeating: .append(previousIndex: 1, previousTerm: 1, commit: 1, entries: []), count: 2))
        for peer in [2, 3] as [UInt32] { try node.hear(peer, 1, .appendResponse(match: 1)) }
        #expect(node.drain().isEmpty)
    }

    @Test("A follower whose disk was replaced says so, and gets everything anew", arguments: [false, true])
    func replacedDisk(compacted: Bool) throws {
        var cluster = Cluster(size: 3)
        try cluster.campaign(1)
        for k in UInt8(1)...5 { _ = try cluster.propose(1, [k]) }
        if compacted { cluster.compact(1, state: [7]) }
        cluster.wipe(3)
        try cluster.tick(1, 4)
        #expect(cluster[3].status.lastIndex == cluster[1].status.lastIndex)
        #expect(cluster[3].status.commitIndex == cluster[1].status.commitIndex)
        // And it counts again.
        cluster.isolate(2)
        _ = try cluster.propose(1, [6])
        #expect(cluster[1].status.commitIndex == 7)
    }

    @Test("An older copy of a disk with a tail that was replaced since takes no commit index for its own")
    func olderDisk() throws {
        // Node 3's disk is copied when it holds entry 2 of term 1, which node 1 alone has sent.
        let old = PersistedState.log([1, 1], commit: 1)
        var cluster = Cluster([.log([1], commit: 1), .log([1], commit: 1), old], .bare)
        // A later leader replaces the entry, everybody acknowledges it, and then the old copy is put back.
        cluster.isolate(3)
        try cluster.campaign(2)
        cluster.heal()
        try cluster.tick(2, 4)
        #expect(cluster[2].status.peers.map(\.match) == [2, 2])
        cluster.swapDisk(3, for: old)
        try cluster.tick(2, 8)
        #expect(cluster[3].entries(from: 2).map(\.term) == [2])
        #expect(cluster.applied[2].map(\.term) == [1, 2])
    }

    @Test("A heartbeat commits only what an append of the same term has matched")
    func unmatchedHeartbeat() throws {
        var follower = RaftNode(
            id: NodeID(1), voters: [1, 2, 3].map { NodeID($0) }, configuration: .bare,
            restored: .log([1, 1, 1], commit: 1), seed: 1)
        try follower.hear(2, 1, .heartbeat(commit: 2, sequence: 1))
        #expect(follower.drain().map(\.body) == [.unmatched(match: 1)])
        #expect(follower.commitIndex == 1)
        try follower.hear(2, 1, .append(previousIndex: 2, previousTerm: 1, commit: 1, entries: []))
        _ = follower.drain()
        try follower.hear(2, 1, .heartbeat(commit: 2, sequence: 2))
        #expect(follower.drain().map(\.body) == [.heartbeatResponse(sequence: 2, context: [])])
        #expect(follower.commitIndex == 2)
        // What matched one leader's log says nothing of the next one's.
        try follower.hear(3, 2, .heartbeat(commit: 3, sequence: 1))
        #expect(follower.drain().map(\.body) == [.unmatched(match: 2)])
        #expect(follower.commitIndex == 2)
    }

    @Test("What an unmatched follower says can only lower what is known of it")
    func unmatched() throws {
        var node = try leader(.log([1, 1, 1]))
        try node.hear(2, 2, .appendResponse(match: 4))
        try node.hear(2, 2, .unmatched(match: 9))
        #expect(node.status.peers[0].match == 4)
        try node.hear(2, 2, .unmatched(match: 1))
        #expect(node.status.peers[0].match == 1)
        // Of an earlier term: it has been heard of since.
        try node.hear(2, 1, .unmatched(match: 0))
        #expect(node.status.peers[0].match == 1)
    }

    @Test("Late and repeated answers move nothing")
    func staleAnswers() throws {
        var node = try leader(.log([1, 1, 1]))
        _ = node.drain()
        try node.hear(2, 2, .appendResponse(match: 4))
        _ = node.drain()
        let before = node.status
        try node.hear(2, 2, .appendResponse(match: 2))
        try node.hear(2, 2, .appendRejection(previousIndex: 3, hintIndex: 1, hintTerm: 1))
        try node.hear(2, 1, .appendResponse(match: 1))
        try node.hear(2, 1, .appendRejection(previousIndex: 4, hintIndex: 1, hintTerm: 1))
        try node.hear(2, 2, .snapshotResponse(index: 9, snapshotTerm: 1, offset: 0, received: 5))
        try node.hear(2, 2, .voteResponse(granted: true))
        try node.hear(2, 2, .staleTerm)
        #expect(node.status == before)
        #expect(node.drain().isEmpty)
        // A rejection that is not about the current probe.
        try node.hear(3, 2, .appendRejection(previousIndex: 2, hintIndex: 1, hintTerm: 1))
        #expect(node.status.peers[1].next == 4)
    }

    @Test("A lost append is noticed when nothing was acknowledged between two answered heartbeats")
    func lostAppend() throws {
        var cluster = Cluster(size: 3)
        try cluster.campaign(1)
        cluster.isolate(3)
        _ = try cluster.propose(1, [1])
        #expect(cluster[1].status.peers[1].next == 3)
        cluster.heal()
        try cluster.tick(1, 4)
        #expect(cluster[3].lastIndex == 2)
        #expect(cluster[3].commitIndex == 2)
    }

    @Test("A peer that is reported unreachable is probed again when it is back")
    func unreachable() throws {
        var cluster = Cluster(size: 3)
        try cluster.campaign(1)
        cluster.isolate(3)
        _ = try cluster.propose(1, [1])
        cluster[1].unreachable(NodeID(3))
        #expect(cluster[1].status.peers[1].state == .probe)
        #expect(cluster[1].status.peers[1].next == 2)
        // It is not worth the while to send it anything but heartbeats.
        cluster.forgetDelivered()
        _ = try cluster.propose(1, [2])
        cluster.heal()
        try cluster.tick(1, 2)
        #expect(cluster[1].status.peers[1].state == .replicate)
        #expect(cluster[3].commitIndex == 3)
        // Nonsense is harmless.
        cluster[1].unreachable(NodeID(1))
        cluster[1].unreachable(NodeID(77))
        cluster[2].unreachable(NodeID(1))
    }

    @Test("An old append, overtaken by a longer one, does not shorten the log")
    func overtakenAppend() throws {
        var node = RaftNode(id: NodeID(1), voters: Self.voters, configuration: .bare, seed: 1)
        try node.hear(2, 1, .append(previousIndex: 0, previousTerm: 0, commit: 0, entries: entries(1...5, 1)))
        try node.hear(2, 1, .append(previousIndex: 0, previousTerm: 0, commit: 0, entries: entries(1...2, 1)))
        #expect(node.lastIndex == 5)
        // But a commit index beyond what such an append shows to agree is not believed from it.
        var other = RaftNode(
            id: NodeID(1), voters: Self.voters, configuration: .bare, restored: .log([1, 1, 1]), seed: 1)
        try other.hear(2, 2, .append(previousIndex: 1, previousTerm: 1, commit: 3, entries: []))
        #expect(other.commitIndex == 1)
    }

    @Test("A heartbeat tells no more of the commit index than the follower has acknowledged")
    func heartbeatCommit() throws {
        var node = try leader()
        _ = node.drain()
        try node.hear(2, 1, .appendResponse(match: 1))
        _ = node.drain()
        node.tick()
        node.tick()
        #expect(
            node.drain().map(\.body) == [.heartbeat(commit: 1, sequence: 2), .heartbeat(commit: 0, sequence: 2)])
    }

    @Test("A proposal is forwarded to the leader, once")
    func forwarding() throws {
        var cluster = Cluster(size: 3)
        #expect(cluster[2].propose([1]) == .refused(.noLeader))
        try cluster.campaign(1)
        #expect(try cluster.propose(2, [7]) == .forwarded(to: NodeID(1)))
        #expect(cluster.applied.allSatisfy { $0.last?.payload == [7] })
        // Whoever does not lead drops it; also a leader who learns from it that its term is over.
        let last = cluster[2].lastIndex
        try cluster[2].hear(3, cluster[2].term, .forward(payload: [8]))
        try cluster[1].hear(3, cluster[1].term + 1, .forward(payload: [8]))
        #expect(cluster[1].role == .follower)
        try cluster.settle()
        #expect(cluster.nodes.allSatisfy { $0.lastIndex == last })
        // One from an older term is as good as any.
        try cluster.campaign(1)
        try cluster[1].hear(3, 1, .forward(payload: [9]))
        try cluster.settle()
        #expect(cluster.applied.allSatisfy { $0.last?.payload == [9] })
    }

    @Test("The leader knows the newest context of each peer")
    func contexts() throws {
        var cluster = Cluster(size: 3)
        try cluster.campaign(2)
        cluster[1].heartbeatContext = [1]
        cluster[3].heartbeatContext = [3]
        try cluster.tick(2, 2)
        cluster[3].heartbeatContext = [33]
        try cluster.tick(2, 2)
        #expect(cluster[1].takePeerContexts().isEmpty)
        // An answer to an earlier heartbeat comes late.
        try cluster[2].hear(3, 1, .heartbeatResponse(sequence: 2, context: [0]))
        let contexts = cluster[2].takePeerContexts()
        #expect(contexts.map(\.0) == [NodeID(1), NodeID(3)])
        #expect(contexts.map(\.1) == [[1], [33]])
        #expect(cluster[2].takePeerContexts().isEmpty)
    }

    @Test("Status tells who was heard from")
    func status() throws {
        var cluster = Cluster(size: 3)
        try cluster.campaign(1)
        cluster.isolate(3)
        try cluster.tick(1, 11)
        #expect(cluster[1].status.peers.map(\.recentlyActive) == [true, false])
        #expect(cluster[1].status.peers.map(\.id) == [NodeID(2), NodeID(3)])
        #expect(cluster[2].status.peers.isEmpty)
        #expect(cluster[2].status.leader == NodeID(1))
    }

    @Test("Election timeouts are spread over [e, 2e), and a seed decides them")
    func electionTimeouts() {
        func timeout(_ seed: UInt64) -> Int {
            var node = RaftNode(id: NodeID(1), voters: Self.voters, configuration: .bare, seed: seed)
            var ticks = 0
            while node.role == .follower {
                node.tick()
                ticks += 1
            }
            return ticks
        }
        let timeouts = (0..<200).map { timeout($0) }
        #expect(Set(timeouts) == Set(10..<20))
        #expect(timeouts == (0..<200).map { timeout($0) })
    }
}

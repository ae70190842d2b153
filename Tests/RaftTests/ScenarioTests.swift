import Raft
import Testing

/// Stories whose starting state and outcome come from the paper, the thesis, or bugs of others.
struct ScenarioTests {
    @Test("Figure 7: every kind of follower ends with the new leader's log")
    func figure7() throws {
        let leader: [Term] = [1, 1, 1, 4, 4, 5, 5, 6, 6, 6]
        var cluster = Cluster(
            [
                .log(leader, term: 7),
                .log([1, 1, 1, 4, 4, 5, 5, 6, 6], term: 7),
                .log([1, 1, 1, 4], term: 7),
                .log(leader + [6], term: 7),
                .log(leader + [7, 7], term: 7),
                .log([1, 1, 1, 4, 4, 4, 4], term: 7),
                .log([1, 1, 1, 2, 2, 2, 3, 3, 3, 3, 3], term: 7),
            ], .bare)
        try cluster.campaign(1)

        let answers = cluster.delivered.compactMap { message -> (UInt32, Bool)? in
            if case .voteResponse(let granted) = message.body { (message.from.rawValue, granted) } else { nil }
        }
        #expect(Set(answers.filter(\.1).map(\.0)) == [2, 3, 6, 7])
        #expect(Set(answers.filter { !$0.1 }.map(\.0)) == [4, 5])
        for node in cluster.nodes {
            #expect(node.terms == leader + [8])
            #expect(node.commitIndex == 11)
        }
        // One question finds the right place, where there is one (section 5.3, last paragraphs).
        let rejections = cluster.delivered.filter(\.isRejection).map(\.from.rawValue)
        for (node, count) in [(4, 0), (5, 0), (6, 1), (7, 1)] as [(UInt32, Int)] {
            #expect(rejections.count { $0 == node } == count, "node \(node)")
        }
        func probes(_ node: UInt32) -> [LogIndex] {
            cluster.delivered.filter { $0.to.rawValue == node }.compactMap(\.previousIndex)
        }
        #expect(probes(6).prefix(2) == [10, 5])
        #expect(probes(7).prefix(2) == [10, 3])
    }

    @Test(
        "Section 5.4.1: who has the newer log gets the vote",
        arguments: [
            ([1], 1, 1, true), ([1], 1, 2, true), ([1], 2, 1, true), ([1], 2, 2, true), ([1, 1], 1, 1, false),
            ([1, 1], 2, 1, true), ([2], 1, 1, false), ([2], 1, 2, false), ([2, 2], 1, 1, false),
        ] as [([Term], Term, LogIndex, Bool)])
    func voteTable(log: [Term], lastTerm: Term, lastIndex: LogIndex, granted: Bool) throws {
        var node = RaftNode(
            id: NodeID(1), voters: [NodeID(1), NodeID(2)], configuration: .bare, restored: .log(log), seed: 1)
        try node.hear(2, 5, .vote(lastIndex: lastIndex, lastTerm: lastTerm))
        #expect(node.drain().map(\.body) == [.voteResponse(granted: granted)])
        #expect(node.votedFor == (granted ? NodeID(2) : nil))
    }

    @Test("A vote is given when it is durable, and then for ever")
    func voteSurvivesCrash() throws {
        let voters = [NodeID(1), NodeID(2), NodeID(3)]
        func start(_ disk: SimulatedDisk) -> RaftNode {
            RaftNode(id: NodeID(1), voters: voters, configuration: .bare, restored: disk.durable, seed: 1)
        }
        var disk = SimulatedDisk(.log([1]))
        var node = start(disk)
        let request = Message.Body.vote(lastIndex: 1, lastTerm: 1)
        try node.hear(2, 2, request)
        let ready = try node.nextReady()
        #expect(ready.messages.isEmpty)
        let write = try #require(ready.write)
        #expect(write.mustSync)
        #expect(write.hardState == HardState(term: 2, vote: NodeID(2)))
        #expect(write.messagesAfterSync.map(\.body) == [.voteResponse(granted: true)])

        // The power fails before: nobody was promised anything.
        node = start(disk)
        try node.hear(3, 2, request)
        #expect(node.drain().map(\.body) == [.voteResponse(granted: true)])

        // And after: node 3 is too late, node 2 may ask again.
        disk.enqueue(write)
        _ = disk.completeFirst()
        node = start(disk)
        try node.hear(3, 2, request)
        #expect(node.drain().map(\.body) == [.voteResponse(granted: false)])
        try node.hear(2, 2, request)
        #expect(node.drain().map(\.body) == [.voteResponse(granted: true)])
    }

    @Test(
        "A rejection skips whole terms",
        arguments: [
            ([1, 2, 2, 4, 4, 4, 4], [1, 2, 2, 3, 3, 3, 3, 3, 3, 3, 3], 7, 3, 3),
            ([1, 1, 1, 1], [1, 2, 2, 4], 1, 1, 1),
            ([2, 5, 5, 5, 5, 5, 5, 5, 5], [2, 4, 4, 4, 4, 4], 6, 4, 1),
            ([2, 2, 2, 2, 2], [2, 4, 4, 4, 4, 4, 4, 4], 1, 2, 1),
        ] as [([Term], [Term], LogIndex, Term, LogIndex)])
    func fastRejection(leader: [Term], follower: [Term], index: LogIndex, term: Term, next: LogIndex) throws {
        let voters = [NodeID(1), NodeID(2), NodeID(3)]
        var first = RaftNode(
            id: NodeID(1), voters: voters, configuration: .bare, restored: .log(leader, term: 9), seed: 1)
        var second = RaftNode(
            id: NodeID(2), voters: voters, configuration: .bare, restored: .log(follower, term: 9), seed: 2)
        try first.win(votesOf: 3)
        let sent = first.drain()
        let probe = try #require(sent.first { $0.to == NodeID(2) })
        #expect(probe.previousIndex == LogIndex(leader.count))
        try second.step(probe)
        let answers = second.drain()
        let rejection = try #require(answers.first)
        #expect(
            rejection.body
                == .appendRejection(previousIndex: LogIndex(leader.count), hintIndex: index, hintTerm: term))
        try first.step(rejection)
        #expect(first.drain().first { $0.to == NodeID(2) }?.previousIndex == next)
    }

    @Test("A leader's write that outlives its term acknowledges nothing")
    func oldTermAcknowledgement() throws {
        var cluster = Cluster([.log([1], commit: 1), .log([1], commit: 1), .log([1], commit: 1)], .bare)
        try cluster.campaign(1)
        var node = cluster[1]
        let (term, commit) = (node.term, node.commitIndex)
        _ = node.propose([7])
        let write = try node.nextWrite()
        try node.hear(2, term + 1, .heartbeat(commit: 0, sequence: 1))
        _ = node.takeReady()
        node.written(write.number)
        #expect(node.role == .follower)
        #expect(node.commitIndex == commit)
        let later = node.drain()
        #expect(later.allSatisfy { $0.term > term })
    }

    @Test("A vote for oneself that becomes durable too late is not counted")
    func oldTermVote() throws {
        var node = RaftNode(
            id: NodeID(1), voters: (1...3).map { NodeID($0) }, configuration: .bare, restored: .log([1]), seed: 1)
        node.campaign()
        let write = try node.nextWrite()
        try node.hear(2, 2, .heartbeat(commit: 0, sequence: 1))
        node.written(write.number)
        #expect(node.role == .follower)
        #expect(node.leader == NodeID(2))
        // The stale vote would now make two of three.
        try node.hear(3, 2, .voteResponse(granted: true))
        #expect(node.role == .follower)
    }

    @Test("Late pre-votes are no votes, and the own vote counts when it is durable")
    func latePreVote() throws {
        var configuration = RaftNode.Configuration.bare
        configuration.preVote = true
        var node = RaftNode(
            id: NodeID(1), voters: (1...5).map { NodeID($0) }, configuration: configuration, restored: .log([1]),
            seed: 1)
        node.campaign()
        guard case .preVote(_, _, let round)? = try node.nextReady().messages.first?.body else {
            Issue.record("no pre-vote request")
            return
        }
        try node.hear(2, 1, .preVoteResponse(granted: true, round: round))
        try node.hear(3, 1, .preVoteResponse(granted: true, round: round))
        #expect(node.role == .candidate)
        #expect(node.term == 2)
        let write = try node.nextWrite()
        // The requests leave only when the candidate's own vote is safe.
        #expect(write.messagesAfterSync.count { $0.body == .vote(lastIndex: 1, lastTerm: 1) } == 4)
        try node.hear(4, 1, .preVoteResponse(granted: true, round: round))
        try node.hear(5, 1, .preVoteResponse(granted: true, round: round))
        try node.hear(2, 2, .voteResponse(granted: true))
        try node.hear(3, 2, .voteResponse(granted: true))
        #expect(node.role == .candidate)
        node.written(write.number)
        #expect(node.role == .leader)
    }

    @Test("An answer to an earlier round of pre-votes does not count in this one")
    func preVoteRounds() throws {
        var configuration = RaftNode.Configuration.bare
        configuration.preVote = true
        var node = RaftNode(id: NodeID(1), voters: (1...3).map { NodeID($0) }, configuration: configuration, seed: 1)
        node.campaign()
        guard case .preVote(_, _, let old)? = try node.nextReady().messages.first?.body else { return }
        node.campaign()
        try node.hear(2, 0, .preVoteResponse(granted: true, round: old))
        #expect(node.role == .preCandidate)
    }

    @Test("An uncommitted entry of a newer term loses to a majority without it")
    func newerUncommittedEntryLoses() throws {
        var cluster = Cluster(
            [
                .log([1]), .log([1]), .log([2], vote: 3), .log([], term: 2, vote: 3), .log([], term: 2, vote: 3),
            ], .bare)
        try cluster.campaign(1)
        #expect(cluster[1].role != .leader)
        #expect(cluster[1].term == 2)
        try cluster.campaign(1)
        #expect(cluster[1].role == .leader)
        for node in cluster.nodes {
            #expect(node.terms == [1, 3])
            #expect(node.term == 3)
        }
    }

    @Test("Figure 8: an entry of an older term is not committed by counting")
    func figure8() throws {
        let states: [PersistedState] = [
            .log([1, 2], term: 3, commit: 1), .log([1, 2], term: 3, commit: 1), .log([1], term: 3, commit: 1),
            .log([1], term: 3, commit: 1), .log([1, 3], term: 3, commit: 1),
        ]
        var configuration = RaftNode.Configuration.bare
        configuration.maxBytesPerAppend = 1
        // (c): the leader of term 4 copies entry 2 to a third node, but its own entry gets nowhere.
        var cluster = Cluster(states, configuration)
        var probed: Set = [NodeID(2)]
        cluster.lose = { message in
            if [message.from, message.to].contains(NodeID(5)) { return true }
            // The first one only finds out that entry 2 is missing.
            return message.entries.contains { $0.term == 4 } && !probed.insert(message.to).inserted
        }
        try cluster.campaign(1)
        try cluster.tick(1, 10)
        #expect(cluster[1].role == .leader)
        #expect(cluster.nodes[0..<4].allSatisfy { $0.term(at: 2) == 2 })
        #expect(cluster[1].commitIndex == 1)
        // (d): so it is no loss when the node with the entry of term 3 wins and overwrites it.
        cluster.isolate(1)
        try cluster.campaign(5)
        try cluster.campaign(5)
        #expect(cluster[5].role == .leader)
        #expect(cluster.nodes[1...].allSatisfy { $0.terms == [1, 3, cluster[5].term] })

        // (e): with its own entry on a majority, both are committed, and the other cannot win.
        cluster = Cluster(states, configuration)
        cluster.isolate(5)
        try cluster.campaign(1)
        #expect(cluster[1].commitIndex == 3)
        cluster.isolate(1)
        try cluster.campaign(5)
        try cluster.campaign(5)
        #expect(cluster[5].role != .leader)
    }

    @Test("PreVote: a node that was cut off disturbs nobody when it is back (thesis 9.6)")
    func preVoteIsolation() throws {
        var cluster = Cluster(size: 3, RaftNode.Configuration())
        try cluster.campaign(1)
        let term = cluster[1].term
        cluster.isolate(3)
        for round in 0..<100 {
            try cluster.tickAll(10)
            if round % 10 == 0 { _ = try cluster.propose(1, [1]) }
        }
        #expect(cluster[3].term == term)
        cluster.heal()
        try cluster.tickAll(4)
        #expect(cluster[1].role == .leader)
        #expect(cluster.nodes.allSatisfy { $0.term == term && $0.commitIndex == cluster[1].lastIndex })
    }

    @Test("PreVote: the only node that can win is ahead of the others in its term (etcd #8501)")
    func preVoteFromHigherTerm() throws {
        // Node 1 has the newest log and a term that nobody else knows; node 3 is down.
        var cluster = Cluster(
            [.log([1, 2], term: 5), .log([1], term: 2), .log([1], term: 2)], RaftNode.Configuration())
        cluster.isolate(3)
        // Node 2 asks in vain, but learns the term from the refusal.
        try cluster.campaign(2)
        #expect(cluster[2].term == 5)
        cluster = Cluster([.log([1, 2], term: 5), .log([1], term: 2), .log([1], term: 2)], RaftNode.Configuration())
        cluster.isolate(3)
        // And node 1 is granted its pre-vote out of the lower term.
        try cluster.campaign(1)
        #expect(cluster[1].role == .leader)
        #expect(cluster[1].term == 6)
    }

    @Test("A candidate that is alone in a higher term is freed (etcd-io/raft, TestFreeStuckCandidate)")
    func stuckCandidate() throws {
        var configuration = RaftNode.Configuration()
        configuration.preVote = false
        var cluster = Cluster([.log([1]), .log([1]), .log([1])], configuration)
        try cluster.campaign(1)
        try cluster.tick(1, 2)
        let term = cluster[1].term
        cluster.cut([(1, 3), (1, 2)])
        try cluster.campaign(3)
        try cluster.campaign(3)
        #expect(cluster[3].term == term + 2)
        #expect(cluster[2].term == term)
        cluster.heal()
        try cluster.tick(1, 2)
        #expect(cluster[1].role == .follower)
        #expect(cluster[1].term == term + 2)
        try cluster.campaign(3)
        #expect(cluster[3].role == .leader)
    }

    @Test("CheckQuorum: a leader without a majority resigns")
    func checkQuorum() throws {
        var configuration = RaftNode.Configuration()
        configuration.preVote = false
        var cluster = Cluster(size: 3, configuration)
        try cluster.campaign(1)
        try cluster.tick(1, 4)
        let term = cluster[1].term
        cluster.isolate(1)
        var asked = false
        for _ in 0..<20 {
            cluster[1].tick()
            while let ready = cluster[1].takeReady() {
                asked = asked || ready.messages.contains(where: \.isVoteRequest)
                asked = asked || ready.write?.messagesAfterSync.contains(where: \.isVoteRequest) == true
            }
        }
        #expect(cluster[1].role == .follower)
        #expect(cluster[1].term == term)
        #expect(!asked)
        #expect(cluster[1].propose([1]) == .refused(.noLeader))

        // One of two others is enough.
        cluster = Cluster(size: 3, configuration)
        try cluster.campaign(1)
        cluster.cut([(1, 3), (2, 3)])
        try cluster.tick(1, 400)
        #expect(cluster[1].role == .leader)
    }

    @Test(
        "Partial links: who is cut off from the leader cannot depose it (Cloudflare, November 2020)", arguments: [1, 3])
    func partialLinks(leader: UInt32) throws {
        let cuts: [(UInt32, UInt32)] = [(4, 1), (4, 3), (4, 5), (5, 1), (5, 2)]
        var cluster = Cluster(size: 5, RaftNode.Configuration())
        try cluster.campaign(leader)
        let term = cluster[leader].term
        cluster.cut(cuts)
        for _ in 0..<200 {
            try cluster.tickAll(10)
            _ = try cluster.propose(leader, [1])
        }
        #expect(cluster[leader].role == .leader)
        #expect(cluster.nodes.allSatisfy { $0.term == term })
        #expect(cluster[leader].commitIndex == cluster[leader].lastIndex)

        // The two rules do it, not luck.
        var bare = Cluster(size: 5, .bare)
        try bare.campaign(leader)
        bare.cut(cuts)
        try bare.tickAll(2000)
        #expect(bare.nodes.contains { $0.term > term + 10 })
    }

    @Test("A follower of a live leader ignores candidates, and their terms (thesis 4.2.3)")
    func leaderStickiness() throws {
        var cluster = Cluster(size: 3, RaftNode.Configuration(preVote: false))
        try cluster.campaign(1)
        let term = cluster[1].term
        let request = Message.Body.vote(lastIndex: 9, lastTerm: term + 1)
        for node in [1, 2] as [UInt32] {
            try cluster[node].hear(3, term + 1, request)
            #expect(cluster[node].term == term)
        }
        // After the shortest election timeout without a word from the leader it is free.
        for _ in 0..<10 { cluster[2].tick() }
        try cluster[2].hear(3, term + 1, request)
        #expect(cluster[2].term == term + 1)
    }
}

import Raft
import Testing

/// Every limit at the limit and one past it.
struct LimitTests {
    private static let voters = (1...3).map { NodeID($0) }
    private static let weight = 8 + Entry.overhead

    private func payload(_ count: Int = 8) -> [UInt8] { [UInt8](repeating: 7, count: count) }

    /// A leader whose empty entry both others have.
    private func leader(_ configuration: RaftNode.Configuration) throws -> RaftNode {
        var node = RaftNode(id: NodeID(1), voters: Self.voters, configuration: configuration, seed: 1)
        try node.win(votesOf: 2)
        _ = node.drain()
        try node.hear(2, 1, .appendResponse(match: 1))
        try node.hear(3, 1, .appendResponse(match: 1))
        _ = node.drain()
        #expect(node.commitIndex == 1)
        return node
    }

    @Test func proposalSize() throws {
        var configuration = RaftNode.Configuration.bare
        configuration.maxProposalBytes = 8
        var node = try leader(configuration)
        #expect(node.propose(payload(8)) == .appended(index: 2, term: 1))
        #expect(node.propose(payload(9)) == .refused(.tooLarge))
        try node.hear(2, 1, .forward(payload: payload(8)))
        #expect(node.lastIndex == 3)
        let error = #expect(throws: PeerViolation.self) { try node.hear(2, 1, .forward(payload: payload(9))) }
        #expect(error?.code == .tooLarge)
    }

    @Test func uncommittedBytes() throws {
        var configuration = RaftNode.Configuration.bare
        configuration.maxProposalBytes = 9
        configuration.maxUncommittedBytes = 3 * Self.weight
        var node = try leader(configuration)
        for index in 2...3 as ClosedRange<UInt64> {
            #expect(node.propose(payload()) == .appended(index: index, term: 1))
        }
        // One byte too many, for a proposal of its own and for a forwarded one.
        #expect(node.propose(payload(9)) == .refused(.tooManyUncommittedBytes))
        try node.hear(2, 1, .forward(payload: payload(9)))
        #expect(node.lastIndex == 3)
        #expect(node.propose(payload(8)) == .appended(index: 4, term: 1))
        #expect(node.propose([]) == .refused(.tooManyUncommittedBytes))
        // What is committed makes room.
        _ = node.drain()
        try node.hear(2, 1, .appendResponse(match: 2))
        #expect(node.propose(payload(8)) == .appended(index: 5, term: 1))
        #expect(node.propose([]) == .refused(.tooManyUncommittedBytes))
    }

    @Test("A new leader counts what earlier ones left")
    func inheritedUncommittedBytes() throws {
        var configuration = RaftNode.Configuration.bare
        configuration.maxProposalBytes = 2
        // Two entries of two bytes, the empty entry, and room for one more.
        configuration.maxUncommittedBytes = 4 * Entry.overhead + 6
        var node = RaftNode(
            id: NodeID(1), voters: Self.voters, configuration: configuration, restored: .log([1, 1, 1], commit: 1),
            seed: 1)
        try node.win(votesOf: 2)
        #expect(node.propose([1, 2]) == .appended(index: 5, term: 2))
        #expect(node.propose([]) == .refused(.tooManyUncommittedBytes))
    }

    @Test func forwardedBytes() throws {
        var configuration = RaftNode.Configuration.bare
        configuration.maxProposalBytes = 8
        configuration.maxUncommittedBytes = 2 * Self.weight
        var node = RaftNode(id: NodeID(1), voters: Self.voters, configuration: configuration, seed: 1)
        try node.hear(2, 1, .heartbeat(commit: 0, sequence: 1))
        _ = node.drain()
        #expect(node.propose(payload(9)) == .refused(.tooLarge))
        #expect(node.propose(payload()) == .forwarded(to: NodeID(2)))
        #expect(node.propose(payload()) == .forwarded(to: NodeID(2)))
        #expect(node.propose([]) == .refused(.tooManyUncommittedBytes))
        #expect(node.drain().map(\.body) == [.forward(payload: payload()), .forward(payload: payload())])
        #expect(node.propose(payload()) == .forwarded(to: NodeID(2)))
    }

    /// How many entries each append to node 2 has.
    private func batches(_ node: inout RaftNode) -> [Int] {
        node.drain().filter { $0.to == NodeID(2) }.map(\.entries.count)
    }

    @Test func bytesPerAppend() throws {
        for (bytes, expected) in [(2 * Self.weight, [2, 2]), (2 * Self.weight - 1, [1, 1, 1, 1]), (1, [1, 1, 1, 1])] {
            var configuration = RaftNode.Configuration.bare
            configuration.maxBytesPerAppend = bytes
            var node = try leader(configuration)
            for _ in 0..<4 { _ = node.propose(payload()) }
            #expect(batches(&node) == expected)
        }
    }

    @Test func inflightAppends() throws {
        var configuration = RaftNode.Configuration.bare
        configuration.maxBytesPerAppend = 1
        configuration.maxInflightAppends = 3
        var node = try leader(configuration)
        for _ in 0..<5 { _ = node.propose(payload()) }
        #expect(batches(&node) == [1, 1, 1])
        try node.hear(2, 1, .appendResponse(match: 2))
        #expect(batches(&node).filter { $0 > 0 } == [1])
        try node.hear(2, 1, .appendResponse(match: 4))
        #expect(batches(&node).filter { $0 > 0 } == [1])
        #expect(node.status.peers[0].next == 7)
    }

    @Test func inflightBytes() throws {
        var configuration = RaftNode.Configuration.bare
        configuration.maxInflightBytes = 3 * Self.weight
        var node = try leader(configuration)
        for _ in 0..<4 { _ = node.propose(payload()) }
        #expect(batches(&node) == [3])
        try node.hear(2, 1, .appendResponse(match: 4))
        _ = batches(&node)
        // One byte less than three entries: two.
        configuration.maxInflightBytes = 3 * Self.weight - 1
        node = try leader(configuration)
        for _ in 0..<4 { _ = node.propose(payload()) }
        #expect(batches(&node) == [2])
        // An entry that is larger than the limit travels alone.
        configuration.maxInflightBytes = 1
        node = try leader(configuration)
        for _ in 0..<2 { _ = node.propose(payload()) }
        #expect(batches(&node) == [1])
    }

    @Test func writesInFlight() throws {
        var configuration = RaftNode.Configuration.bare
        configuration.maxWritesInFlight = 2
        var node = try leader(configuration)
        var numbers: [UInt64] = []
        for _ in 0..<3 {
            _ = node.propose(payload())
            if let write = node.takeReady()?.write { numbers.append(write.number) }
        }
        #expect(numbers.count == 2)
        // Nothing can be done before the disk is.
        #expect(!node.hasReady)
        #expect(node.takeReady() == nil)
        node.written(numbers[0])
        #expect(node.hasReady)
        let write = try node.nextWrite()
        #expect(write.entries.map(\.index) == [4])
    }

    @Test func committedPerReady() throws {
        var configuration = RaftNode.Configuration.bare
        configuration.maxCommittedPerReady = 3
        var node = RaftNode(
            id: NodeID(1), voters: Self.voters, configuration: configuration,
            restored: .log([1, 1, 1, 1, 1], commit: 4), seed: 1)
        #expect(node.takeReady()?.committed.map(\.index) == [1, 2, 3])
        #expect(node.takeReady()?.committed.map(\.index) == [4])
        #expect(!node.hasReady)
        #expect(node.takeReady() == nil)
    }

    @Test func heartbeatContext() throws {
        var node = try leader(.bare)
        node.tick()
        node.tick()
        _ = node.drain()
        let context = [UInt8](repeating: 1, count: 1024)
        try node.hear(2, 1, .heartbeatResponse(sequence: 2, context: context))
        #expect(node.takePeerContexts().map(\.1) == [context])
        let error = #expect(throws: PeerViolation.self) {
            try node.hear(2, 1, .heartbeatResponse(sequence: 2, context: context + [1]))
        }
        #expect(error?.code == .tooLarge)
        node.heartbeatContext = context
    }

    @Test func snapshotSize() throws {
        var configuration = RaftNode.Configuration.bare
        configuration.maxSnapshotBytes = 8
        var node = RaftNode(id: NodeID(1), voters: Self.voters, configuration: configuration, seed: 1)
        for count in [9, 8] {
            let snapshot = Snapshot(index: 5, term: 1, voters: Self.voters, data: payload(count))
            let chunk = SnapshotChunk(
                index: 5, term: 1, voters: Self.voters, totalBytes: UInt64(count), checksum: snapshot.checksum,
                offset: 0, bytes: snapshot.data)
            if count == 8 {
                try node.hear(2, 1, .snapshotChunk(chunk))
            } else {
                let error = #expect(throws: PeerViolation.self) { try node.hear(2, 1, .snapshotChunk(chunk)) }
                #expect(error?.code == .tooLarge)
            }
        }
        #expect(node.snapshotIndex == 5)
    }

    @Test func voters() throws {
        let most = (1...UInt32(RaftNode.maxVoters)).map { NodeID($0) }
        var node = RaftNode(id: NodeID(1), voters: most, configuration: .bare, seed: 1)
        for (voters, accepted) in [(most + [NodeID(99)], false), (most, true)] {
            let chunk = SnapshotChunk(
                index: 5, term: 1, voters: voters, totalBytes: 0,
                checksum: Snapshot(index: 5, term: 1, voters: voters, data: []).checksum, offset: 0, bytes: [])
            if accepted {
                try node.hear(2, 1, .snapshotChunk(chunk))
            } else {
                #expect(throws: PeerViolation.self) { try node.hear(2, 1, .snapshotChunk(chunk)) }
            }
        }
        #expect(node.snapshotIndex == 5)
    }
}

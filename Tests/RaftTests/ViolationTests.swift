import Raft
import Testing

/// What no correct node can send is refused, and changes nothing.
struct ViolationTests {
    private static let voters = (1...3).map { NodeID($0) }

    /// A follower of node 2 in term 5 with the log `[1 2 5]`, of which two are committed.
    private func follower() throws -> RaftNode {
        var node = RaftNode(
            id: NodeID(1), voters: Self.voters, configuration: .bare,
            restored: .log([1, 2, 5], term: 5, commit: 2), seed: 1)
        try node.hear(2, 5, .heartbeat(commit: 2, sequence: 1))
        _ = node.drain()
        return node
    }

    private func expect(
        _ code: PeerViolation.Code, _ node: RaftNode, _ from: UInt32, _ term: Term, _ body: Message.Body,
        sourceLocation: SourceLocation = #_sourceLocation
    ) {
        var node = node
        let before = node.entries(from: 1)
        let error = #expect(throws: PeerViolation.self, "\(body)", sourceLocation: sourceLocation) {
            try node.hear(from, term, body)
        }
        #expect(error?.code == code, "\(String(describing: error))", sourceLocation: sourceLocation)
        #expect(node.entries(from: 1) == before, sourceLocation: sourceLocation)
        #expect(node.commitIndex == 2 || node.role == .leader, sourceLocation: sourceLocation)
    }

    private func entry(_ index: LogIndex, _ term: Term) -> Entry { Entry(index: index, term: term, payload: []) }

    @Test("Committed entries are never replaced")
    func committed() throws {
        let node = try follower()
        expect(
            .committedConflict, node, 2, 5,
            .append(previousIndex: 1, previousTerm: 1, commit: 0, entries: [entry(2, 3), entry(3, 5)]))
        expect(.committedConflict, node, 2, 5, .append(previousIndex: 2, previousTerm: 3, commit: 0, entries: []))
        expect(
            .committedConflict, node, 3, 9,
            .append(previousIndex: 0, previousTerm: 0, commit: 0, entries: [entry(1, 4)]))
        expect(.committedConflict, node, 3, 9, .snapshotChunk(chunk(index: 2, term: 3)))
        // What is not committed may be.
        var other = node
        try other.hear(3, 9, .append(previousIndex: 2, previousTerm: 2, commit: 0, entries: [entry(3, 9)]))
        #expect(other.terms == [1, 2, 9])
    }

    @Test("Also where the log was compacted")
    func committedBase() throws {
        var node = RaftNode(
            id: NodeID(1), voters: Self.voters, configuration: .bare,
            restored: PersistedState(
                hardState: HardState(term: 5, commit: 2),
                snapshot: Snapshot(index: 2, term: 2, voters: Self.voters, data: []), entries: []), seed: 1)
        expect(
            .committedConflict, node, 2, 5,
            .append(previousIndex: 0, previousTerm: 0, commit: 0, entries: [entry(1, 1), entry(2, 3)]))
        // The part before the base is known to be the same, and the rest is news.
        try node.hear(
            2, 5,
            .append(previousIndex: 0, previousTerm: 0, commit: 0, entries: [entry(1, 1), entry(2, 2), entry(3, 5)]))
        #expect(node.lastIndex == 3)
        #expect(node.drain().map(\.body) == [.appendResponse(match: 3)])
        // All of it before the base: the answer says where the leader may go on.
        try node.hear(2, 5, .append(previousIndex: 0, previousTerm: 0, commit: 0, entries: [entry(1, 1)]))
        #expect(node.drain().map(\.body) == [.appendResponse(match: 2)])
    }

    @Test("One leader in a term")
    func twoLeaders() throws {
        let node = try follower()
        expect(.twoLeaders, node, 3, 5, .heartbeat(commit: 0, sequence: 1))
        expect(.twoLeaders, node, 3, 5, .append(previousIndex: 0, previousTerm: 0, commit: 0, entries: []))
        expect(.twoLeaders, node, 3, 5, .snapshotChunk(chunk(index: 9, term: 5)))
        var leader = node
        try leader.win(votesOf: 2)
        expect(.twoLeaders, leader, 2, 6, .heartbeat(commit: 0, sequence: 1))
    }

    @Test("Nobody can know of entries that are not there")
    func unknownEntries() throws {
        let node = try follower()
        var leader = node
        try leader.win(votesOf: 2)
        expect(.unknownEntries, leader, 2, 6, .appendResponse(match: 5))
        expect(.malformed, leader, 2, 6, .heartbeatResponse(sequence: 77, context: []))
    }

    @Test("Only voters may speak, and only to this node")
    func misaddressed() throws {
        let node = try follower()
        expect(.misaddressed, node, 4, 5, .heartbeat(commit: 0, sequence: 1))
        expect(.misaddressed, node, 1, 5, .heartbeat(commit: 0, sequence: 1))
        var other = node
        let error = #expect(throws: PeerViolation.self) {
            try other.step(Message(from: NodeID(2), to: NodeID(3), term: 5, body: .staleTerm))
        }
        #expect(error?.code == .misaddressed)
    }

    @Test("What contradicts itself, or would overflow")
    func malformed() throws {
        let node = try follower()
        let bodies: [Message.Body] = [
            .append(previousIndex: 3, previousTerm: 5, commit: 0, entries: [entry(5, 5)]),
            .append(previousIndex: 3, previousTerm: 5, commit: 0, entries: [entry(4, 4)]),
            .append(previousIndex: 3, previousTerm: 5, commit: 0, entries: [entry(4, 6)]),
            .append(previousIndex: 3, previousTerm: 6, commit: 0, entries: []),
            .append(previousIndex: 0, previousTerm: 1, commit: 0, entries: []),
            .append(previousIndex: 1, previousTerm: 0, commit: 0, entries: []),
            .append(previousIndex: .max, previousTerm: 5, commit: 0, entries: [entry(0, 5)]),
            .append(previousIndex: 3, previousTerm: 5, commit: .max, entries: []),
            .appendResponse(match: .max),
            .appendRejection(previousIndex: 0, hintIndex: 0, hintTerm: 0),
            .appendRejection(previousIndex: 3, hintIndex: 4, hintTerm: 0),
            .heartbeat(commit: .max, sequence: 0),
            .heartbeat(commit: 0, sequence: .max),
            .heartbeatResponse(sequence: .max, context: []),
            .vote(lastIndex: .max, lastTerm: 1),
            .preVote(lastIndex: 1, lastTerm: 6, round: 0),
            .snapshotChunk(chunk(index: 9, term: 6)),
            .snapshotChunk(chunk(index: 0, term: 1)),
            .snapshotChunk(chunk(index: 9, term: 0)),
            .snapshotChunk(chunk(index: 9, term: 5, total: 3, offset: 2, bytes: [1, 2])),
            .snapshotChunk(chunk(index: 9, term: 5, total: 3, offset: .max, bytes: [1, 2])),
            .snapshotChunk(chunk(index: 9, term: 5, total: 3, offset: 1, bytes: [])),
            .snapshotChunk(chunk(index: 9, term: 5, voters: [])),
            .snapshotChunk(chunk(index: 9, term: 5, voters: [NodeID(2), NodeID(2)])),
        ]
        for body in bodies { expect(.malformed, node, 2, 5, body) }
        expect(.malformed, node, 2, .max, .staleTerm)
        expect(.malformed, node, 2, 0, .heartbeat(commit: 0, sequence: 0))
    }

    @Test("A snapshot's pieces must give what was announced; then it is fetched again")
    func corruptSnapshot() throws {
        var node = try follower()
        let good = Snapshot(index: 9, term: 5, voters: Self.voters, data: [1, 2, 3])
        let announced = chunk(index: 9, term: 5, checksum: good.checksum, total: 3, bytes: [1, 2, 4])
        expect(.corruptSnapshot, node, 2, 5, .snapshotChunk(announced))
        _ = try? node.hear(2, 5, .snapshotChunk(announced))
        var again = announced
        again.bytes = [1, 2, 3]
        try node.hear(2, 5, .snapshotChunk(again))
        #expect(node.snapshot == good)
    }

    private func chunk(
        index: LogIndex, term: Term, checksum: UInt64? = nil, total: UInt64 = 0, offset: UInt64 = 0,
        bytes: [UInt8] = [], voters: [NodeID] = voters
    ) -> SnapshotChunk {
        SnapshotChunk(
            index: index, term: term, voters: voters, totalBytes: total,
            checksum: checksum ?? Snapshot(index: index, term: term, voters: voters, data: bytes).checksum,
            offset: offset, bytes: bytes)
    }
}

import ByteCoding
import Coordination
import LimiterCore
import NodeRuntime
import PeerCodec
import Raft
import Testing

/// Each limit: as much as it allows is taken, one more is refused by the receiver.
///
/// A sender of ours traps where it would exceed one, so what is too long is made by hand: the count of a message at its limit is
/// raised, and the bytes of one more element are appended.
struct LimitTests {
    private static let terms = BucketTerms(emissionInterval: 1_000, tolerance: 100_000, unit: 1, exact: false)
    private static let id = BucketID(high: 1, low: 2)

    private func item(_ groups: Int = 0, predecessors: Int = 0) -> ReportItem {
        ReportItem(
            range: RangeID(1), id: Self.id, terms: Self.terms,
            predecessors: Array(
                repeating: RuleDirectory.Predecessor(id: Self.id, emissionInterval: 1, unit: 1), count: predecessors),
            waiting: Array(
                repeating: WaitingGroup(firstTicket: 1, count: 1, time: 1_000, longestWait: 0), count: groups))
    }

    private func report(_ items: [ReportItem]) -> PeerMessage {
        .coordination(.report(Report(session: 1, number: 2, verdictsSeen: 3, items: items)))
    }

    private func raft(_ body: Message.Body) -> PeerMessage {
        .raft(Message(from: NodeID(1), to: NodeID(2), term: 3, body: body))
    }

    /// Expects `message` to pass and one more element, `bytes` long at the end of the message, to be refused, where the count
    /// is written at `offset` as a `Count`.
    private func check<Count: FixedWidthInteger>(
        _ message: PeerMessage, countAt offset: Int, as: Count.Type, elementBytes: Int, trailer: Int = 0,
        location: SourceLocation = #_sourceLocation
    ) throws {
        let bytes = PeerCodec.encode(message)
        #expect(try PeerCodec.decode(bytes[...]) == message, sourceLocation: location)
        var longer = bytes
        let end = longer.count - trailer
        longer.insert(contentsOf: bytes[(end - elementBytes)..<end], at: end)
        let count = bytes[offset..<offset + MemoryLayout<Count>.size].reversed().reduce(0) { $0 << 8 | Int($1) } + 1
        for i in 0..<MemoryLayout<Count>.size { longer[offset + i] = UInt8(truncatingIfNeeded: count >> (8 * i)) }
        do {
            _ = try PeerCodec.decode(longer[...])
            Issue.record("one more than the limit was taken", sourceLocation: location)
        } catch {
            // Refused for the count and not for the bytes.
            let text = error.description
            #expect(
                text.hasPrefix("a count of \(count)") || text.hasPrefix("more than"), "\(text)",
                sourceLocation: location)
        }
    }

    @Test("Buckets in a report")
    func items() throws {
        try check(
            report(Array(repeating: item(), count: Report.mostItems)), countAt: 26, as: UInt32.self, elementBytes: 35)
    }

    @Test("Groups in a report, of one bucket and of several")
    func groups() throws {
        try check(report([item(Report.mostGroups)]), countAt: 65, as: UInt16.self, elementBytes: 28)
        // The first bucket has all of them; a second one with one more is one too many.
        let bytes = PeerCodec.encode(report([item(Report.mostGroups), item()]))
        #expect(throws: Never.self) { try PeerCodec.decode(bytes[...]) }
        var one = PeerCodec.encode(report([item(1)]))
        one.removeFirst(30)
        var longer = Array(bytes.dropLast(35)) + one
        longer[26] = 2
        #expect(throws: DecodingFailure("more than 8192 groups of requests in a report, at offset \(longer.count)")) {
            try PeerCodec.decode(longer[...])
        }
    }

    @Test("Predecessors of a bucket")
    func predecessors() throws {
        try check(
            report([item(predecessors: Report.mostPredecessors)]), countAt: 65, as: UInt8.self, elementBytes: 32)
    }

    @Test("Readings, buckets and verdicts in an answer")
    func answers() throws {
        let reading = AxisReading(range: RangeID(1), epoch: 2, axis: AxisTime(ns: 3))
        let bucket = AnswerItem(range: RangeID(1), id: Self.id, tat: AxisTime(ns: 3), allowance: nil)
        let verdict = Verdict(firstTicket: 1, count: 1, outcome: .notOwner)
        func answer(_ readings: Int, _ items: Int, _ verdicts: Int) -> PeerMessage {
            .coordination(
                .answer(
                    Answer(
                        session: 1, number: 2, readings: Array(repeating: reading, count: readings),
                        items: Array(repeating: bucket, count: items),
                        verdicts: VerdictBatch(first: 1, verdicts: Array(repeating: verdict, count: verdicts)))))
        }
        try check(answer(RangeID.count, 0, 0), countAt: 18, as: UInt8.self, elementBytes: 17, trailer: 16)
        try check(answer(0, Report.mostItems, 0), countAt: 19, as: UInt32.self, elementBytes: 25, trailer: 12)
        try check(answer(0, 0, Owner.mostUnseen), countAt: 31, as: UInt32.self, elementBytes: 17)
    }

    @Test("Verdicts between two answers")
    func verdicts() throws {
        let verdict = Verdict(firstTicket: 1, count: 1, outcome: .unknown)
        try check(
            .coordination(
                .verdicts(
                    session: 1, VerdictBatch(first: 1, verdicts: Array(repeating: verdict, count: Owner.mostUnseen)))),
            countAt: 18, as: UInt32.self, elementBytes: 17)
    }

    @Test("Entries in an append")
    func entries() throws {
        let entry = Entry(index: 1, term: 1, payload: [])
        try check(
            raft(
                .append(
                    previousIndex: 0, previousTerm: 0, commit: 0,
                    entries: Array(repeating: entry, count: PeerCodec.Limits.entries))),
            countAt: 42, as: UInt32.self, elementBytes: 21)
    }

    @Test("Bytes in a payload, a proposal, a heartbeat's context and a piece of a snapshot; voters of a snapshot")
    func bytes() throws {
        let payload = [UInt8](repeating: 7, count: PeerCodec.Limits.payloadBytes)
        try check(
            raft(
                .append(
                    previousIndex: 0, previousTerm: 0, commit: 0, entries: [Entry(index: 1, term: 1, payload: payload)])
            ),
            countAt: 63, as: UInt32.self, elementBytes: 1)
        try check(raft(.forward(payload: payload)), countAt: 18, as: UInt32.self, elementBytes: 1)
        try check(
            raft(.heartbeatResponse(sequence: 1, context: Array(repeating: 7, count: RaftNode.maxContextBytes))),
            countAt: 26, as: UInt32.self, elementBytes: 1)
        func chunk(voters: Int, bytes: Int) -> PeerMessage {
            raft(
                .snapshotChunk(
                    SnapshotChunk(
                        index: 1, term: 1, voters: (0..<voters).map { NodeID(UInt32($0)) }, totalBytes: 1, checksum: 1,
                        offset: 0, bytes: Array(repeating: 7, count: bytes))))
        }
        try check(
            chunk(voters: 0, bytes: PeerCodec.Limits.snapshotChunkBytes), countAt: 62, as: UInt32.self, elementBytes: 1)
        try check(
            chunk(voters: RaftNode.maxVoters, bytes: 0), countAt: 34, as: UInt32.self, elementBytes: 4, trailer: 28)
    }

    @Test("A full append of the default configuration is within the limits")
    func defaults() {
        let raft = RaftNode.Configuration()
        #expect(raft.maxBytesPerAppend / Entry.overhead <= PeerCodec.Limits.entries)
        #expect(raft.maxProposalBytes <= PeerCodec.Limits.payloadBytes)
        #expect(raft.maxSnapshotChunk <= PeerCodec.Limits.snapshotChunkBytes)
    }

    @Test("The hot path is lean")
    func sizes() {
        func size(_ items: [ReportItem]) -> Int { PeerCodec.encode(report(items)).count }
        #expect(size([]) == 30)
        var usage = item()
        usage.used = 5
        #expect(size([usage]) - size([]) == 43)
        #expect(size([item(1)]) - size([]) == 65)
        // Only who has a weight, a reserve or something closed pays for it; a priority is a bit.
        var heavy = item(1)
        heavy.waiting[0].priority = .critical
        #expect(size([heavy]) == size([item(1)]))
        heavy.weight = 2
        #expect(size([heavy]) == size([item(1)]) + 4)
        heavy.terms.reserve = 1_000
        heavy.waiting[0].closed = 1_000
        #expect(size([heavy]) == size([item(1)]) + 20)
    }
}

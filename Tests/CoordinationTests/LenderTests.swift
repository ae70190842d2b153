import LimiterCore
import Raft
import Testing

@testable import Coordination

/// A node's side towards its clients, event by event; what it means for the promise is judged in virtual time by `EmbeddedClientTests`.
struct LenderTests {
    /// One plain table.
    private final class Store: AllowanceStore {
        var table = AllowanceTable(capacity: 64)
        func withTable<Result>(for id: BucketID, _ body: (inout AllowanceTable) -> Result) -> Result { body(&table) }
        func withEachTable(_ body: (inout AllowanceTable) -> Void) { body(&table) }
    }

    /// A node that holds an allowance of 40 tokens, of 1 ms each, for one bucket whose owner is another node.
    private final class Node {
        let store = Store()
        var holder = Holder(nodes: 3, seed: 1, patience: 1_000_000_000, isolationAfter: 2_000_000_000)
        var lender = Lender()
        let directory: RuleDirectory
        let bucket: Bucket
        let start: Int64 = 5_000_000_000
        static let version: UInt64 = 11
        static let token: Int64 = 1_000_000

        init() throws {
            let rule = try Rule(name: "r", limit: Limit(tokens: 1_000, per: 1_000_000_000, burst: 1_000))
            directory = RuleDirectory(
                rules: [VersionedRule(rule: rule, version: Node.version)], hash: KeyedHash(secret: (1, 2)),
                drift: DriftBound(partsPerBillion: 500_000))
            bucket = directory.bucket(rule: Array("r".utf8).span.bytes, key: Array("k".utf8).span.bytes)!
            var state = ReplicatedState()
            let all = RangeID.all.map { Assignment(range: $0, replaces: 0, node: NodeID(2), incarnation: 7) }
            let genesis = Genesis(secretHigh: 1, secretLow: 2, cluster: 3, parameters: ClusterParameters())
            holder.applied(state.apply(.genesis(genesis), at: 1), state: state, now: ClockTime(ns: 0))
            holder.applied(state.apply(.assign(all), at: 2), state: state, now: ClockTime(ns: 0))
            // One request of its own, which the owner admits and answers with an allowance.
            holder.submit(
                PendingRequest(bucket: bucket, key: Array("k".utf8), cost: 1, token: 1), sink: 0, now: ClockTime(ns: 1))
            let report = holder.reportsDue(directory: directory, store: store, now: ClockTime(ns: 2))[0].report
            let allowance = Allowance(
                start: AxisTime(ns: start + 900 * Node.token), end: AxisTime(ns: start + 940 * Node.token))
            holder.receive(
                Answer(
                    session: report.session, number: report.number,
                    readings: [AxisReading(range: bucket.range, epoch: 2, axis: AxisTime(ns: start))],
                    items: [AnswerItem(range: bucket.range, id: bucket.id, tat: allowance.end, allowance: allowance)],
                    verdicts: VerdictBatch(
                        first: 1,
                        verdicts: [
                            Verdict(
                                firstTicket: 1, count: 1, outcome: .decided, admitted: 1, axis: AxisTime(ns: start),
                                tat: AxisTime(ns: start + Node.token), refusalTat: AxisTime(ns: start + Node.token))
                        ])), store: store, now: ClockTime(ns: 3))
            _ = holder.takeSettled()
        }

        func item(
            used: Int64 = 0, want: Int64 = 0, _ waiting: [WaitingGroup] = [], version: UInt64 = Node.version
        ) -> ReportItem {
            ReportItem(
                range: bucket.range, id: bucket.id, terms: BucketTerms(bucket), used: used, want: want,
                waiting: waiting,
                name: ItemName(rule: Array("r".utf8), version: version, key: Array("k".utf8)))
        }

        func report(_ number: UInt64, _ items: [ReportItem], session: UInt64 = 9) -> Answer? {
            lender.receive(
                Report(session: session, number: number, verdictsSeen: 0, items: items), from: ClientID(4),
                holder: &holder, store: store, directory: directory, applied: 20, now: ClockTime(ns: 10))
        }

        var held: Int64 {
            store.table.held(bucket.id, scaled: DriftBound(partsPerBillion: 500_000).longest(10)) / Node.token
        }
    }

    private func group(_ first: UInt64, _ count: UInt32, tokens: Int64 = 1, gathers: Bool = false) -> WaitingGroup {
        WaitingGroup(firstTicket: first, count: count, time: tokens * Node.token, longestWait: 0, gathers: gathers)
    }

    @Test func whatIsLentIsGoneFromTheNode() throws {
        let node = try Node()
        #expect(node.held == 40)
        let answer = try #require(node.report(1, [node.item(want: 10 * Node.token)]))
        let lent = try #require(answer.items.first?.allowance)
        #expect(lent.end - lent.start == 10 * Node.token)
        #expect(lent.start.ns == node.start + 900 * Node.token)
        #expect(node.held == 30)
        // The node's bracket, which is wider than its owner's reading.
        #expect(answer.readings.count == 1 && answer.readings[0].epoch == 2)
        #expect(answer.readings[0].axis.ns >= node.start)
    }

    @Test func aRepeatedReportGetsTheSameAnswer() throws {
        let node = try Node()
        let first = node.report(1, [node.item(want: 10 * Node.token)])
        let again = node.report(1, [node.item(want: 10 * Node.token)])
        #expect(first != nil && first == again)
        #expect(node.held == 30)
        _ = node.report(2, [])
        #expect(node.report(1, [node.item(want: 10 * Node.token)]) == nil)
        #expect(node.held == 30)
    }

    @Test func waitingRequestsComeFirst() throws {
        let node = try Node()
        let answer = try #require(node.report(1, [node.item(want: 100 * Node.token, [group(1, 35)])]))
        #expect(answer.verdicts.verdicts.map(\.admitted) == [35])
        let lent = try #require(answer.items.first?.allowance)
        #expect(lent.end - lent.start == 5 * Node.token)
        #expect(node.held == 0)
    }

    @Test func whatTheNodeCannotDecideItsOwnerIsAsked() throws {
        let node = try Node()
        let answer = try #require(node.report(1, [node.item([group(1, 50)])]))
        #expect(answer.verdicts.verdicts.map(\.admitted) == [40])
        #expect(node.lender.waitingCount == 10)
        let toOwner = node.holder.reportsDue(
            directory: node.directory, store: node.store, now: ClockTime(ns: 100_000_000))
        #expect(toOwner.count == 1)
        let forwarded = try #require(toOwner.first?.report.items.first)
        #expect(forwarded.waiting.map(\.count) == [10])
        #expect(forwarded.name == nil)
    }

    @Test func gatheredRequestsComeWithTheirSpans() throws {
        let node = try Node()
        let answer = try #require(node.report(1, [node.item([group(1, 2, tokens: 5, gathers: true)])]))
        let verdicts = answer.verdicts.verdicts
        #expect(verdicts.map(\.epoch) == [2, 2])
        #expect(verdicts.map { $0.tat.ns - node.start } == [905 * Node.token, 910 * Node.token])
        #expect(node.held == 30)
    }

    /// What a client has gathered it can put back, even of a range that it has heard nothing of yet.
    @Test func aClientCanPutBackWhatItGathered() throws {
        let node = try Node()
        let store = Store()
        var client = Holder(nodes: nil, seed: 3, patience: 1_000_000_000, isolationAfter: 2_000_000_000)
        client.connected(to: Tenant(node: NodeID(1), incarnation: 1), now: ClockTime(ns: 0))
        client.submit(
            PendingRequest(bucket: node.bucket, key: Array("k".utf8), cost: 4, gathers: true, token: 8), sink: 0,
            now: ClockTime(ns: 1))
        let report = client.reportsDue(directory: node.directory, store: store, now: ClockTime(ns: 1))[0].report
        let answer = node.lender.receive(
            report, from: ClientID(1), holder: &node.holder, store: node.store, directory: node.directory, applied: 20,
            now: ClockTime(ns: 10))
        client.receive(
            verdicts: try #require(answer).verdicts, session: report.session, store: store, now: ClockTime(ns: 20))
        let piece = try #require(client.takeSettled().first?.piece)
        #expect(piece.start.ns == node.start + 900 * Node.token && piece.time == 4 * Node.token)
        let scaled = client.drift.longest(20)
        let isTaken = store.table.putBack(piece, of: node.bucket.id, scaled: scaled)
        let held = store.table.held(node.bucket.id, scaled: scaled)
        #expect(isTaken && held == 4 * Node.token)
        // By a bracket that is no narrower than the node's.
        #expect(piece.base + scaled >= node.start)
    }

    @Test func aRuleThatIsNotKnownHereYetIsAskedForAgain() throws {
        let node = try Node()
        let answer = try #require(node.report(1, [node.item([group(1, 3)], version: 21)]))
        #expect(answer.verdicts.verdicts.map(\.outcome) == [.notOwner])
        #expect(node.held == 40)
    }

    @Test func anEarlierVersionIsAskedForByItsTerms() throws {
        let node = try Node()
        var item = node.item([group(1, 3)], version: 5)
        item.id = BucketID(high: 77, low: node.bucket.id.low)
        #expect(node.report(1, [item])?.verdicts.verdicts.isEmpty == true)
        let forwarded = node.holder.reportsDue(
            directory: node.directory, store: node.store, now: ClockTime(ns: 100_000_000))
        #expect(forwarded.first?.report.items.first?.id == item.id)
        #expect(forwarded.first?.report.items.first?.terms == item.terms)
    }

    @Test func aClientMayHaveSoManyRequestsWaiting() throws {
        let node = try Node()
        node.store.table.discardAll()
        let most = UInt32(Lender.mostWaitingPerClient)
        let answer = try #require(node.report(1, [node.item([group(1, most)])]))
        #expect(answer.verdicts.verdicts.isEmpty)
        let more = try #require(node.report(2, [node.item([group(UInt64(most) + 1, 1)])]))
        #expect(more.verdicts.verdicts.map(\.outcome) == [.overloaded])
        // Another client is not affected.
        let other = try #require(node.report(1, [node.item([group(1, 1)])], session: 10))
        #expect(other.verdicts.verdicts.isEmpty)
        #expect(node.lender.waitingCount == Int(most) + 1)
    }

    @Test func theLongestSilentConversationMakesWay() throws {
        let node = try Node()
        for session in 1...UInt64(Lender.mostClients) { _ = node.report(1, [], session: session) }
        #expect(node.lender.conversationCount == Lender.mostClients)
        _ = node.report(1, [], session: 5_000)
        #expect(node.lender.conversationCount == Lender.mostClients)
        // The first one is forgotten: its report is new once more.
        #expect(node.report(1, [node.item(want: Node.token * 2)], session: 1)?.items.first?.allowance != nil)
    }

    @Test func decisionsTravelAsVerdictsWithoutLoss() throws {
        // What the owner decides for the node is decided for the client: the same numbers on both sides.
        for (outcome, retry) in [(Decision.Outcome.allowed, Int64(-1)), (.limited, 3 * Node.token)] {
            let node = try Node()
            node.store.table.discardAll()
            var client = Holder(nodes: nil, seed: 3, patience: 1_000_000_000, isolationAfter: 2_000_000_000)
            client.connected(to: Tenant(node: NodeID(1), incarnation: 1), now: ClockTime(ns: 0))
            client.submit(
                PendingRequest(bucket: node.bucket, key: Array("k".utf8), cost: 4, token: 8), sink: 0,
                now: ClockTime(ns: 1))
            let report = client.reportsDue(directory: node.directory, store: node.store, now: ClockTime(ns: 1))[0]
                .report
            _ = node.lender.receive(
                report, from: ClientID(1), holder: &node.holder, store: node.store, directory: node.directory,
                applied: 20, now: ClockTime(ns: 10))
            var decision = Decision(outcome: outcome, limit: 1_000)
            decision.resetAfter = outcome == .allowed ? 500 * Node.token : 999 * Node.token
            decision.remaining = outcome == .allowed ? 500 : 1
            decision.retryAfter = retry
            node.lender.settled(
                Holder.Settled(sink: Lender.sink, token: 1, decision: decision, piece: nil), holder: node.holder,
                now: ClockTime(ns: 15))
            guard case .verdicts(let session, let batch) = node.lender.takePending().first?.message else {
                Issue.record("no verdict")
                continue
            }
            client.receive(verdicts: batch, session: session, store: node.store, now: ClockTime(ns: 20))
            let settled = client.takeSettled()
            #expect(settled.map(\.decision) == [decision])
            #expect(settled.map(\.token) == [8])
        }
    }

    @Test("What is lent is divided by weight, and the node asks for as much as those that go short")
    func weights() throws {
        func first(_ weight: UInt32, of others: [UInt32]) throws -> Int64 {
            let node = try Node()
            for (i, other) in others.enumerated() {
                var item = node.item()
                (item.weight, item.refused) = (other, 1)
                _ = node.report(1, [item], session: 100 + UInt64(i))
            }
            var item = node.item(want: 40 * Node.token)
            item.weight = weight
            let answer = try #require(node.report(1, [item]))
            let allowance = try #require(answer.items.first?.allowance)
            return (allowance.end - allowance.start) / Node.token
        }
        #expect(try first(1, of: []) == 40)
        #expect(try first(1, of: [1]) == 20)
        #expect(try first(3, of: [1]) == 30)
        #expect(try first(1, of: [3, 4]) == 5)
        #expect(try first(100, of: [100, 100, 100]) == 10)

        let node = try Node()
        let at = ClockTime(ns: 20)
        #expect(node.holder.weight(of: node.bucket.id, now: at) == 1)
        var item = node.item()
        (item.weight, item.refused) = (5, 1)
        _ = node.report(1, [item])
        #expect(node.holder.weight(of: node.bucket.id, now: at) == 5)
        item.weight = 100
        _ = node.report(1, [item], session: 10)
        #expect(node.holder.weight(of: node.bucket.id, now: at) == 105)
        // One that gets what it wants adds nothing.
        item = node.item(want: Node.token)
        item.weight = 50
        _ = node.report(1, [item], session: 11)
        #expect(node.holder.weight(of: node.bucket.id, now: at) == 105)
        #expect(node.holder.weight(of: node.bucket.id, now: ClockTime(ns: 1_000_000_010)) == 1)
    }

    @Test("What is closed to a client that is ahead is closed to it at the owner, too")
    func aheadAndForwarded() throws {
        let node = try Node()
        var hungry = node.item()
        hungry.refused = 1
        _ = node.report(1, [hungry], session: 50)
        _ = node.report(1, [node.item(want: 20 * Node.token)])
        let answer = try #require(node.report(2, [node.item([group(1, 30)])]))
        #expect(node.lender.waitingCount > 0)
        let report = try #require(
            node.holder.reportsDue(directory: node.directory, store: node.store, now: ClockTime(ns: 60_000_000)).first)
        #expect(report.report.items[0].waiting.map(\.closed) == [20 * Node.token])
        #expect(answer.verdicts.verdicts.isEmpty)
    }
}

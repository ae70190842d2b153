import Coordination
import LimiterCore
import NodeRuntime
import Raft

// Messages as wild as their types allow: the codec carries numbers, it does not judge them.

extension SplitMix64 {
    /// How many kinds of messages there are.
    static let kinds = 18

    mutating func message(ofKind kind: Int) -> PeerMessage {
        switch kind {
        case 13: .coordination(.report(report()))
        case 14: .coordination(.answer(answer()))
        case 15: .coordination(.verdicts(session: number(), verdicts()))
        case 16: .coordination(.handOver(range: range(), epoch: number()))
        case 17:
            .raft(Message(from: node(), to: node(), term: number(), body: .unmatched(match: number())))
        default:
            .raft(Message(from: node(), to: node(), term: number(), body: body(ofKind: kind)))
        }
    }

    private mutating func node() -> NodeID { NodeID(number()) }
    private mutating func axis() -> AxisTime { chance(4) ? .never : AxisTime(ns: number()) }
    mutating func range() -> RangeID { RangeID(below(RangeID.count)) }
    mutating func id() -> BucketID { BucketID(high: next(), low: number()) }

    private mutating func body(ofKind kind: Int) -> Message.Body {
        switch kind {
        case 0: .preVote(lastIndex: number(), lastTerm: number(), round: number())
        case 1: .preVoteResponse(granted: chance(2), round: number())
        case 2: .vote(lastIndex: number(), lastTerm: number())
        case 3: .voteResponse(granted: chance(2))
        case 4:
            .append(
                previousIndex: number(), previousTerm: number(), commit: number(),
                entries: list(upTo: 5) { generator in
                    Entry(
                        index: generator.number(), term: generator.number(),
                        kind: generator.chance(3) ? .noop : .command,
                        payload: generator.bytes(upTo: 40))
                })
        case 5: .appendResponse(match: number())
        case 6: .appendRejection(previousIndex: number(), hintIndex: number(), hintTerm: number())
        case 7: .heartbeat(commit: number(), sequence: number())
        case 8: .heartbeatResponse(sequence: number(), context: bytes(upTo: 60))
        case 9:
            .snapshotChunk(
                SnapshotChunk(
                    index: number(), term: number(), voters: list(upTo: 5) { $0.node() }, totalBytes: number(),
                    checksum: number(), offset: number(), bytes: bytes(upTo: 60)))
        case 10: .snapshotResponse(index: number(), snapshotTerm: number(), offset: number(), received: number())
        case 11: .staleTerm
        default: .forward(payload: bytes(upTo: 60))
        }
    }

    mutating func report() -> Report {
        Report(session: number(), number: number(), verdictsSeen: number(), items: list(upTo: 6) { $0.reportItem() })
    }

    private mutating func reportItem() -> ReportItem {
        ReportItem(
            range: range(), id: id(),
            terms: BucketTerms(
                emissionInterval: number(), tolerance: number(), unit: number(), exact: chance(2),
                reserve: chance(2) ? 0 : number()),
            predecessors: chance(2)
                ? []
                : list(upTo: Report.mostPredecessors) { generator in
                    RuleDirectory.Predecessor(
                        id: generator.id(), emissionInterval: generator.number(), unit: generator.number())
                },
            used: number(), refused: number(), want: number(), weight: chance(2) ? 1 : number(),
            waiting: list(upTo: 3) { $0.group() },
            name: chance(2)
                ? nil : ItemName(rule: bytes(upTo: Rule.longestName), version: number(), key: bytes(upTo: 60)))
    }

    mutating func group() -> WaitingGroup {
        WaitingGroup(
            firstTicket: number(), count: number(UInt32.self) & 0x1fff_ffff, time: number(), longestWait: number(),
            gathers: chance(2), priority: chance(2) ? .critical : .normal, closed: chance(2) ? 0 : number())
    }

    mutating func answer() -> Answer {
        Answer(
            session: number(), number: number(),
            readings: list(upTo: 4) { AxisReading(range: $0.range(), epoch: $0.number(), axis: $0.axis()) },
            items: list(upTo: 6) { generator in
                AnswerItem(
                    range: generator.range(), id: generator.id(), tat: generator.axis(),
                    allowance: generator.chance(2) ? nil : Allowance(start: generator.axis(), end: generator.axis()))
            }, verdicts: verdicts())
    }

    mutating func verdicts() -> VerdictBatch {
        VerdictBatch(first: number(), verdicts: list(upTo: 5) { $0.verdict() })
    }

    mutating func verdict() -> Verdict {
        let tat = axis()
        return Verdict(
            firstTicket: number(), count: number(), outcome: Verdict.Outcome(rawValue: UInt8(below(7)))!,
            admitted: number(),
            axis: axis(), tat: tat, refusalTat: chance(2) ? tat : axis(), epoch: chance(2) ? 0 : number())
    }
}

import LimiterCore
import Raft

@testable import Coordination

/// An owner of all ranges with one bucket, to be asked report by report.
final class TestOwner {
    private var state = ReplicatedState()
    private var owner = Owner(tenant: Tenant(node: NodeID(1), incarnation: 7))
    private var numbers: [UInt64: UInt64] = [:]
    private var index: LogIndex = 2
    let bucket: Bucket
    var now = ClockTime(ns: 0)

    init(tokens: Int64, burst: Int64, reserveForCritical: Int = 0) throws {
        let rule = try Rule(
            name: "r", limit: Limit(tokens: tokens, per: 1_000_000_000, burst: burst),
            reserveForCritical: reserveForCritical)
        let directory = RuleDirectory(
            rules: [VersionedRule(rule: rule, version: 1)], hash: KeyedHash(secret: (1, 2)),
            drift: DriftBound(partsPerBillion: 500_000))
        bucket = directory.bucket(rule: Array("r".utf8).span.bytes, key: Array("k".utf8).span.bytes)!
        let genesis = Genesis(secretHigh: 1, secretLow: 2, cluster: 3, parameters: ClusterParameters())
        owner.applied(state.apply(.genesis(genesis), at: 1), state: state, now: now)
        let all = RangeID.all.map { Assignment(range: $0, replaces: 0, node: NodeID(1), incarnation: 7) }
        owner.applied(state.apply(.assign(all), at: 2), state: state, now: now)
        cover(bounds: false)
        // Where no record is, a bound says what may have been handed out: so the record comes first.
        _ = report(holder: 1_000, [WaitingGroup(firstTicket: 1, count: 1, time: 0, longestWait: 0)])
        cover(bounds: true)
    }

    /// The log covers everything for a minute.
    private func cover(bounds: Bool) {
        index += 1
        let axis = owner.axis(of: bucket.range, at: now)!
        let cover = Cover(
            range: bucket.range, epoch: 2, stamp: axis, horizon: axis + 60_000_000_000,
            bounds: bounds ? [Bound(id: bucket.id, time: axis + 120_000_000_000)] : [])
        owner.applied(
            state.apply(.covers([cover], RequestID(incarnation: 7, number: 1_000 + index)), at: index), state: state,
            now: now)
    }

    var token: Int64 { bucket.limit.emissionInterval }
    var terms: BucketTerms { BucketTerms(bucket) }

    /// What one report gets.
    func report(
        holder: Int, weight: UInt32 = 1, refused: UInt32 = 0, want: Int64 = 0, _ waiting: [WaitingGroup] = []
    ) -> (allowance: Allowance?, verdicts: [Verdict], tat: AxisTime?) {
        let session = UInt64(holder + 1)
        numbers[session, default: 0] += 1
        let number = numbers[session]!
        let item = ReportItem(
            range: bucket.range, id: bucket.id, terms: terms, refused: refused, want: want, weight: weight,
            waiting: waiting)
        let answer = owner.receive(
            Report(session: session, number: number, verdictsSeen: .max / 2, items: [item]),
            from: NodeID(UInt32(holder + 1)), state: state, now: now)!
        return (answer.items.first?.allowance, answer.verdicts.verdicts, answer.items.first?.tat)
    }

    /// How many of `count` requests are admitted; the report tells of one that was refused, as a holder that is short does.
    func ask(
        holder: Int, weight: UInt32 = 1, count: UInt32, priority: Priority = .normal, wait: Int64 = 0,
        isShort: Bool = false
    ) -> Int64 {
        let group = WaitingGroup(firstTicket: 1, count: count, time: token, longestWait: wait, priority: priority)
        return report(holder: holder, weight: weight, refused: isShort ? 1 : 0, [group]).verdicts.reduce(0) {
            $0 + Int64($1.admitted)
        }
    }

    var axis: AxisTime { owner.axis(of: bucket.range, at: now)! }
}

import LimiterCore
import Testing

@testable import Coordination

/// What no correct node sends is found before anything is computed with it.
struct MessageMistakeTests {
    private static let terms = BucketTerms(emissionInterval: 1_000, tolerance: 100_000, unit: 1, exact: false)
    private static let id = BucketID(high: 1, low: 17)
    private static let group = WaitingGroup(firstTicket: 1, count: 1, time: 1_000, longestWait: 0)

    private func report(_ items: [ReportItem] = [], number: UInt64 = 1, seen: UInt64 = 0) -> CoordinationMessage {
        .report(Report(session: 1, number: number, verdictsSeen: seen, items: items))
    }

    private func item(_ change: (inout ReportItem) -> Void = { _ in }) -> ReportItem {
        var item = ReportItem(range: RangeID(1), id: Self.id, terms: Self.terms, waiting: [Self.group])
        change(&item)
        return item
    }

    @Test("Reports: each limit at its edge and one past it")
    func reports() {
        #expect(report([item()]).mistake == nil)
        #expect(report(number: 0).mistake != nil)
        #expect(report(seen: .max / 2).mistake == nil)
        #expect(report(seen: .max / 2 + 1).mistake != nil)
        let bare = ReportItem(range: RangeID(1), id: Self.id, terms: Self.terms)
        #expect(report(Array(repeating: bare, count: Report.mostItems)).mistake == nil)
        #expect(report(Array(repeating: bare, count: Report.mostItems + 1)).mistake != nil)
        #expect(report([item { $0.waiting = Array(repeating: Self.group, count: Report.mostGroups) }]).mistake == nil)
        #expect(
            report([item { $0.waiting = Array(repeating: Self.group, count: Report.mostGroups) }, item()]).mistake
                != nil)
        let right: [(inout ReportItem) -> Void] = [
            { $0.weight = Report.mostWeight }, { $0.waiting[0].closed = 100_000 }, { $0.terms.reserve = 99_000 },
        ]
        for (i, change) in right.enumerated() { #expect(report([item(change)]).mistake == nil, "right \(i)") }
        let wrong: [(inout ReportItem) -> Void] = [
            { $0.used = -1 }, { $0.want = -1 }, { $0.terms.emissionInterval = 0 }, { $0.terms.unit = 0 },
            { $0.terms.tolerance = 999 }, { $0.terms.tolerance = Limit.longestTolerance + 1 },
            { $0.waiting[0].count = 0 },
            { $0.waiting[0].count = UInt32(Holder.mostWaiting) + 1 }, { $0.waiting[0].time = 100_001 },
            { $0.waiting[0].time = -1 }, { $0.waiting[0].longestWait = Rule.longestDelay + 1 },
            { $0.waiting[0].firstTicket = .max }, { $0.waiting[0].closed = -1 }, { $0.waiting[0].closed = 100_001 },
            { $0.weight = 0 }, { $0.weight = Report.mostWeight + 1 },
            { $0.terms.reserve = -1_000 }, { $0.terms.reserve = 100_000 }, { $0.terms.reserve = 500 },
            { $0.predecessors = [RuleDirectory.Predecessor(id: Self.id, emissionInterval: 0, unit: 1)] },
            {
                $0.predecessors = Array(
                    repeating: RuleDirectory.Predecessor(id: Self.id, emissionInterval: 1, unit: 1),
                    count: Report.mostPredecessors + 1)
            },
        ]
        for (i, change) in wrong.enumerated() { #expect(report([item(change)]).mistake != nil, "mistake \(i)") }
    }

    @Test("Answers and verdicts: points in time from which nothing overflows, and no more than can be")
    func answers() {
        let verdict = Verdict(
            firstTicket: 1, count: 1, outcome: .decided, admitted: 1, axis: AxisTime(ns: 5), tat: AxisTime(ns: 6),
            refusalTat: AxisTime(ns: 6))
        func mistake(_ change: (inout Answer) -> Void) -> String? {
            var answer = Answer(
                session: 1, number: 1, readings: [AxisReading(range: RangeID(1), epoch: 1, axis: AxisTime(ns: 5))],
                items: [
                    AnswerItem(
                        range: RangeID(1), id: Self.id, tat: .never,
                        allowance: Allowance(start: AxisTime(ns: 1), end: AxisTime(ns: 2)))
                ], verdicts: VerdictBatch(first: 1, verdicts: [verdict]))
            change(&answer)
            return CoordinationMessage.answer(answer).mistake
        }
        #expect(mistake { _ in } == nil)
        let wrong: [(inout Answer) -> Void] = [
            { $0.readings[0].axis = .never }, { $0.readings[0].axis = AxisTime(ns: 1 << 61) },
            { $0.items[0].tat = AxisTime(ns: .min) }, { $0.items[0].tat = AxisTime(ns: 1 << 62) },
            { $0.items[0].allowance!.start = AxisTime(ns: .min) }, { $0.items[0].allowance!.end = AxisTime(ns: .max) },
            { $0.verdicts.verdicts[0].axis = .never }, { $0.verdicts.verdicts[0].tat = AxisTime(ns: .min) },
            { $0.verdicts.verdicts[0].refusalTat = AxisTime(ns: .max) }, { $0.verdicts.verdicts[0].admitted = 2 },
            { $0.verdicts.first = 0 }, { $0.verdicts.first = .max },
            { $0.readings = Array(repeating: $0.readings[0], count: RangeID.count + 1) },
            { $0.items = Array(repeating: $0.items[0], count: Report.mostItems + 1) },
            { $0.verdicts.verdicts = Array(repeating: verdict, count: Owner.mostUnseen + 1) },
        ]
        for (i, change) in wrong.enumerated() { #expect(mistake(change) != nil, "mistake \(i)") }
        let right: [(inout Answer) -> Void] = [
            { $0.readings = Array(repeating: $0.readings[0], count: RangeID.count) },
            { $0.items = Array(repeating: $0.items[0], count: Report.mostItems) },
            { $0.verdicts.verdicts = Array(repeating: verdict, count: Owner.mostUnseen) },
            { $0.verdicts.verdicts[0] = Verdict(firstTicket: 1, count: 1, outcome: .notOwner) },
            { $0.verdicts.verdicts[0].axis = AxisTime(ns: 1 << 61 - 1) },
            { $0.items[0].tat = AxisTime(ns: 1 << 62 - 1) },
        ]
        for (i, change) in right.enumerated() { #expect(mistake(change) == nil, "no mistake \(i)") }
    }
}

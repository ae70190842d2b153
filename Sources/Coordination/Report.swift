public import LimiterCore

/// What an owner needs to know of a bucket to compute with it.
public struct BucketTerms: Hashable, Sendable, BitwiseCopyable {
    /// `T`, in nanoseconds of virtual time a unit.
    public var emissionInterval: Int64
    /// `tau`, in nanoseconds of virtual time.
    public var tolerance: Int64
    /// Tokens a unit.
    public var unit: Int64
    /// Whether every grant must be in the log.
    public var exact: Bool
    /// The part of ``tolerance`` that is kept for critical requests, in nanoseconds; 0 for none.
    public var reserve: Int64

    public init(emissionInterval: Int64, tolerance: Int64, unit: Int64, exact: Bool, reserve: Int64 = 0) {
        self.emissionInterval = emissionInterval
        self.tolerance = tolerance
        self.unit = unit
        self.exact = exact
        self.reserve = reserve
    }

    init(_ bucket: Bucket) {
        let limit = bucket.wholeLimit
        self.init(
            emissionInterval: limit.emissionInterval, tolerance: limit.tolerance, unit: limit.unit, exact: bucket.exact,
            reserve: bucket.reserve)
    }

    /// What a normal request can use of the bucket, in nanoseconds: allowances come out of this, too, since nobody knows who will spend
    /// them.
    var room: Int64 { tolerance - reserve }

    /// How much virtual time of this bucket takes the tokens that `ahead` nanoseconds of an earlier version's bucket stand for,
    /// rounded up; it may be more than the bucket holds.
    func timeOfTokens(in ahead: Int64, of old: RuleDirectory.Predecessor) -> Int64 {
        guard ahead > 0 else { return 0 }
        let units = (ahead - 1) / old.emissionInterval + 1
        let (tokens, tooMany) = units.multipliedReportingOverflow(by: old.unit)
        guard !tooMany else { return Limit.longestTolerance }
        let (time, tooLong) = ((tokens - 1) / unit + 1).multipliedReportingOverflow(by: emissionInterval)
        return tooLong ? Limit.longestTolerance : min(Limit.longestTolerance, time)
    }

    /// Why no owner can compute with these terms, or nil if it can; for what comes from the network.
    var mistake: String? {
        guard emissionInterval > 0, tolerance >= emissionInterval, tolerance <= Limit.longestTolerance, unit > 0 else {
            return "emission interval \(emissionInterval), tolerance \(tolerance), unit \(unit)"
        }
        guard reserve >= 0, reserve <= tolerance - emissionInterval, reserve % emissionInterval == 0 else {
            return "a reserve of \(reserve) ns of \(tolerance) ns"
        }
        return nil
    }
}

/// Requests for one bucket that wait for the owner's verdict: `count` of the same cost, under consecutive tickets.
public struct WaitingGroup: Hashable, Sendable, BitwiseCopyable {
    public var firstTicket: UInt64
    public var count: UInt32
    /// The virtual time that one of them takes; 0 only looks.
    public var time: Int64
    /// How long they would wait beyond the burst, in nanoseconds.
    public var longestWait: Int64
    /// Whether an admitted one is to come as a span that its holder may still put among its allowances.
    public var gathers: Bool
    public var priority: Priority
    /// The virtual time of the bucket that is closed to them, in nanoseconds: a node says so of a client that has had more than its share
    /// while others of its clients go short.
    public var closed: Int64

    public init(
        firstTicket: UInt64, count: UInt32, time: Int64, longestWait: Int64, gathers: Bool = false,
        priority: Priority = .normal, closed: Int64 = 0
    ) {
        self.firstTicket = firstTicket
        self.count = count
        self.time = time
        self.longestWait = longestWait
        self.gathers = gathers
        self.priority = priority
        self.closed = closed
    }
}

/// What a client calls a bucket, so that a node can ask for it in its own name.
public struct ItemName: Hashable, Sendable {
    /// The rule's name; empty where the caller brings the limit, or the rule has changed since.
    public var rule: [UInt8]
    /// The rule's version; 0 where the caller brings the limit.
    public var version: UInt64
    public var key: [UInt8]

    public init(rule: [UInt8], version: UInt64, key: [UInt8]) {
        self.rule = rule
        self.version = version
        self.key = key
    }
}

/// What a holder says of one bucket.
public struct ReportItem: Hashable, Sendable {
    public var range: RangeID
    public var id: BucketID
    public var terms: BucketTerms
    /// The buckets that the key had under earlier versions of its rule, newest first.
    public var predecessors: [RuleDirectory.Predecessor]
    /// Tokens spent from allowances since the last report.
    public var used: Int64
    /// Requests refused by the holder itself since the last report.
    public var refused: UInt32
    /// The virtual time that it would like to hand out itself, in nanoseconds; 0 for none.
    public var want: Int64
    /// How much of the bucket the holder is to get where it is short, in proportion to the others: a client says what it was configured
    /// with, a node the sum over those of its clients and callers that go short.
    public var weight: UInt32
    public var waiting: [WaitingGroup]
    /// What the bucket is called; said by clients only.
    public var name: ItemName?

    public init(
        range: RangeID, id: BucketID, terms: BucketTerms, predecessors: [RuleDirectory.Predecessor] = [],
        used: Int64 = 0,
        refused: UInt32 = 0, want: Int64 = 0, weight: UInt32 = 1, waiting: [WaitingGroup] = [], name: ItemName? = nil
    ) {
        self.range = range
        self.id = id
        self.terms = terms
        self.predecessors = predecessors
        self.used = used
        self.refused = refused
        self.want = want
        self.weight = weight
        self.waiting = waiting
        self.name = name
    }
}

/// One numbered report of a holder to an owner; repeated unchanged until it is answered (design, section 5).
public struct Report: Hashable, Sendable {
    /// Random; a new one starts a new conversation.
    public var session: UInt64
    /// Counts up by one from 1.
    public var number: UInt64
    /// All verdicts up to this one have arrived.
    public var verdictsSeen: UInt64
    public var items: [ReportItem]

    /// The most buckets in one report.
    public static let mostItems = 4_096
    /// The most groups of waiting requests in one report.
    public static let mostGroups = 8_192
    /// The most bytes of keys in one report, before the last one.
    public static let mostKeyBytes = 1 << 20
    /// The highest weight of a client.
    public static let mostClientWeight: UInt32 = 100
    /// The highest weight of a node: all of its clients with the highest weight, and its own callers.
    public static let mostWeight = UInt32(Lender.mostClients) * mostClientWeight + 1
    /// The most predecessors of a bucket.
    public static let mostPredecessors = VersionedRule.mostPrevious

    public init(session: UInt64, number: UInt64, verdictsSeen: UInt64, items: [ReportItem]) {
        self.session = session
        self.number = number
        self.verdictsSeen = verdictsSeen
        self.items = items
    }
}

/// A span of virtual time `[start, end)` that its holder may spend without asking anybody.
public struct Allowance: Hashable, Sendable, BitwiseCopyable {
    public var start: AxisTime
    public var end: AxisTime

    public init(start: AxisTime, end: AxisTime) {
        self.start = start
        self.end = end
    }
}

/// An owner's reading of a range's axis, taken while it answered.
public struct AxisReading: Hashable, Sendable, BitwiseCopyable {
    public var range: RangeID
    public var epoch: UInt64
    public var axis: AxisTime

    public init(range: RangeID, epoch: UInt64, axis: AxisTime) {
        self.range = range
        self.epoch = epoch
        self.axis = axis
    }
}

/// What the owner says of one bucket.
public struct AnswerItem: Hashable, Sendable, BitwiseCopyable {
    public var range: RangeID
    public var id: BucketID
    /// Nothing that ends before `tat - tau` can pass for this holder.
    public var tat: AxisTime
    public var allowance: Allowance?

    public init(range: RangeID, id: BucketID, tat: AxisTime, allowance: Allowance?) {
        self.range = range
        self.id = id
        self.tat = tat
        self.allowance = allowance
    }
}

/// What became of waiting requests.
public struct Verdict: Hashable, Sendable, BitwiseCopyable {
    public enum Outcome: UInt8, Sendable, BitwiseCopyable {
        /// The first `admitted` of them pass, the others are over the limit.
        case decided = 0
        /// The asked node does not own the range (any more): ask the owner.
        case notOwner = 1
        /// The owner cannot tell: it has lost touch with the log, or too many requests wait there.
        case unknown = 2
        /// The asked node was cut off from the owner and decided by the rule's `onIsolation`: the promise does not cover it.
        case isolated = 3
        /// The asked node cannot say: it is cut off from the owner,
        case cutOff = 4
        /// or the owner's word did not come in time,
        case timeout = 5
        /// or too many requests wait there.
        case overloaded = 6
    }

    public var firstTicket: UInt64
    public var count: UInt32
    public var outcome: Outcome
    public var admitted: UInt32
    /// The owner's axis at the decision.
    public var axis: AxisTime
    /// The bucket's `tat` after the last of the admitted ones; each one before it had one request's time less.
    public var tat: AxisTime
    /// The `tat` by which the others were refused: for a holder that had more than its share it lies ahead of ``tat``.
    public var refusalTat: AxisTime
    /// For requests that gather: the range's epoch that the spans belong to; 0 otherwise.
    public var epoch: UInt64

    public init(
        firstTicket: UInt64, count: UInt32, outcome: Outcome, admitted: UInt32 = 0, axis: AxisTime = .never,
        tat: AxisTime = .never, refusalTat: AxisTime = .never, epoch: UInt64 = 0
    ) {
        self.firstTicket = firstTicket
        self.count = count
        self.outcome = outcome
        self.admitted = admitted
        self.axis = axis
        self.tat = tat
        self.refusalTat = refusalTat
        self.epoch = epoch
    }
}

/// Verdicts in the order of their numbers; each is repeated with every answer until the holder says it has seen it.
public struct VerdictBatch: Hashable, Sendable {
    /// The number of the first one.
    public var first: UInt64
    public var verdicts: [Verdict]

    public init(first: UInt64, verdicts: [Verdict]) {
        self.first = first
        self.verdicts = verdicts
    }

    /// The number of the last one; ``first`` - 1 if there is none.
    public var last: UInt64 { first + UInt64(verdicts.count) - 1 }
}

/// The owner's answer to one report.
public struct Answer: Hashable, Sendable {
    public var session: UInt64
    /// The report's number; the holder takes exactly one answer a number.
    public var number: UInt64
    public var readings: [AxisReading]
    public var items: [AnswerItem]
    public var verdicts: VerdictBatch

    public init(session: UInt64, number: UInt64, readings: [AxisReading], items: [AnswerItem], verdicts: VerdictBatch) {
        self.session = session
        self.number = number
        self.readings = readings
        self.items = items
        self.verdicts = verdicts
    }
}

/// What nodes say to each other besides Raft.
public enum CoordinationMessage: Hashable, Sendable {
    case report(Report)
    case answer(Answer)
    /// Verdicts that became known between two reports: sent at once, and again with the next answer.
    case verdicts(session: UInt64, VerdictBatch)
    /// The leader asks an owner to give a range back, to spread the load.
    case handOver(range: RangeID, epoch: UInt64)
}

extension CoordinationMessage {
    /// Why no correct node can have sent this, or nil. Limits and ranges of numbers; what is plausible for the epoch is the
    /// receiver's business.
    public var mistake: String? {
        switch self {
        case .report(let report):
            if report.items.contains(where: { $0.name != nil }) { return "a node's report with a client's names" }
            return report.mistake
        case .answer(let answer):
            return answer.mistake
        case .verdicts(_, let batch):
            return batch.mistake
        case .handOver:
            break
        }
        return nil
    }
}

extension Report {
    var mistake: String? {
        if number == 0 { return "a report's number counts from 1" }
        if verdictsSeen > .max / 2 { return "verdict number \(verdictsSeen)" }
        if items.count > Report.mostItems { return "\(items.count) buckets in a report" }
        var groups = 0
        for item in items {
            if let mistake = item.terms.mistake { return mistake }
            if item.used < 0 || item.want < 0 { return "negative usage or demand" }
            if item.weight == 0 || item.weight > Report.mostWeight { return "a weight of \(item.weight)" }
            if item.predecessors.count > Report.mostPredecessors { return "too many predecessors" }
            if item.predecessors.contains(where: { $0.emissionInterval <= 0 || $0.unit <= 0 }) {
                return "a predecessor without an emission interval"
            }
            groups += item.waiting.count
            for group in item.waiting {
                if group.count == 0 || group.count > UInt32(Holder.mostWaiting) {
                    return "a group of \(group.count)"
                }
                if !(0...item.terms.tolerance).contains(group.time) { return "a request for \(group.time) ns" }
                if !(0...Rule.longestDelay).contains(group.longestWait) {
                    return "a wait of \(group.longestWait) ns"
                }
                if !(0...item.terms.tolerance).contains(group.closed) { return "\(group.closed) ns closed" }
                if group.firstTicket > .max / 2 { return "ticket \(group.firstTicket)" }
            }
        }
        if groups > Report.mostGroups { return "\(groups) groups in a report" }
        return nil
    }
}

extension Answer {
    var mistake: String? {
        if readings.count > RangeID.count { return "\(readings.count) readings in an answer" }
        if items.count > Report.mostItems { return "\(items.count) buckets in an answer" }
        for reading in readings where !reading.axis.isReading { return "an axis that reads \(reading.axis)" }
        for item in items {
            if !item.tat.isPoint { return "a bucket at \(item.tat)" }
            if let span = item.allowance, !span.start.isPoint || !span.end.isPoint {
                return "an allowance from \(span.start) to \(span.end)"
            }
        }
        return verdicts.mistake
    }
}

extension VerdictBatch {
    var mistake: String? {
        if first == 0 || first > .max / 2 { return "verdict number \(first)" }
        if verdicts.count > Owner.mostUnseen { return "\(verdicts.count) verdicts in a message" }
        for verdict in verdicts {
            if verdict.count > UInt32(Holder.mostWaiting) || verdict.admitted > verdict.count {
                return "\(verdict.admitted) of \(verdict.count) admitted"
            }
            guard verdict.outcome == .decided || verdict.outcome == .isolated else { continue }
            if !verdict.axis.isReading || !verdict.tat.isPoint || !verdict.refusalTat.isPoint {
                return "a verdict at \(verdict.axis) with \(verdict.tat) and \(verdict.refusalTat)"
            }
        }
        return nil
    }
}

extension AxisTime {
    /// Whether an axis can read this: it starts at 0 and counts nanoseconds, for 73 years at the most.
    fileprivate var isReading: Bool { ns >= 0 && ns < 1 << 61 }

    /// Whether anything can lie here: far enough from the edges that what is computed with it stays within 64 bits.
    fileprivate var isPoint: Bool { self >= .never && ns < 1 << 62 }
}

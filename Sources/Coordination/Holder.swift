public import LimiterCore
import Raft

/// The holder's side of a node: requests that the table could not decide, reports to owners, and what their answers bring
/// (design, sections 4 and 5).
///
/// A value without clock or I/O. `now` is this process's clock, read after the bytes of the event it comes with.
public struct Holder: ~Copyable {
    /// A request on its way, and where its decision goes.
    struct Waiting {
        var request: PendingRequest
        var sink: Int
        var deadline: ClockTime
        /// Before this it is not asked again, because the last answer was "not mine".
        var notBefore: ClockTime
        /// The owner it was sent to,
        var askedOf: Tenant?
        /// and when the report that asks for it was first sent.
        var sent = ClockTime(ns: 0)
    }

    /// The conversation with one owner.
    struct Line {
        var tenant: Tenant
        var session: UInt64
        var number: UInt64 = 0
        /// The report in flight, and when it was *first* sent.
        var outstanding: Report?
        var firstSent = ClockTime(ns: 0)
        var lastSent = ClockTime(ns: 0)
        var verdictsSeen: UInt64 = 0
        /// Since when reports have gone without an answer.
        var unansweredSince: ClockTime?
        /// Requests for the next report.
        var queue: [Waiting] = []
        /// Buckets with usage for the next report.
        var usage: [AllowanceTable.Usage] = []
        /// How many tickets wait for this owner's verdict.
        var waiting = 0
        /// When the last answer came.
        var lastHeard: ClockTime
    }

    /// How far the axis of a range may be, by the best exchange of its newest epoch.
    struct Bracket {
        var epoch: UInt64 = 0
        var base: Int64 = 0
        var tag: UInt16 = 0
    }

    /// A decision for a front door.
    public struct Settled: Sendable {
        public var sink: Int
        public var token: UInt64
        public var decision: Decision
        /// What an admitted request gathered, if it asked for that.
        public var piece: Piece?
    }

    /// Nodes know their rules' isolation shares and speak for themselves; clients name their buckets to a node.
    public let isClient: Bool
    /// A client's; a node's is the sum of its clients' and differs from key to key.
    private let weight: UInt32
    var generator: SplitMix64
    var drift = ClusterParameters().drift
    var lines: [Line] = []
    /// Sent, and waiting for a verdict, by ticket.
    var tickets: [UInt64: Waiting] = [:]
    var nextTicket: UInt64 = 1
    /// Tickets in the order of their deadlines.
    var deadlines: [(deadline: ClockTime, ticket: UInt64)] = []
    var deadlinesHead = 0
    /// Requests whose range has no owner, or whose owner is not known here yet.
    var unrouted: [Waiting] = []
    /// Who answers for each range, as far as this process knows: its owner for a node, the node it is connected to for a client.
    private(set) var owners: [Tenant?]
    var ownerlessSince: [ClockTime?]
    var brackets = Array(repeating: Bracket(), count: RangeID.count)
    /// How often the tables have been emptied, as ``Piece/generation`` counts it.
    var generation: UInt32 = 0
    var keys: HotKeys
    var shares: IsolationShares
    var settled: [Settled] = []
    public private(set) var counters = Counters()

    public struct Counters: Hashable, Sendable {
        public var requests: UInt64 = 0
        public var admitted: UInt64 = 0
        public var refused: UInt64 = 0
        public var unavailable: UInt64 = 0
        public var isolated: UInt64 = 0
        public var reports: UInt64 = 0
        public var repeats: UInt64 = 0
        public var allowances: UInt64 = 0
        public var lostAllowances: UInt64 = 0
    }

    /// How long a request waits for its owner before the rule's `onIsolation` decides, in nanoseconds.
    let patience: Int64
    /// Silence of this length from an owner means being cut off from it: longer than a failover takes.
    let isolationAfter: Int64

    /// The most requests that wait at a node at a time.
    public static let mostWaiting = 65_536
    /// The most buckets whose usage waits for the next report to an owner.
    static let mostUsage = Report.mostItems
    /// The most buckets whose usage a client puts into one report: each is named with its key.
    static let mostClientUsage = 1_024
    /// The most tokens that are taken note of in one go: a message may claim anything.
    static let mostNotedUse: Int64 = 1 << 40
    /// A report without an answer is repeated after this long.
    static let repeatAfter: Int64 = 50_000_000
    /// How long "not mine" keeps a request from being asked again while nothing changes.
    static let notOwnerPause: Int64 = 20_000_000
    /// Demand is provided for this far ahead, in nanoseconds.
    static let demandHorizon: Double = 100_000_000

    /// A node's holder in a cluster of `nodes`, or with `nil` an embedded client's.
    public init(nodes: Int?, weight: UInt32 = 1, seed: UInt64, patience: Int64, isolationAfter: Int64) {
        precondition((1...Report.mostClientWeight).contains(weight), "a client of weight \(weight)")
        isClient = nodes == nil
        self.weight = weight
        generator = SplitMix64(seed: seed)
        keys = HotKeys(capacity: nodes == nil ? HotKeys.clientCapacity : HotKeys.capacity)
        shares = IsolationShares(nodes: nodes ?? 1, capacity: nodes == nil ? 1 : IsolationShares.capacity)
        self.patience = patience
        self.isolationAfter = isolationAfter
        owners = Array(repeating: nil, count: RangeID.count)
        ownerlessSince = Array(repeating: nil, count: RangeID.count)
    }

    /// Requests that wait for an owner's word.
    public var waitingCount: Int { tickets.count + unrouted.count + lines.reduce(0) { $0 + $1.queue.count } }

    /// The decisions made since the last call.
    public mutating func takeSettled() -> [Settled] { settled.takeAll() }

    // MARK: Requests

    /// A request that the table could not decide.
    public mutating func submit(_ request: PendingRequest, sink: Int, now: ClockTime) {
        counters.requests += 1
        let waiting = Waiting(
            request: request, sink: sink, deadline: now + patience, notBefore: now, askedOf: nil)
        guard waitingCount < Holder.mostWaiting else {
            settle(waiting, .unavailable(.overloaded, limit: request.bucket.limit.burst))
            return
        }
        guard let time = request.bucket.limit.time(of: request.cost) else {
            settle(waiting, Decision(outcome: .limited, limit: request.bucket.limit.burst))
            return
        }
        if isIsolated(request.bucket.range, now: now) {
            decideAlone(waiting, now: now)
            return
        }
        keys.ask(request.bucket, key: request.key, asked: time, now: now)
        route(waiting, now: now)
    }

    /// Puts a request into the queue for its owner.
    mutating func route(_ waiting: Waiting, now: ClockTime) {
        guard let owner = owners[waiting.request.bucket.range.index] else {
            unrouted.append(waiting)
            return
        }
        lines[line(to: owner, now: now)].queue.append(waiting)
    }

    /// The conversation with an owner; a new process of the same node begins a new one.
    mutating func line(to tenant: Tenant, now: ClockTime) -> Int {
        if let known = lines.firstIndex(where: { $0.tenant == tenant }) { return known }
        lines.append(Line(tenant: tenant, session: generator.next(), lastHeard: now))
        return lines.count - 1
    }

    /// Whether this node has been cut off from the range's owner for longer than a failover takes.
    public func isIsolated(_ range: RangeID, now: ClockTime) -> Bool {
        guard let owner = owners[range.index] else {
            guard let since = ownerlessSince[range.index] else { return false }
            return now - since > isolationAfter
        }
        guard let line = lines.firstIndex(where: { $0.tenant == owner }), let since = lines[line].unansweredSince else {
            return false
        }
        return now - since > isolationAfter
    }

    /// Decides as the rule says for a node that is cut off.
    mutating func decideAlone(_ waiting: Waiting, cause: Decision.Cause = .isolated, now: ClockTime) {
        let bucket = waiting.request.bucket
        counters.isolated += 1
        switch bucket.onIsolation {
        case .deny where isPlanted(.admitsWhenIsolated):
            settle(waiting, Decision(outcome: .allowed, limit: bucket.limit.burst))
        case .deny:
            settle(waiting, .unavailable(cause, limit: bucket.limit.burst))
        case .share where isClient:
            // A share is a node's: nobody knows how many clients there are.
            settle(waiting, .unavailable(cause, limit: bucket.limit.burst))
        case .share:
            settle(waiting, shares.decide(bucket, cost: waiting.request.cost, now: now))
        case .allow:
            settle(waiting, Decision(outcome: .allowed, isIsolated: true, limit: bucket.limit.burst))
        }
    }

    mutating func settle(_ waiting: Waiting, _ decision: Decision, piece: Piece? = nil) {
        var decision = decision
        switch decision.outcome {
        case .allowed: counters.admitted += 1
        case .limited: counters.refused += 1
        case .unavailable: counters.unavailable += 1
        }
        if waiting.request.bucket.shadow, decision.outcome == .limited {
            decision.outcome = .allowed
            decision.isShadowed = true
        }
        settled.append(Settled(sink: waiting.sink, token: waiting.request.token, decision: decision, piece: piece))
    }

    // MARK: The log

    /// Entries were applied: requests follow their ranges to new owners, and conversations with dead processes end.
    public mutating func applied(_ effects: [Effect], state: borrowing ReplicatedState, now: ClockTime) {
        var moved: UInt64 = 0
        for effect in effects {
            switch effect {
            case .formed: drift = state.parameters.drift
            case .assigned(let range), .released(let range): moved |= 1 << UInt64(range.rawValue)
            case .covered, .done, .rulesChanged: continue
            }
        }
        guard moved != 0 else { return }
        for range in RangeMask(moved) { owners[range.index] = state.owner(of: range) }
        follow(moved, now: now)
    }

    /// A snapshot took the place of entries: any range may have moved.
    public mutating func restored(state: borrowing ReplicatedState, now: ClockTime) {
        drift = state.parameters.drift
        for range in RangeID.all { owners[range.index] = state.owner(of: range) }
        follow(.max, now: now)
    }

    private mutating func follow(_ moved: UInt64, now: ClockTime) {
        for range in RangeMask(moved) {
            ownerlessSince[range.index] = owners[range.index] == nil ? ownerlessSince[range.index] ?? now : nil
        }
        // What was asked of an owner that is none any more is asked of the new one. Should the old one have admitted it, those
        // tokens are lost, which is safe.
        let stranded = tickets.filter { _, waiting in
            let range = waiting.request.bucket.range
            return moved & range.bit != 0 && waiting.askedOf != owners[range.index]
        }
        for ticket in stranded.keys.sorted() {
            unrouted.append(takeTicket(ticket)!)
        }
        for i in lines.indices {
            let staying = lines[i].queue.filter { owners[$0.request.bucket.range.index] == lines[i].tenant }
            if staying.count < lines[i].queue.count {
                unrouted += lines[i].queue.filter { owners[$0.request.bucket.range.index] != lines[i].tenant }
                lines[i].queue = staying
            }
        }
        lines.removeAll { line in !owners.contains(line.tenant) }
        for i in unrouted.indices { unrouted[i].notBefore = now }
        routeWaiting(now: now)
    }

    /// Ends a ticket; nil if it has ended before.
    mutating func takeTicket(_ ticket: UInt64) -> Waiting? {
        guard let waiting = tickets[ticket] else { return nil }
        if !isPlanted(.settlesTwice) { tickets[ticket] = nil }
        if let line = lines.firstIndex(where: { $0.tenant == waiting.askedOf }) { lines[line].waiting -= 1 }
        return waiting
    }

    private mutating func routeWaiting(now: ClockTime) {
        guard !unrouted.isEmpty else { return }
        let waiting = unrouted
        unrouted = []
        for request in waiting {
            if request.notBefore <= now { route(request, now: now) } else { unrouted.append(request) }
        }
    }

    // MARK: A client's node

    /// The cluster's drift bound, as a client learns it.
    public mutating func setDrift(_ drift: DriftBound) { self.drift = drift }

    /// A client speaks with this node from now on, for all ranges: what was asked of another one is asked again.
    public mutating func connected(to tenant: Tenant, now: ClockTime) {
        precondition(isClient, "only clients let a node answer for all ranges")
        for range in RangeID.all { owners[range.index] = tenant }
        follow(.max, now: now)
        // What was under way over an earlier connection to the same process may be lost.
        for i in lines.indices { lines[i].lastSent = ClockTime(ns: now.ns - 2 * Holder.repeatAfter) }
    }

    /// Since when reports have gone without an answer; nil if none are missing.
    public var unansweredSince: ClockTime? { lines.compactMap(\.unansweredSince).min() }

    /// Whether no usage waits to be told, and none of what was told waits for its answer.
    public var hasToldAll: Bool { lines.allSatisfy { $0.usage.isEmpty && $0.outstanding == nil } }

    // MARK: A node's clients

    /// Notes the weights of the clients that go short of a bucket.
    mutating func weigh(_ id: BucketID, clients weight: Int64, now: ClockTime) {
        keys.weigh(id, clients: UInt32(clamping: weight), now: now)
    }

    /// What a report says of this holder's weight.
    func weight(of id: BucketID, now: ClockTime) -> UInt32 {
        isClient ? weight : min(Report.mostWeight, keys.weight(of: id, now: now))
    }

    /// The bracket of a range's newest known epoch, for whoever wants to pass it on; nil if none is known.
    func bracket(of range: RangeID) -> Bracket? {
        let bracket = brackets[range.index]
        return bracket.epoch == 0 ? nil : bracket
    }

    /// Counts what a client spent and refused as this node's own usage: it makes the node's demand, and its owner hears of it.
    mutating func noteUsage(of bucket: Bucket, key: [UInt8], used: Int64, refused: Int64, now: ClockTime) {
        let interval = bucket.limit.emissionInterval
        let used = min(used, Holder.mostNotedUse)
        // A message says how much: the products stop at the bucket's size instead of running over.
        let most = bucket.limit.tolerance / interval
        let asked = (min(most, used / bucket.limit.unit) + min(most, refused)) * interval
        keys.ask(bucket, key: key, asked: asked, now: now)
        keys.count(bucket.id, admitted: used, refused: refused)
        guard let owner = owners[bucket.range.index] else { return }
        let line = line(to: owner, now: now)
        guard lines[line].usage.count < Holder.mostUsage else { return }
        lines[line].usage.append(AllowanceTable.Usage(id: bucket.id, used: used, refused: Int(refused), held: 0))
    }

    // MARK: Time

    /// Collects usage, if it is time to, repeats reports that got no answer, and ends waits that have lasted too long.
    public mutating func tick(store: some AllowanceStore, collectsUsage: Bool = true, now: ClockTime) {
        if collectsUsage { collectUsage(store: store, now: now) }
        routeWaiting(now: now)
        expire(now: now)
    }

    private mutating func collectUsage(store: some AllowanceStore, now: ClockTime) {
        let scaled = drift.longest(now.ns)
        var usage: [AllowanceTable.Usage] = []
        store.withEachTable { table in
            if table.hasUsage { table.takeUsage(limit: Report.mostItems, scaled: scaled) { usage.append($0) } }
            table.clear(4, scaled: scaled)
        }
        for use in usage {
            // A key that made way for others in the meantime has nothing to ask for.
            guard let entry = keys[use.id], let owner = owners[entry.bucket.range.index] else { continue }
            let interval = entry.bucket.limit.emissionInterval
            if use.refused > 0 { keys.noteRefusal(of: use.id, now: now) }
            let spent = use.used / entry.bucket.limit.unit &* interval
            keys.count(
                use.id, admitted: use.used, refused: Int64(use.refused),
                asked: spent + min(entry.bucket.limit.tolerance, Int64(use.refused) &* interval))
            let line = line(to: owner, now: now)
            // An owner that does not answer for long: usage is for its statistics only, so what is too much is left out.
            if lines[line].usage.count < Holder.mostUsage { lines[line].usage.append(use) }
        }
    }

    private mutating func expire(now: ClockTime) {
        while deadlinesHead < deadlines.count, deadlines[deadlinesHead].deadline <= now {
            // Settled in time, or asked again under another ticket.
            if let late = takeTicket(deadlines[deadlinesHead].ticket) { decideAlone(late, cause: .timeout, now: now) }
            deadlinesHead += 1
        }
        if deadlinesHead > 4_096, deadlinesHead * 2 > deadlines.count {
            deadlines.removeFirst(deadlinesHead)
            deadlinesHead = 0
        }
        for waiting in unrouted where waiting.deadline <= now { decideAlone(waiting, now: now) }
        unrouted.removeAll { $0.deadline <= now }
        for i in lines.indices {
            for waiting in lines[i].queue where waiting.deadline <= now { decideAlone(waiting, now: now) }
            lines[i].queue.removeAll { $0.deadline <= now }
        }
    }

    /// The clock may have stood still or jumped: brackets and everything held by them are void.
    public mutating func distrustClock(store: some AllowanceStore) {
        if isPlanted(.distrustKeepsSpans) { return }
        store.withEachTable { $0.discardAll() }
        generation &+= 1
        for i in brackets.indices { brackets[i] = Bracket(epoch: 0, base: 0, tag: brackets[i].tag &+ 1) }
        // The answers to reports that are under way would be bracketed by a clock reading from before the jump.
        for i in lines.indices where lines[i].outstanding != nil { abandon(i) }
    }

    /// Gives up the report in flight: its answer will not be taken, what waited under it is asked again.
    private mutating func abandon(_ i: Int) {
        let report = lines[i].outstanding!
        lines[i].outstanding = nil
        for item in report.items {
            for group in item.waiting {
                for ticket in group.firstTicket..<group.firstTicket + UInt64(group.count) {
                    if let waiting = takeTicket(ticket) { lines[i].queue.append(waiting) }
                }
            }
        }
    }

    mutating func count(_ body: (inout Counters) -> Void) { body(&counters) }

    /// The keys with the most decisions lately.
    public mutating func hotKeys(
        _ count: Int, ruleIndex: Int32?, now: ClockTime
    ) -> [(bucket: Bucket, key: [UInt8], tokens: Int64, admittedPerSecond: Double, refusedPerSecond: Double)] {
        keys.top(count, now: now) { ruleIndex == nil || $0.bucket.ruleIndex == ruleIndex }.map {
            ($0.bucket, $0.key, $0.tokens, $0.admittedPerSecond, $0.refusedPerSecond)
        }
    }
}

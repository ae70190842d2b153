public import LimiterCore

/// A node's side towards its embedded clients: it decides their requests from its own allowances or asks the owner for them, and lends
/// them parts of what it holds (design, section 5; docs/proof.md, "Two steps").
///
/// To a client the node is the owner of every range. What it hands out it has taken out of its own table first, by its own bracket, so
/// each instant of virtual time stays with one holder. A value without clock or I/O; its events get the node's ``Holder`` and table.
public struct Lender: ~Copyable {
    /// A client's request that the node has made its own.
    private struct Asked {
        var session: UInt64
        var ticket: UInt64
        var id: BucketID
        var time: Int64
        /// As the request sees its bucket.
        var tolerance: Int64
        var range: RangeID
    }

    /// An admission from the node's own allowances; for the decision log of tests.
    public struct Admission: Sendable {
        public var id: BucketID
        public var terms: BucketTerms
        public var time: Int64
        public var priority: Priority
        public var at: ClockTime
    }

    private var conversations = Conversations<ClientID>(most: Lender.mostClients)
    /// By the token that the node's holder hands back.
    private var asked: [UInt64: Asked] = [:]
    private var nextToken: UInt64 = 1
    /// How many requests of each conversation wait.
    private var waiting: [UInt64: Int] = [:]
    private var contention = ContentionTable()
    /// Where the contended buckets stand there. A table that has grown too large is made anew: it is only a shortcut.
    private var places: [BucketID: Int32] = [:]
    /// The virtual time of one request, of the larger ones lately, by contention place: a smaller piece would be of no use.
    private var requests: [Int64] = []
    public private(set) var counters = Counters()
    /// Whether admissions are noted in ``admissions``.
    public var isTracing = false
    public var admissions: [Admission] = []

    public struct Counters: Hashable, Sendable {
        public var reports: UInt64 = 0
        public var repeatedReports: UInt64 = 0
        /// Requests decided from the node's own allowances.
        public var admitted: UInt64 = 0
        public var refused: UInt64 = 0
        /// Requests that the node asked the owner for.
        public var forwarded: UInt64 = 0
        public var lent: UInt64 = 0
    }

    /// What the node's holder gives back with the decisions of clients' requests.
    public static let sink = -1
    /// The most clients of a node: one more is refused, and of conversations the longest silent one makes way.
    public static let mostClients = 1_024
    /// The most requests of one client that wait at a node.
    public static let mostWaitingPerClient = 8_192
    /// Nothing is lent that the axis reaches so soon: a client's bracket is wider than the node's.
    static let leastLife: Int64 = 5_000_000
    /// How long a piece lasts at least that lies right before the axis, where time is what it runs out of first.
    static let pieceTime: Int64 = 50_000_000

    public init() {}

    /// Conversations with clients that are remembered.
    public var conversationCount: Int { conversations.count }
    /// Clients' requests that wait for the owner.
    public var waitingCount: Int { asked.count }

    // MARK: Reports

    /// Answers a client's report, or repeats the answer; nil if it is older than the newest one.
    ///
    /// `applied` is how far this node knows the log: a rule of a later version is not known here yet.
    public mutating func receive(
        _ report: Report, from client: ClientID, holder: inout Holder, store: some AllowanceStore,
        directory: RuleDirectory?, applied: UInt64, now: ClockTime
    ) -> Answer? {
        switch conversations.heard(report, from: client, now: now) {
        case .new: break
        case .repeated(let answer):
            counters.repeatedReports += 1
            return answer
        case .late: return nil
        }
        counters.reports += 1
        let scaled = holder.drift.longest(now.ns)
        var readings: [AxisReading] = []
        var seenRanges: UInt64 = 0
        var items: [AnswerItem] = []
        for item in report.items {
            guard let bucket = Lender.bucket(of: item, directory: directory, applied: applied) else {
                for group in item.waiting {
                    conversations.give(
                        Verdict(firstTicket: group.firstTicket, count: group.count, outcome: .notOwner),
                        to: report.session)
                }
                continue
            }
            if item.used > 0 || item.refused > 0 {
                holder.noteUsage(
                    of: bucket, key: item.name?.key ?? [], used: item.used, refused: Int64(item.refused), now: now)
            }
            let (allowance, closed) = serve(
                item, bucket, session: report.session, holder: &holder, store: store, scaled: scaled, now: now)
            // Nothing is known of the axis of a range whose owner this node has not heard.
            guard let bracket = holder.bracket(of: item.range) else { continue }
            guard let tat = Lender.tat(of: item, store: store, scaled: scaled) ?? allowance.map({ _ in .never }) else {
                continue
            }
            if seenRanges & item.range.bit == 0 {
                seenRanges |= item.range.bit
                readings.append(
                    AxisReading(
                        range: item.range, epoch: bracket.epoch,
                        axis: AxisTime(ns: bracket.base + scaled)))
            }
            items.append(AnswerItem(range: item.range, id: item.id, tat: tat + closed, allowance: allowance))
        }
        return conversations.answer(report, readings: readings, items: items)
    }

    /// The bucket as this node knows it; nil if it cannot know the rule's version yet.
    private static func bucket(of item: ReportItem, directory: RuleDirectory?, applied: UInt64) -> Bucket? {
        guard let directory, let name = item.name, name.version <= applied else { return nil }
        if !name.rule.isEmpty,
            var bucket = directory.bucket(rule: name.rule.span.bytes, key: name.key.span.bytes), bucket.id == item.id,
            BucketTerms(bucket) == item.terms
        {
            // Whether it only counts is decided where the request was made.
            bucket.shadow = false
            return bucket
        }
        // An earlier version of the rule, or a caller's own limit: its terms say all that is needed.
        guard
            let limit = Limit(
                emissionInterval: item.terms.emissionInterval, tolerance: item.terms.tolerance, unit: item.terms.unit)
        else { return nil }
        return Bucket(
            id: item.id, range: item.range, limit: limit.closing(item.terms.reserve), reserve: item.terms.reserve,
            exact: item.terms.exact)
    }

    /// Decides or forwards a bucket's waiting requests, and lends a part of what is held. Returns that, and how much is closed to the
    /// client.
    private mutating func serve(
        _ item: ReportItem, _ bucket: Bucket, session: UInt64, holder: inout Holder, store: some AllowanceStore,
        scaled: Int64, now: ClockTime
    ) -> (Allowance?, closed: Int64) {
        let wantsShare = item.want > 0 || item.refused > 0 || places[item.id] != nil
        var (place, part) = (Int32(0), ContentionTable.Part())
        // The contention table counts on any clock.
        let clock = AxisTime(ns: now.ns)
        if wantsShare {
            place = self.place(of: item.id, at: clock)
            part = contention.part(
                place, holder: session, weight: Int64(item.weight), of: item.terms, at: clock)
        }
        let largest = item.waiting.reduce(0) { max($0, $1.time) }
        if place > 0, largest > 0 {
            let known = requests[Int(place) - 1]
            requests[Int(place) - 1] = max(largest, known - known / 8)
        }
        var isHungry = item.refused > 0
        var granted: Int64 = 0
        for group in item.waiting {
            let admitted = decide(
                group, item, bucket.with(group.priority), session: session, closed: part.closed, holder: &holder,
                store: store, scaled: scaled, now: now)
            granted += Int64(admitted) * group.time
            isHungry = isHungry || admitted < group.count
        }
        guard wantsShare else { return (nil, 0) }
        var allowance: Allowance?
        if item.want > 0 {
            allowance = lend(
                item, part: part, request: requests[Int(place) - 1], holder: holder, store: store, scaled: scaled)
            isHungry = isHungry || (allowance.map { $0.end - $0.start } ?? 0) < item.want
        }
        contention.note(
            place, holder: session, granted: granted + (allowance.map { $0.end - $0.start } ?? 0), isHungry: isHungry,
            of: item.terms, at: clock)
        if item.refused > 0 { contention.charge(place, holder: session, isRefused: true, at: clock) }
        // To the owner this node is one holder among others: it asks for as much as those that go short here.
        holder.weigh(item.id, clients: contention.refusedWeight(place, at: clock), now: now)
        return (allowance, part.closed)
    }

    private mutating func place(of id: BucketID, at clock: AxisTime) -> Int32 {
        if places.count >= 2 * ContentionTable.mostBuckets { places.removeAll(keepingCapacity: true) }
        let known = places[id] ?? 0
        let place = contention.place(of: id, known: known, at: clock)
        while requests.count < Int(place) { requests.append(0) }
        if place != known {
            places[id] = place
            requests[Int(place) - 1] = 0
        }
        return place
    }

    /// Decides a group of equal requests as far as the node's own allowances go, and asks the owner for the others. Returns how many of
    /// them passed.
    private mutating func decide(
        _ group: WaitingGroup, _ item: ReportItem, _ bucket: Bucket, session: UInt64, closed: Int64,
        holder: inout Holder, store: some AllowanceStore, scaled: Int64, now: ClockTime
    ) -> UInt32 {
        let cost = bucket.limit.cost(of: group.time)
        var admitted: UInt32 = 0
        var refused: UInt32 = 0
        var (tat, axis, epoch) = (AxisTime.never, AxisTime.never, UInt64(0))
        if group.time > 0 {
            let bracket = holder.bracket(of: item.range)
            store.withTable(for: item.id) { table in
                // Who has had more than its share leaves something to the others.
                var room = closed > 0 ? table.held(item.id, scaled: scaled) - closed : .max
                while admitted < group.count {
                    if group.gathers {
                        guard let bracket, room >= group.time,
                            let piece = table.take(
                                item.id, from: group.time, to: group.time, unit: bucket.limit.emissionInterval,
                                tag: bracket.tag, scaled: scaled)
                        else { return }
                        // Two pieces need not lie side by side, so each gets a verdict of its own.
                        give(piece, bracket, group, ticket: group.firstTicket + UInt64(admitted), scaled, to: session)
                        table.noteUse(of: cost, item.id)
                        (tat, epoch) = (piece.end, bracket.epoch)
                    } else {
                        guard room >= group.time else { return }
                        switch table.decide(
                            item.id, time: group.time, tokens: cost, tolerance: bucket.limit.tolerance, scaled: scaled)
                        {
                        case .allowed(let nowTat, let nowAxis): (tat, axis) = (nowTat, nowAxis)
                        case .limited(let nowTat, let nowAxis):
                            // It is the client's, not one of this node's own callers'.
                            table.forgetRefusal(of: item.id)
                            guard group.longestWait == 0 else { return }
                            refused = group.count - admitted
                            if admitted == 0 { (tat, axis) = (nowTat, nowAxis) }
                            return
                        case .unknown: return
                        }
                    }
                    admitted += 1
                    if room != .max { room -= group.time }
                }
            }
            if admitted > 0 { note(admitted, group, item, now: now) }
        }
        if refused > 0 {
            holder.noteUsage(of: bucket, key: item.name?.key ?? [], used: 0, refused: Int64(refused), now: now)
        }
        counters.admitted += UInt64(admitted)
        counters.refused += UInt64(refused)
        if epoch == 0, admitted + refused > 0 {
            conversations.give(
                Verdict(
                    firstTicket: group.firstTicket, count: admitted + refused, outcome: .decided, admitted: admitted,
                    axis: axis, tat: tat, refusalTat: tat), to: session)
        }
        forward(
            group, from: admitted + refused, item, bucket, cost: cost, session: session, closed: closed,
            holder: &holder,
            now: now)
        return admitted
    }

    private mutating func give(
        _ piece: Piece, _ bracket: Holder.Bracket, _ group: WaitingGroup, ticket: UInt64, _ scaled: Int64,
        to session: UInt64
    ) {
        conversations.give(
            Verdict(
                firstTicket: ticket, count: 1, outcome: .decided, admitted: 1,
                axis: AxisTime(ns: bracket.base + scaled), tat: piece.end, refusalTat: piece.end, epoch: bracket.epoch),
            to: session)
    }

    /// Makes the rest of a group, from its `first` on, requests of this node.
    private mutating func forward(
        _ group: WaitingGroup, from first: UInt32, _ item: ReportItem, _ bucket: Bucket, cost: Int64, session: UInt64,
        closed: Int64, holder: inout Holder, now: ClockTime
    ) {
        guard first < group.count else { return }
        let count = Int(group.count - first)
        guard waiting[session, default: 0] + count <= Lender.mostWaitingPerClient else {
            conversations.give(
                Verdict(
                    firstTicket: group.firstTicket + UInt64(first), count: UInt32(count), outcome: .overloaded),
                to: session)
            return
        }
        waiting[session, default: 0] += count
        counters.forwarded += UInt64(count)
        let key = item.name?.key ?? []
        for k in UInt64(first)..<UInt64(group.count) {
            let token = nextToken
            nextToken += 1
            asked[token] = Asked(
                session: session, ticket: group.firstTicket + k, id: item.id, time: group.time,
                tolerance: bucket.limit.tolerance,
                range: item.range)
            holder.submit(
                PendingRequest(
                    bucket: bucket, key: key, cost: cost, longestWait: group.longestWait, gathers: group.gathers,
                    closed: closed, token: token),
                sink: Lender.sink, now: now)
        }
    }

    /// A part of what the node holds, taken out of its table; nil if there is nothing worth the way.
    private mutating func lend(
        _ item: ReportItem, part: ContentionTable.Part, request: Int64, holder: borrowing Holder,
        store: some AllowanceStore, scaled: Int64
    ) -> Allowance? {
        guard let bracket = holder.bracket(of: item.range) else { return nil }
        let interval = item.terms.emissionInterval
        let piece: Piece? = store.withTable(for: item.id) { table in
            guard let standing = table.standing(item.id, scaled: scaled) else { return nil }
            let room = standing.held - part.closed
            let least = max(interval, request)
            // A part for each of them; among many, two requests' worth to who comes first, or nobody would get anything. Who has had
            // more than others waits behind what is closed to it.
            let share = max(part.share(of: room), min(room, item.want, 2 * least))
            // Where the spans lie right before the axis, time is what a piece runs out of first.
            let isNear = standing.tat - standing.axis < item.terms.room / 2
            let most = min(share, isNear ? max(item.want, Lender.pieceTime) : item.want)
            guard most >= least else { return nil }
            return table.take(item.id, from: least, to: most, unit: interval, tag: bracket.tag, scaled: scaled)
        }
        guard let piece else { return nil }
        if piece.end.ns - (bracket.base + scaled) < Lender.leastLife {
            // It would hardly outlive the way: the node itself can still use it.
            _ = store.withTable(for: item.id) { $0.putBack(piece, of: item.id, scaled: scaled) }
            return nil
        }
        counters.lent += 1
        return Allowance(start: piece.start, end: piece.end)
    }

    /// By what a client refuses for sure: nothing that ends before `tat - tau` can pass, neither at the owner nor from what this node
    /// holds. Nil if nothing is known.
    private static func tat(of item: ReportItem, store: some AllowanceStore, scaled: Int64) -> AxisTime? {
        guard let standing = store.withTable(for: item.id, { $0.standing(item.id, scaled: scaled) }) else { return nil }
        guard standing.held >= item.terms.emissionInterval else { return standing.tat }
        return min(standing.tat, standing.axis + item.terms.room) - standing.held
    }

    // MARK: Verdicts

    /// A request of a client's was settled by the owner, or by the rule's `onIsolation`.
    public mutating func settled(_ settled: Holder.Settled, holder: borrowing Holder, now: ClockTime) {
        // Its conversation may be over; its token never comes twice.
        guard let request = asked.removeValue(forKey: settled.token) else { return }
        if let left = waiting[request.session] { waiting[request.session] = left > 1 ? left - 1 : nil }
        let decision = settled.decision
        contention.charge(
            places[request.id] ?? 0, holder: request.session,
            granted: decision.isAllowed && !decision.isIsolated ? request.time : 0,
            isRefused: decision.outcome == .limited, at: AxisTime(ns: now.ns))
        var verdict = Verdict(firstTicket: request.ticket, count: 1, outcome: .decided)
        switch decision.outcome {
        case .allowed:
            verdict.admitted = 1
            // Only differences matter to who reads it, unless it gathers.
            verdict.axis = AxisTime(ns: 0)
            verdict.tat = AxisTime(ns: decision.resetAfter)
            if let piece = settled.piece, let bracket = holder.bracket(of: request.range), bracket.tag == piece.tag {
                verdict.axis = piece.end - decision.resetAfter
                verdict.tat = piece.end
                verdict.epoch = bracket.epoch
            }
            verdict.refusalTat = verdict.tat
        case .limited:
            verdict.axis = AxisTime(ns: 0)
            verdict.tat = AxisTime(ns: decision.resetAfter)
            verdict.refusalTat = AxisTime(ns: max(0, decision.retryAfter) - request.time + request.tolerance)
        case .unavailable:
            switch decision.cause {
            case .overloaded: verdict.outcome = .overloaded
            case .timeout: verdict.outcome = .timeout
            case .isolated, .starting, .none: verdict.outcome = .cutOff
            }
        }
        if decision.isIsolated { verdict.outcome = .isolated }
        conversations.give(verdict, to: request.session)
    }

    /// Verdicts that came to be known since the last answers.
    public mutating func takePending() -> [(client: ClientID, message: ClientMessage)] {
        conversations.takePending().map { ($0.holder, .verdicts(session: $0.session, $0.batch)) }
    }

    private mutating func note(_ count: UInt32, _ group: WaitingGroup, _ item: ReportItem, now: ClockTime) {
        guard isTracing else { return }
        for _ in 0..<count {
            admissions.append(
                Admission(id: item.id, terms: item.terms, time: group.time, priority: group.priority, at: now))
        }
    }
}

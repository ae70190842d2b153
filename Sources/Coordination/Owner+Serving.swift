public import LimiterCore
public import Raft

// Reports and answers: what holders ask, and what the two rules of design section 3 let the owner hand out:
//
//     b <= A + tau                                   the bucket allows it
//     b <= max(bound, min(A, horizon) + slack)       the log covers it

extension Owner {
    /// Answers a report, or repeats the answer; nil if the report is older than the newest one.
    public mutating func receive(
        _ report: Report, from holder: NodeID, state: borrowing ReplicatedState, now: ClockTime
    ) -> Answer? {
        let now = isPlanted(.readsClockBeforeBytes) && report.number % 128 == 127 ? now + -100_000_000 : now
        switch conversations.heard(report, from: holder, now: now) {
        case .new: break
        case .repeated(let answer):
            count { $0.repeatedReports += 1 }
            return answer
        case .late: return nil
        }
        count { $0.reports += 1 }
        var readings: [AxisReading] = []
        var seenRanges: UInt64 = 0
        var items: [AnswerItem] = []
        for item in report.items {
            guard tenures[item.range].phase == .serving else {
                for group in item.waiting {
                    give(
                        Verdict(firstTicket: group.firstTicket, count: group.count, outcome: .notOwner),
                        to: report.session)
                }
                continue
            }
            if seenRanges & (1 << UInt64(item.range.rawValue)) == 0 {
                seenRanges |= 1 << UInt64(item.range.rawValue)
                let tenure = tenures[item.range].axis(at: now)
                readings.append(AxisReading(range: item.range, epoch: tenures[item.range].epoch, axis: tenure))
            }
            if let answer = serve(item, session: report.session, state: state, now: now) { items.append(answer) }
        }
        return conversations.answer(report, readings: readings, items: items)
    }

    /// Decides what one bucket's waiting requests get, and its holder's allowance.
    private mutating func serve(
        _ item: ReportItem, session: UInt64, state: borrowing ReplicatedState, now: ClockTime
    ) -> AnswerItem? {
        let range = item.range
        let axis = tenures[range].axis(at: now)
        let (position, isNew) = record(item.id, range, item.terms, item.predecessors, state: state, axis: axis)
        let wantsShare = item.want > 0 || item.refused > 0 || tenures[range].buckets[position].contention > 0
        var part = ContentionTable.Part()
        if wantsShare {
            let place = tenures[range].contention.place(
                of: item.id, known: tenures[range].buckets[position].contention, at: axis)
            tenures[range].buckets[position].contention = place
            part = tenures[range].contention.part(
                place, holder: session, weight: Int64(item.weight), of: item.terms, at: axis)
        }
        if !item.waiting.isEmpty {
            let largest = item.waiting.reduce(0) { max($0, $1.time) }
            let known = tenures[range].buckets[position].request
            tenures[range].buckets[position].request = max(largest, known - known / 8)
        }
        if isPlanted(.takesSpansBack) { tenures[range].buckets[position].tat -= item.want / 2 }
        let before = max(tenures[range].buckets[position].tat, axis.ns)
        var unmet = item.refused > 0
        for group in item.waiting {
            unmet =
                decide(
                    group, position, range, item.id, item.terms, session: session, closed: part.closed,
                    predecessors: isNew ? item.predecessors : [], state: state, now: now)
                || unmet
        }
        var allowance: Allowance?
        if item.want > 0 {
            allowance = lend(item, position, part: part, state: state, now: now)
            // Who wanted an advance that this bucket is too small or too slow for does not go short.
            let possible = min(item.want, item.terms.room / 8, Owner.longestAllowance(item.terms))
            unmet =
                unmet
                || possible >= item.terms.emissionInterval && (allowance.map { $0.end - $0.start } ?? 0) < possible
        }
        let tat = tenures[range].buckets[position].tat
        if wantsShare {
            tenures[range].contention.note(
                tenures[range].buckets[position].contention, holder: session, granted: max(0, tat - before),
                isHungry: unmet, of: item.terms, at: axis)
        }
        return AnswerItem(range: range, id: item.id, tat: AxisTime(ns: tat + part.closed), allowance: allowance)
    }

    /// The position of a bucket's record, which is made if there is none.
    private mutating func record(
        _ id: BucketID, _ range: RangeID, _ terms: BucketTerms, _ predecessors: [RuleDirectory.Predecessor],
        state: borrowing ReplicatedState, axis: AxisTime
    ) -> (position: Int, isNew: Bool) {
        if let known = tenures[range].buckets.find(id) { return (known, false) }
        let never = AxisTime.never.ns
        var new = OwnedBucket(
            tat: startOfBucket(id, range, terms, state: state).ns, proposed: never, carriedUntil: never, owed: never,
            request: 0, contention: 0)
        carryOver(from: predecessors, range, terms, to: &new, state: state, axis: axis)
        if tenures[range].buckets.isFull { makeRoom(range, state: state, axis: axis) }
        guard let position = tenures[range].buckets.insert(id, new) else {
            preconditionFailure("no room for a bucket after making room")
        }
        return (position, true)
    }

    /// A new version of a rule starts with as many tokens used as the old one had.
    private func carryOver(
        from predecessors: [RuleDirectory.Predecessor], _ range: RangeID, _ terms: BucketTerms,
        to bucket: inout OwnedBucket, state: borrowing ReplicatedState, axis: AxisTime
    ) {
        for old in predecessors where !isPlanted(.forgetsPredecessors) {
            let known = tenures[range].buckets.find(old.id).map { tenures[range].buckets[$0] }
            let tat = known.map { AxisTime(ns: max($0.tat, $0.owed)) } ?? state.bound(of: old.id, in: range)
            let carried = terms.timeOfTokens(in: tat - axis, of: old)
            bucket.tat = max(bucket.tat, (axis + min(carried, terms.tolerance)).ns)
            bucket.owed = max(bucket.owed, (axis + carried).ns)
            bucket.carriedUntil = max(bucket.carriedUntil, tat.ns, bucket.owed)
            if known != nil { break }
        }
    }

    /// Where a bucket starts that this tenure has no record of: at or beyond anything that earlier tenures could hand out, and
    /// anything that this one has forgotten.
    func startOfBucket(
        _ id: BucketID, _ range: RangeID, _ terms: BucketTerms, state: borrowing ReplicatedState
    ) -> AxisTime {
        let slack = parameters.slack(tolerance: terms.tolerance, exact: terms.exact)
        let bound = isPlanted(.takeoverForgetsBound) ? .never : state.bound(of: id, in: range)
        let handedOut = max(bound, state.floor(of: range) + (isPlanted(.takeoverForgetsSlack) ? 0 : slack))
        let margin = isPlanted(.takeoverForgetsMargin) ? 0 : parameters.margin
        let forgotten = isPlanted(.startIgnoresFloors) ? .never : tenures[range].floors[id.toleranceClass]
        return max(handedOut + margin, forgotten)
    }

    /// Makes room in a full table: full buckets vanish for free; if there are none in sight, the fullest in sight is forgotten by raising
    /// its class's floor to its `tat`. That costs those who are not in the table the part of a burst that it had used.
    private mutating func makeRoom(_ range: RangeID, state: borrowing ReplicatedState, axis: AxisTime) {
        let least = sweep(range, steps: 128, state: state, axis: axis)
        guard tenures[range].buckets.isFull, let (id, _) = least, let position = tenures[range].buckets.find(id) else {
            if tenures[range].buckets.isFull { makeRoom(range, state: state, axis: axis) }
            return
        }
        let (kind, tat) = (id.toleranceClass, tenures[range].buckets[position].tat)
        if !isPlanted(.forgettingRefills) {
            tenures[range].floors[kind] = max(tenures[range].floors[kind], AxisTime(ns: tat))
        }
        tenures[range].buckets.remove(at: position)
        count { $0.forgotten += 1 }
    }

    /// Drops full buckets among the next `steps` slots; their records say nothing any more.
    @discardableResult
    mutating func sweep(_ range: RangeID, steps: Int, state: borrowing ReplicatedState, axis: AxisTime) -> (
        BucketID, Int64
    )? {
        let isFull = tenures[range].buckets.isFull
        // Whom to forget is asked only of a full table.
        return tenures[range].buckets.sweep(
            steps, rank: { id, bucket in isFull ? id.part(of: bucket.tat - axis.ns) : nil }
        ) { id, bucket in
            // As long as a bound lies ahead, or is on its way, an absent bucket would start at the bound: keep the record, which knows
            // better.
            bucket.tat <= axis.ns && state.bound(of: id, in: range) <= axis
                && (max(bucket.proposed, bucket.carriedUntil) <= axis.ns || isFull)
        }
    }

    /// Up to where the log covers a bucket now; `.never` if nothing may be handed out at all.
    private func covered(
        _ id: BucketID, _ range: RangeID, _ terms: BucketTerms, state: borrowing ReplicatedState, axis: AxisTime
    ) -> AxisTime {
        let horizon = state.horizon(of: range)
        guard tenures[range].isCovered, axis <= horizon + parameters.grace || isPlanted(.ignoresGrace) else {
            return .never
        }
        if isPlanted(.grantsOnProposedBound), let at = tenures[range].buckets.find(id) {
            return max(AxisTime(ns: tenures[range].buckets[at].proposed), state.bound(of: id, in: range))
        }
        let slack = parameters.slack(tolerance: terms.tolerance, exact: terms.exact)
        return max(state.bound(of: id, in: range), (isPlanted(.ignoresHorizon) ? axis : min(axis, horizon)) + slack)
    }

    /// Decides a group of equal requests: the first so many pass, the others do not, or wait for the log. Returns whether any
    /// was refused.
    ///
    /// `closed` to their holder is so much of the bucket; normal ones leave the rule's reserve besides.
    private mutating func decide(
        _ group: WaitingGroup, _ position: Int, _ range: RangeID, _ id: BucketID, _ terms: BucketTerms, session: UInt64,
        closed: Int64, predecessors: [RuleDirectory.Predecessor], state: borrowing ReplicatedState, now: ClockTime,
        since: ClockTime? = nil
    ) -> Bool {
        let axis = tenures[range].axis(at: now)
        let tat = AxisTime(ns: tenures[range].buckets[position].tat)
        guard group.time > 0 else {  // only looks
            give(
                Verdict(
                    firstTicket: group.firstTicket, count: group.count, outcome: .decided, admitted: group.count,
                    axis: axis,
                    tat: tat, refusalTat: tat), to: session)
            return false
        }
        let start = isPlanted(.savesBeyondBurst) ? tat : max(tat, axis)
        let closed = closed + group.closed
        // Who waits is given tokens of the future: of a bucket with a reserve nothing would be left of that.
        let isWhole = group.priority == .critical || terms.reserve == 0
        let allowed = axis + (isWhole ? terms.tolerance + group.longestWait : terms.room) - closed
        let fitting = isPlanted(.deniesEverything) ? 0 : max(0, min(Int64(group.count), (allowed - start) / group.time))
        let cover = covered(id, range, terms, state: state, axis: axis)
        let admitted = max(0, min(fitting, (cover - start) / group.time))
        let end = start + admitted * group.time
        if admitted > 0 {
            tenures[range].buckets[position].tat = end.ns
            tenures[range].wasUsed = true
            count { $0.admitted += UInt64(admitted) }
            trace(admitted, group, terms, id, epoch: tenures[range].epoch, start: start, axis: axis, now: now)
        }
        let short = fitting - admitted
        let refused = Int64(group.count) - fitting
        if admitted > 0 || short == 0 {
            count { $0.refused += UInt64(short == 0 ? refused : 0) }
            // With requests that must wait for the log, what is over the limit waits behind them: its turn may come.
            let settled = short == 0 ? Int64(group.count) : admitted
            give(
                Verdict(
                    firstTicket: group.firstTicket, count: UInt32(settled), outcome: .decided,
                    admitted: UInt32(admitted),
                    axis: axis, tat: admitted > 0 ? end : tat, refusalTat: (admitted > 0 ? end : tat) + closed,
                    epoch: group.gathers && admitted > 0 ? tenures[range].epoch : 0),
                to: session)
        }
        if short > 0 {
            var rest = group
            rest.firstTicket += UInt64(admitted)
            rest.count -= UInt32(admitted)
            wait(
                rest, position, range, id, terms, session: session, predecessors: admitted > 0 ? [] : predecessors,
                upTo: end + short * group.time, now: now, since: since)
        } else {
            askAhead(position, range, id, terms, cover: cover, axis: axis)
        }
        return refused > 0
    }

    /// Lets requests wait for the log, and asks the log for what they need.
    private mutating func wait(
        _ group: WaitingGroup, _ position: Int, _ range: RangeID, _ id: BucketID, _ terms: BucketTerms, session: UInt64,
        predecessors: [RuleDirectory.Predecessor], upTo end: AxisTime, now: ClockTime, since: ClockTime?
    ) {
        guard waitingCount < Owner.mostWaiting, !hasLostTheLog(at: now) else {
            give(Verdict(firstTicket: group.firstTicket, count: group.count, outcome: .unknown), to: session)
            return
        }
        propose(end + lookAhead(terms), position, range, id)
        needCover(range)
        tenures[range].waiting.append(
            Tenure.Waiter(
                session: session, id: id, terms: terms, predecessors: predecessors, group: group, since: since ?? now))
        waitingCount += 1
    }

    /// The stretch of virtual time to reserve beyond what is needed now: the expected spending of a quarter of a second or of
    /// twice a commit, at least a fiftieth of the tolerance, never more than the tolerance.
    private func lookAhead(_ terms: BucketTerms) -> Int64 {
        min(terms.tolerance, max(250_000_000, 2 * commitTime, terms.tolerance / 50))
    }

    /// A bucket that is being drained asks for the next stretch before it needs it, if that is worth at least two requests.
    private mutating func askAhead(
        _ position: Int, _ range: RangeID, _ id: BucketID, _ terms: BucketTerms, cover: AxisTime, axis: AxisTime
    ) {
        let tat = AxisTime(ns: tenures[range].buckets[position].tat)
        let ahead = lookAhead(terms)
        let left = max(ahead / 2, min(ahead, commitTime + Owner.company))
        let slack = parameters.slack(tolerance: terms.tolerance, exact: terms.exact)
        // Within its slack a bucket needs no record; and a slow one, whose next token is far, asks when the time comes.
        guard tat > axis + slack / 2, slack < terms.tolerance, 2 * terms.emissionInterval <= ahead, cover - tat < left
        else { return }
        if tenures[range].buckets[position].proposed - tat.ns < left {
            propose(min(tat, axis + terms.tolerance) + ahead, position, range, id)
            unhurried |= range.bit
        }
        // A burst may be quicker than what it was to go with.
        if cover - tat < ahead / 4 { attention |= range.bit }
    }

    /// Puts a bound into a batch of its range, unless as high a one is on its way.
    private mutating func propose(_ bound: AxisTime, _ position: Int, _ range: RangeID, _ id: BucketID) {
        guard bound.ns > tenures[range].buckets[position].proposed else { return }
        tenures[range].buckets[position].proposed = bound.ns
        tenures[range].pendingBounds.append(Bound(id: id, time: bound))
        count { $0.boundsProposed += 1 }
    }

    /// An allowance for a holder that wants one: sized by demand and time, leaving the others something, and none where a
    /// bracket's width would matter.
    private mutating func lend(
        _ item: ReportItem, _ position: Int, part: ContentionTable.Part, state: borrowing ReplicatedState,
        now: ClockTime
    ) -> Allowance? {
        let range = item.range
        let axis = tenures[range].axis(at: now)
        let terms = item.terms
        let tat = AxisTime(ns: tenures[range].buckets[position].tat)
        let start = max(tat, axis)
        let room = terms.room
        let left = axis + room - part.closed - start
        // While the bucket is more than half full, time is what an allowance runs out of first.
        let wanted = left > room / 2 ? max(item.want, Owner.allowanceTime) : item.want
        let cover = covered(item.id, range, terms, state: state, axis: axis)
        let half = part.share(of: left) / 2
        let share = isPlanted(.lendsBeyondBurst) ? wanted : half
        let length = min(wanted, share, cover - start, Owner.longestAllowance(terms))
        let units = length / terms.emissionInterval
        guard units > 0, !isPlanted(.deniesEverything),
            units * terms.emissionInterval >= tenures[range].buckets[position].request,
            room - units * terms.emissionInterval >= Owner.leastBracketRoom
        else {
            if cover - start < min(wanted, half) {
                if state.horizon(of: range) < axis { needCover(range) }
                askAhead(position, range, item.id, terms, cover: cover, axis: axis)
            }
            return nil
        }
        let end = start + units * terms.emissionInterval
        if !isPlanted(.lendsWithoutSpending) { tenures[range].buckets[position].tat = end.ns }
        tenures[range].wasUsed = true
        count { $0.allowances += 1 }
        askAhead(position, range, item.id, terms, cover: cover, axis: axis)
        if isTracing {
            loans.append(
                Loan(id: item.id, range: range, epoch: tenures[range].epoch, start: start, end: end, axis: axis))
        }
        return Allowance(start: start, end: end)
    }

    /// How long an allowance from a bucket that is nearly full lasts at least, in nanoseconds.
    static var allowanceTime: Int64 { 100_000_000 }
    /// An allowance that its holder has no use for is out of everybody's reach until the axis has passed it: no more than a second of
    /// virtual time, or a sixteenth of the bucket. So ten tokens a day are handed out one by one, by the owner.
    private static func longestAllowance(_ terms: BucketTerms) -> Int64 { max(1_000_000_000, terms.tolerance / 16) }
    /// What must be left of the tolerance, so that the width of a bracket does not matter against it.
    static var leastBracketRoom: Int64 { 20_000_000 }

    /// Serves what waited for the log, after a cover was applied.
    mutating func serveWaiting(_ range: RangeID, state: borrowing ReplicatedState, now: ClockTime) {
        guard !tenures[range].waiting.isEmpty else { return }
        let waiting = tenures[range].waiting.takeAll()
        waitingCount -= waiting.count
        let axis = tenures[range].axis(at: now)
        for waiter in waiting {
            let (position, _) = record(
                waiter.id, range, waiter.terms, waiter.predecessors, state: state, axis: axis)
            if !waiter.predecessors.isEmpty {
                // Requests of an earlier version may have waited before these ones, and been served a moment ago.
                var bucket = tenures[range].buckets[position]
                carryOver(from: waiter.predecessors, range, waiter.terms, to: &bucket, state: state, axis: axis)
                tenures[range].buckets[position] = bucket
            }
            _ = decide(
                waiter.group, position, range, waiter.id, waiter.terms, session: waiter.session, closed: 0,
                predecessors: waiter.predecessors, state: state, now: now, since: waiter.since)
        }
    }

    private mutating func trace(
        _ admitted: Int64, _ group: WaitingGroup, _ terms: BucketTerms, _ id: BucketID, epoch: UInt64, start: AxisTime,
        axis: AxisTime, now: ClockTime
    ) {
        guard isTracing else { return }
        for i in 1...admitted {
            // Due when its span ends within the burst.
            let due = max(0, start + i * group.time - terms.tolerance - axis)
            admissions.append(
                Admission(
                    id: id, epoch: epoch, terms: terms, time: group.time, priority: group.priority,
                    start: start + (i - 1) * group.time, at: now + due))
        }
    }
}

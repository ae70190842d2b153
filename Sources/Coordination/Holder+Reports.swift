public import LimiterCore
public import Raft

// Reports up, answers down: one report in flight to each owner, exactly one answer taken a number, one verdict a request.

extension Holder {
    /// The reports that are due: new ones where none is in flight, and repeats of those that got no answer.
    ///
    /// `now` is read before they are sent; the bracket of an answer begins at the *first* sending.
    public mutating func reportsDue(
        directory: RuleDirectory?, store: some AllowanceStore, now: ClockTime
    ) -> [(to: NodeID, report: Report)] {
        var due: [(to: NodeID, report: Report)] = []
        for i in lines.indices {
            // Asked after each event of a node, and mostly for nothing: the report is not even looked at before it is wanted.
            if lines[i].outstanding != nil {
                guard now - lines[i].lastSent > Holder.repeatAfter, !isPlanted(.neverRepeatsReports),
                    let report = lines[i].outstanding
                else { continue }
                lines[i].lastSent = now
                count { $0.repeats += 1 }
                due.append((lines[i].tenant.node, report))
            } else if !lines[i].queue.isEmpty || !lines[i].usage.isEmpty || isOverdue(i, now: now) {
                let report = makeReport(i, directory: directory, store: store, now: now)
                lines[i].outstanding = report
                lines[i].firstSent = now
                lines[i].lastSent = now
                if lines[i].unansweredSince == nil { lines[i].unansweredSince = now }
                count { $0.reports += 1 }
                due.append((lines[i].tenant.node, report))
            }
        }
        return due
    }

    /// Whether an empty report is due. An owner sends a verdict once of its own accord and again only with an answer, so one
    /// that may have been lost has to be asked for; and an owner that was silent has to be tried again.
    private func isOverdue(_ i: Int, now: ClockTime) -> Bool {
        (lines[i].waiting > 0 || lines[i].unansweredSince != nil)
            && now - max(lines[i].lastSent, lines[i].lastHeard) > Holder.repeatAfter
    }

    /// Notes until when a ticket waits, in the order of the deadlines: a request that is asked again is older than its ticket.
    private mutating func noteDeadline(_ deadline: ClockTime, of ticket: UInt64) {
        var place = deadlines.count
        while place > deadlinesHead, deadlines[place - 1].deadline > deadline { place -= 1 }
        deadlines.insert((deadline, ticket), at: place)
    }

    private mutating func makeReport(
        _ i: Int, directory: RuleDirectory?, store: some AllowanceStore, now: ClockTime
    ) -> Report {
        var items: [ReportItem] = []
        let taken = roomForKeys(in: lines[i].queue, most: Report.mostItems / 2)
        // By bucket, so that equal requests of one bucket get consecutive tickets and travel as one group.
        var order = Array(lines[i].queue.prefix(taken))
        lines[i].queue.removeFirst(taken)
        if taken > 1 { order = order.groupedByBucket() }
        let scaled = drift.longest(now.ns)
        for var waiting in order {
            let request = waiting.request
            let ticket = nextTicket
            nextTicket += 1
            waiting.askedOf = lines[i].tenant
            waiting.sent = now
            tickets[ticket] = waiting
            lines[i].waiting += 1
            noteDeadline(waiting.deadline, of: ticket)
            if items.last?.id != request.bucket.id {
                items.append(
                    ReportItem(
                        range: request.bucket.range, id: request.bucket.id, terms: BucketTerms(request.bucket),
                        // A node looks for a client's.
                        predecessors: isClient
                            ? [] : directory?.predecessors(of: request.bucket, key: request.key) ?? [],
                        name: name(request.bucket, key: request.key, directory)))
            }
            let place = items.count - 1
            let cost = isPlanted(.ignoresCosts) ? min(1, request.cost) : request.cost
            let time = request.bucket.limit.time(of: cost) ?? 0
            let wait = request.bucket.mayWait ? min(request.longestWait, Rule.longestDelay) : 0
            if let last = items[place].waiting.last, last.time == time, last.longestWait == wait,
                last.gathers == request.gathers, last.priority == request.bucket.priority,
                last.closed == request.closed,
                last.firstTicket + UInt64(last.count) == ticket
            {
                items[place].waiting[items[place].waiting.count - 1].count += 1
            } else {
                items[place].waiting.append(
                    WaitingGroup(
                        firstTicket: ticket, count: 1, time: time, longestWait: wait, gathers: request.gathers,
                        priority: request.bucket.priority, closed: request.closed))
            }
        }
        let used = min(isClient ? Holder.mostClientUsage : Report.mostItems / 2, lines[i].usage.count)
        var places: [BucketID: Int] = [:]
        if used > 0 { for (place, item) in items.enumerated() { places[item.id] = place } }
        for use in lines[i].usage.prefix(used) {
            if let known = places[use.id] {
                items[known].used &+= use.used
                items[known].refused &+= UInt32(use.refused)
            } else if let entry = keys[use.id] {
                places[use.id] = items.count
                items.append(
                    ReportItem(
                        range: entry.bucket.range, id: use.id, terms: BucketTerms(entry.bucket), used: use.used,
                        refused: UInt32(use.refused), name: name(entry.bucket, key: entry.key, directory)))
            }
        }
        lines[i].usage.removeFirst(used)
        for place in items.indices {
            items[place].want = want(items[place], store: store, scaled: scaled, now: now)
            items[place].weight = weight(of: items[place].id, now: now)
        }
        lines[i].number += 1
        return Report(
            session: lines[i].session, number: lines[i].number, verdictsSeen: lines[i].verdictsSeen, items: items)
    }

    /// The virtual time that a holder would like to hand out itself: what is asked in the next tenth of a second, less what it
    /// has; nothing for keys that are asked for less than twice in that time.
    private mutating func want(_ item: ReportItem, store: some AllowanceStore, scaled: Int64, now: ClockTime) -> Int64 {
        guard let entry = keys.refresh(item.id, now: now) else { return 0 }
        // Where the whole bucket is only a moment long, what is held for longer would be overtaken by the axis; and what a node holds,
        // its clients hold after it.
        let horizon = min(Holder.demandHorizon, Double(item.terms.room / (isClient ? 8 : 2)))
        let ahead = min(entry.demand * horizon, Double(item.terms.room))
        guard ahead >= Double(2 * item.terms.emissionInterval) else { return 0 }
        let (held, spans) = store.withTable(for: item.id) { table in
            (table.held(item.id, scaled: scaled), table.contents(of: item.id)?.spans ?? [])
        }
        // In lumps, and only with room for one more: many small spans would not find room in the table, and be lost.
        let live = spans.count { $0.end > max($0.start, $0.base + scaled) }
        guard held < Int64(ahead) / 2, live < AllowanceTable.mostSpans - 1 else { return 0 }
        return Int64(ahead) - held
    }

    /// How many of the first requests go into one report: a client says their keys, which may be long.
    private func roomForKeys(in queue: [Waiting], most: Int) -> Int {
        guard isClient else { return min(most, queue.count) }
        var bytes = 0
        for (i, waiting) in queue.prefix(most).enumerated() {
            bytes += waiting.request.key.count
            if bytes > Report.mostKeyBytes { return i + 1 }
        }
        return min(most, queue.count)
    }

    private func name(_ bucket: Bucket, key: [UInt8], _ directory: RuleDirectory?) -> ItemName? {
        guard isClient else { return nil }
        let rule = bucket.ruleIndex < 0 ? nil : directory?.ruleName(of: bucket)
        return ItemName(rule: rule.map { Array($0.utf8) } ?? [], version: bucket.ruleVersion, key: key)
    }

    // MARK: Answers

    /// An owner's answer. Late, repeated and unknown ones are ignored: their tokens are lost, which is safe.
    public mutating func receive(_ answer: Answer, store: some AllowanceStore, now: ClockTime) {
        guard let i = lines.firstIndex(where: { $0.session == answer.session }) else { return }
        take(answer.verdicts, line: i, store: store, now: now)
        // Exactly one answer a number: a second one would bring the same allowances again.
        guard lines[i].outstanding?.number == answer.number || isPlanted(.takesAnswersTwice) else { return }
        lines[i].outstanding = nil
        lines[i].unansweredSince = nil
        lines[i].lastHeard = now
        let firstSent = isPlanted(.bracketsFromRepeat) ? lines[i].lastSent : lines[i].firstSent
        for reading in answer.readings {
            bracket(reading, sent: isPlanted(.bracketsFromAnswer) ? now : firstSent, store: store)
        }
        let scaled = drift.longest(now.ns)
        for item in answer.items {
            let bracket = brackets[item.range.index]
            // From an epoch that is over already: the allowance would be spent by the wrong bracket.
            guard
                answer.readings.contains(where: { $0.range == item.range && $0.epoch == bracket.epoch })
                    || isPlanted(.installsOldEpochs)
            else { continue }
            install(item, bracket: bracket, store: store, scaled: scaled)
        }
    }

    private mutating func install(_ item: AnswerItem, bracket: Bracket, store: some AllowanceStore, scaled: Int64) {
        let entry = keys[item.id]
        let interval = entry?.bucket.limit.emissionInterval ?? 0
        let tolerance = entry?.bucket.limit.tolerance ?? 0
        let axis = bracket.base + scaled
        // Worth a record: something to spend, or the next request is refused for sure.
        guard item.allowance != nil || item.tat.ns + interval > axis + tolerance else { return }
        let isInstalled = store.withTable(for: item.id) { table in
            table.install(
                item.id, span: item.allowance.map { ($0.start, $0.end) }, tat: item.tat, base: bracket.base,
                tag: bracket.tag,
                scaled: scaled)
        }
        guard item.allowance != nil else { return }
        count { counters in
            if isInstalled { counters.allowances += 1 } else { counters.lostAllowances += 1 }
        }
    }

    /// Narrows a range's bracket: at the first sending the axis was at most the answer's reading.
    private mutating func bracket(_ reading: AxisReading, sent: ClockTime, store: some AllowanceStore) {
        let base = reading.axis.ns - drift.longest(sent.ns) + 1
        let index = reading.range.index
        if reading.epoch == brackets[index].epoch {
            brackets[index].base = min(brackets[index].base, base)
        } else if reading.epoch > brackets[index].epoch {
            if brackets[index].tag == .max {
                // Tags begin again: nothing may be left that was spent by an older one.
                store.withEachTable { $0.discardAll() }
                generation &+= 1
            }
            brackets[index] = Bracket(epoch: reading.epoch, base: base, tag: brackets[index].tag &+ 1)
        }
    }

    /// Verdicts that came between two answers.
    public mutating func receive(
        verdicts: VerdictBatch, session: UInt64, store: some AllowanceStore, now: ClockTime
    ) {
        guard let i = lines.firstIndex(where: { $0.session == session }) else { return }
        take(verdicts, line: i, store: store, now: now)
    }

    private mutating func take(_ batch: VerdictBatch, line i: Int, store: some AllowanceStore, now: ClockTime) {
        for verdict in batch.verdicts {
            for k in 0..<UInt64(verdict.count) {
                // A request takes its first verdict; a repeated one finds no ticket.
                guard var waiting = takeTicket(verdict.firstTicket &+ k) else { continue }
                switch verdict.outcome {
                case .decided:
                    if verdict.epoch != 0 {
                        // What is gathered can only be put back by a bracket of its epoch: the decision's own reading makes one.
                        bracket(
                            AxisReading(range: waiting.request.bucket.range, epoch: verdict.epoch, axis: verdict.axis),
                            sent: waiting.sent, store: store)
                    }
                    let decision = decision(waiting.request, verdict, number: k)
                    if !decision.isAllowed, waiting.sink != Lender.sink {
                        keys.noteRefusal(of: waiting.request.bucket.id, now: now)
                    }
                    settle(
                        waiting, decision,
                        piece: decision.isAllowed ? piece(waiting.request, verdict, number: k) : nil)
                case .isolated:
                    var decision = decision(waiting.request, verdict, number: k)
                    decision.isIsolated = true
                    settle(waiting, decision)
                case .cutOff: settle(waiting, .unavailable(.isolated, limit: waiting.request.bucket.limit.burst))
                case .timeout: settle(waiting, .unavailable(.timeout, limit: waiting.request.bucket.limit.burst))
                case .overloaded: settle(waiting, .unavailable(.overloaded, limit: waiting.request.bucket.limit.burst))
                case .notOwner:
                    waiting.notBefore = now + Holder.notOwnerPause
                    unrouted.append(waiting)
                case .unknown:
                    decideAlone(waiting, now: now)
                }
            }
        }
        if batch.first <= lines[i].verdictsSeen + 1, !batch.verdicts.isEmpty {
            lines[i].verdictsSeen = max(lines[i].verdictsSeen, batch.last)
        }
    }

    /// What the `number`-th of a verdict's admitted requests has gathered; nil if it did not want to, or if the span's epoch is not one
    /// whose bracket is known: then it cannot be put back.
    private func piece(_ request: PendingRequest, _ verdict: Verdict, number: UInt64) -> Piece? {
        let bracket = brackets[request.bucket.range.index]
        guard request.gathers, verdict.epoch != 0, verdict.epoch == bracket.epoch, request.cost > 0,
            let time = request.bucket.limit.time(of: request.cost)
        else { return nil }
        let end = verdict.tat - (Int64(verdict.admitted) - 1 - Int64(number)) * time
        return Piece(
            start: end - time, end: end, base: bracket.base, tag: bracket.tag, generation: generation)
    }

    private mutating func decision(_ request: PendingRequest, _ verdict: Verdict, number: UInt64) -> Decision {
        let limit = request.bucket.limit
        let time = limit.time(of: request.cost) ?? 0
        let isAdmitted = number < UInt64(verdict.admitted) + (isPlanted(.admitsOneMore) ? 1 : 0)
        guard isAdmitted else {
            var decision = Decision.settled(
                allowed: false, limit: limit, tat: verdict.tat, cost: request.cost, at: verdict.axis)
            decision.retryAfter = max(0, verdict.refusalTat - verdict.axis + time - limit.tolerance)
            keys.count(request.bucket.id, admitted: 0, refused: 1, tokens: decision.remaining)
            return decision
        }
        let tat = verdict.tat - (Int64(verdict.admitted) - 1 - Int64(number)) * time
        var decision = Decision.settled(allowed: true, limit: limit, tat: tat, cost: request.cost, at: verdict.axis)
        decision.dueIn = max(0, tat - verdict.axis - limit.tolerance)
        keys.count(request.bucket.id, admitted: request.cost, refused: 0, tokens: decision.remaining)
        return decision
    }
}

extension [Holder.Waiting] {
    /// The same requests, those of one bucket side by side, critical ones first, each kind in its order.
    func groupedByBucket() -> [Holder.Waiting] {
        var keyed = Array<(offset: Int, element: Holder.Waiting)>(enumerated())
        keyed.sort { a, b in
            let (x, y) = (a.element.request, b.element.request)
            if x.bucket.id != y.bucket.id { return x.bucket.id < y.bucket.id }
            if x.bucket.priority != y.bucket.priority { return x.bucket.priority == .critical }
            return a.offset < b.offset
        }
        return keyed.map(\.element)
    }
}

public import LimiterCore
public import Raft

// What the owner asks of the log: covers ahead of need, in one batch for all its ranges, and releases.

extension Owner {
    /// What the owner wants to say and propose after a batch of events. `isTick` allows work that need not be done each time.
    public mutating func flush(state: borrowing ReplicatedState, now: ClockTime, isTick: Bool) -> (
        messages: [(to: NodeID, message: CoordinationMessage)], proposals: [Command]
    ) {
        if isTick {
            renew(state: state, now: now)
            repeatLostProposals(state: state, now: now)
            giveUpWaiters(now: now)
            hurry(now: now)
        }
        proposeCovers(state: state, now: now)
        for (holder, session, batch) in conversations.takePending() {
            outbox.append((holder, .verdicts(session: session, batch)))
        }
        return (outbox.takeAll(), proposals.takeAll())
    }

    /// Marks the ranges whose horizon is worth renewing: those in use a quarter ahead of its end, and once a minute those that
    /// still have bounds ahead of their axis, so that a restart of everybody does not credit the time between.
    private mutating func renew(state: borrowing ReplicatedState, now: ClockTime) {
        for range in RangeMask(served) {
            let axis = tenures[range].axis(at: now)
            renew(range, left: parameters.horizon / 4 * 3, state: state, axis: axis)
            if axis - state.stamp(of: range) > 60_000_000_000, state.boundCount(of: range) > 0,
                !state.bounds(of: range, after: axis).isEmpty
            {
                needCover(range)
            }
            sweep(range, steps: 16, state: state, axis: axis)
        }
    }

    /// Bounds that were asked for ahead of need wait for company, but not for long.
    private mutating func hurry(now: ClockTime) {
        let since = unhurriedSince ?? now
        unhurriedSince = unhurried == 0 ? nil : since
        if now - since >= Owner.company { attention |= unhurried }
    }

    /// A batch that leaves anyway takes along what may wait, and the ranges that would soon need one of their own: what costs is the
    /// batch, which everybody writes and syncs.
    private mutating func takeAlong(state: borrowing ReplicatedState, now: ClockTime) {
        attention |= unhurried
        unhurried = 0
        unhurriedSince = nil
        for range in RangeMask(served & ~attention) {
            renew(range, left: parameters.horizon / 8 * 7, state: state, axis: tenures[range].axis(at: now))
        }
    }

    /// Asks for a new cover of a range in use that has less than this left of its horizon.
    private mutating func renew(_ range: RangeID, left: Int64, state: borrowing ReplicatedState, axis: AxisTime) {
        guard tenures[range].wasUsed, axis > state.horizon(of: range) - left else { return }
        needCover(range)
        tenures[range].wasUsed = false
    }

    private mutating func proposeCovers(state: borrowing ReplicatedState, now: ClockTime) {
        guard attention != 0, inFlight.count < Owner.mostBatches else { return }
        takeAlong(state: state, now: now)
        var covers: [Cover] = []
        var room = mostBounds
        // Where there is no room for all, everybody has a turn.
        for range in RangeMask(attention, from: nextRange) {
            let epoch = tenures[range].epoch
            // One under way is enough, if it carries no fewer bounds.
            if tenures[range].pendingBounds.isEmpty,
                inFlight.contains(where: { $0.covers.contains { $0.range == range && $0.epoch == epoch } })
            {
                attention &= ~range.bit
                continue
            }
            let taken = min(room, tenures[range].pendingBounds.count)
            if taken > 0 { nextRange = RangeID((range.index + 1) % RangeID.count) }
            guard taken > 0 || tenures[range].pendingBounds.isEmpty else { continue }
            let axis = tenures[range].axis(at: now)
            covers.append(
                Cover(
                    range: range, epoch: epoch, stamp: axis, horizon: axis + parameters.horizon,
                    bounds: Array(tenures[range].pendingBounds.prefix(taken))))
            tenures[range].pendingBounds.removeFirst(taken)
            room -= taken
            if tenures[range].pendingBounds.isEmpty { attention &= ~range.bit }
        }
        guard !covers.isEmpty else { return }
        propose(covers, now: now)
    }

    private mutating func propose(_ covers: [Cover], now: ClockTime) {
        if stalledSince == nil { stalledSince = now }
        inFlight.append(CoverBatch(number: nextBatch, since: now, proposedAt: now, covers: covers))
        proposals.append(.covers(covers, RequestID(incarnation: tenant.incarnation, number: nextBatch)))
        nextBatch += 1
        count { $0.coverBatches += 1 }
    }

    mutating func batchApplied(_ number: UInt64, now: ClockTime) {
        guard let at = inFlight.firstIndex(where: { $0.number == number }) else { return }  // it was proposed twice
        commitTime = max(min(now - inFlight[at].since, Owner.mostCommitTime), commitTime - commitTime / 16)
        inFlight.remove(at: at)
        stalledSince = inFlight.isEmpty ? nil : now
    }

    /// A snapshot does not say which proposals it contains. What was on its way is there, or it is asked for again; else a node that gets
    /// snapshot after snapshot would wait each time for word of what has long been applied.
    mutating func askForMissing(state: borrowing ReplicatedState) {
        for cover in inFlight.flatMap(\.covers)
        where tenures[cover.range].phase == .serving && tenures[cover.range].epoch == cover.epoch {
            let stamp = state.stamp(of: cover.range)
            let missing = cover.bounds.filter { $0.time > stamp && state.bound(of: $0.id, in: cover.range) < $0.time }
            tenures[cover.range].pendingBounds += missing
            let isThere = tenures[cover.range].isCovered && state.horizon(of: cover.range) >= cover.horizon
            if !missing.isEmpty || !isThere { needCover(cover.range) }
        }
        inFlight = []
        stalledSince = nil
    }

    /// There is a new leader: what was on its way to the old one is proposed again with the next tick.
    public mutating func leaderChanged() {
        for i in inFlight.indices { inFlight[i].proposedAt = ClockTime(ns: -Owner.mostProposalPatience) }
        for range in releases.keys { releases[range]!.proposedAt = ClockTime(ns: -Owner.mostProposalPatience) }
    }

    /// Proposals are lost when the leader changes; nobody says so. Covers merge by `max`, so proposing them again is harmless.
    private mutating func repeatLostProposals(state: borrowing ReplicatedState, now: ClockTime) {
        let patience = min(max(Owner.proposalPatience, 4 * commitTime), Owner.mostProposalPatience)
        for i in inFlight.indices where now - inFlight[i].proposedAt > patience && !isPlanted(.neverProposesAgain) {
            // The same bounds with fresh stamps, as far as the tenures still stand.
            var covers: [Cover] = []
            for cover in inFlight[i].covers
            where tenures[cover.range].phase == .serving && tenures[cover.range].epoch == cover.epoch {
                let axis = tenures[cover.range].axis(at: now)
                covers.append(
                    Cover(
                        range: cover.range, epoch: cover.epoch, stamp: axis, horizon: axis + parameters.horizon,
                        bounds: cover.bounds))
            }
            inFlight[i].covers = covers
            inFlight[i].proposedAt = now
            // Under the same number: whichever copy is applied first counts, or a log slower than our patience would never
            // seem to answer.
            if !covers.isEmpty {
                proposals.append(
                    .covers(covers, RequestID(incarnation: tenant.incarnation, number: inFlight[i].number)))
            }
        }
        inFlight.removeAll { $0.covers.isEmpty }
        if inFlight.isEmpty { stalledSince = nil }
        for range in releases.keys.sorted() where now - releases[range]!.proposedAt >= patience {
            releases[range]!.proposedAt = now
            let known = state.releasedParts(of: range)
            for chunk in releases[range]!.chunks where !known.contains(chunk.chunk) {
                proposals.append(.release(chunk))
            }
        }
    }

    private mutating func giveUpWaiters(now: ClockTime) {
        guard waitingCount > 0 else { return }
        for range in RangeMask(served) where !tenures[range].waiting.isEmpty {
            let late = tenures[range].waiting.filter { now - $0.since > Owner.logPatience }
            guard !late.isEmpty else { continue }
            tenures[range].waiting.removeAll { now - $0.since > Owner.logPatience }
            waitingCount -= late.count
            for waiter in late {
                give(
                    Verdict(firstTicket: waiter.group.firstTicket, count: waiter.group.count, outcome: .unknown),
                    to: waiter.session)
            }
        }
    }

    /// Whether the log has applied nothing of ours for so long that waiting for it is no use.
    func hasLostTheLog(at now: ClockTime) -> Bool {
        guard let stalledSince else { return false }
        return now - stalledSince > Owner.logPatience
    }

    // MARK: Handing over on purpose

    /// Stops granting in a range for good and proposes its exact state; returns false if there is nothing to release.
    @discardableResult
    public mutating func release(_ range: RangeID, state: borrowing ReplicatedState, now: ClockTime) -> Bool {
        guard tenures[range].phase == .serving else { return false }
        if !isPlanted(.grantsAfterRelease) {
            tenures[range].phase = .releasing
            stopServing(range)
        }
        let axis = tenures[range].axis(at: now)
        var tats: [BucketID: AxisTime] = [:]
        // A bucket without a record starts at its bound; one with a record stands where the record says.
        for bound in state.bounds(of: range, after: axis) { tats[bound.id] = bound.time }
        tenures[range].buckets.forEach { id, bucket in
            if isPlanted(.releaseForgetsSlack), tats[id] == nil { return }
            tats[id] = bucket.tat > axis.ns ? AxisTime(ns: bucket.tat) : nil
        }
        var floors = tenures[range].floors
        for (kind, floor) in state.boundFloors(of: range).enumerated() { floors[kind] = max(floors[kind], floor) }
        let sorted = tats.map { Bound(id: $0.key, time: $0.value) }.sorted { $0.id < $1.id }
        let count = max(1, (sorted.count + mostBounds - 1) / mostBounds)
        let chunks = (0..<count).map { k in
            ReleaseChunk(
                range: range, epoch: tenures[range].epoch, chunk: UInt32(k), count: UInt32(count), stamp: axis,
                tats: Array(sorted.dropFirst(k * mostBounds).prefix(mostBounds)),
                floors: k == count - 1 && !isPlanted(.releaseForgetsFloors) ? floors : [])
        }
        for waiter in tenures[range].waiting {
            give(
                Verdict(firstTicket: waiter.group.firstTicket, count: waiter.group.count, outcome: .notOwner),
                to: waiter.session)
        }
        waitingCount -= tenures[range].waiting.count
        tenures[range].waiting = []
        releases[range] = Release(epoch: tenures[range].epoch, chunks: chunks, proposedAt: now)
        proposals += chunks.map { .release($0) }
        return true
    }
}

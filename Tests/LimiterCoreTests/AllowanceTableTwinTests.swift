import LimiterCore
import Testing

/// One range's epochs as they truly are, and all that the answers of their owners have ever said.
///
/// Time is the holder's stretched clock `s`; the axis of epoch `e` truly reads `offsets[e] + s`, which is the fastest that any
/// clock within the bound may run. Later epochs' axes only fall back (design, section 4).
private struct World {
    var offsets: [Int64] = [1000]
    /// The lowest bracket that an answer of each epoch brought.
    var lowest: [Int64] = [.max]
    var buckets: [BucketID: Truth] = [:]

    struct Truth {
        /// What was handed out and is not spent: disjoint pieces.
        var pieces: [(start: Int64, end: Int64, tag: UInt16)] = []
        /// The highest `tat` that was heard.
        var tat = AxisTime.never.ns
        /// Where the owner goes on.
        var next: Int64 = 0
        var used: Int64 = 0
        var refused = 0
    }

    /// Takes `[start, end)` out of the pieces of a tag; false if it was not all there.
    mutating func take(_ id: BucketID, _ start: Int64, _ end: Int64, tag: UInt16) -> Bool {
        var cursor = start
        var rest: [(start: Int64, end: Int64, tag: UInt16)] = []
        for piece in (buckets[id]?.pieces ?? []).sorted(by: { $0.start < $1.start }) {
            guard piece.tag == tag, piece.end > start, piece.start < end else {
                rest.append(piece)
                continue
            }
            guard piece.start <= cursor else { return false }
            cursor = min(piece.end, end)
            if piece.start < start { rest.append((piece.start, start, tag)) }
            if piece.end > end { rest.append((end, piece.end, tag)) }
        }
        buckets[id]?.pieces = rest
        return cursor == end
    }
}

@Suite("Allowance table against its specification")
struct AllowanceTableTwinTests {
    private typealias Span = AllowanceTable.HeldSpan

    @Test(
        "random histories of answers, requests and reports keep the promise's premises",
        arguments: 0..<30 as Range<UInt64>)
    func histories(seed: UInt64) {
        var random = SplitMix64(seed: seed)
        var world = World()
        let capacity = random.pick([6, 12, 40])
        var table = AllowanceTable(capacity: capacity)
        let ids = (0..<random.pick([2, 10, 40])).map { BucketID(high: UInt64($0) + 1, low: UInt64($0 % 5) << 6) }
        var now: Int64 = 0
        var allowed = 0
        for _ in 0..<2000 {
            if random.chance(6) { now += random.within(0...random.pick([3, 20, 150])) }
            let id = random.pick(ids)
            switch random.below(20) {
            case 0...5:
                install(id, &table, &world, &random, now)
            case 6...16:
                let tokens = random.within(1...random.pick([2, 8, 20]))
                if decide(id, tokens, &table, &world, now) { allowed += 1 }
            case 17:
                takeUsage(&table, &world, limit: random.pick([1, 3, 100]), now)
            case 18:
                table.clear(random.pick([1, 8, 100]), scaled: now)
            default:
                if random.chance(4) {  // an owner dies
                    world.offsets.append(
                        world.offsets[world.offsets.count - 1] - random.within(0...random.pick([0, 40, 400])))
                    world.lowest.append(.max)
                }
            }
            table.checkInvariants()
        }
        #expect(allowed > 20)
        takeUsage(&table, &world, limit: .max, now)
        #expect(world.buckets.values.allSatisfy { $0.used == 0 && $0.refused == 0 })
        table.clear(1 << 20, scaled: now + 1_000_000)
        #expect(table.count == 0, "everything vanishes in the end")
        table.checkInvariants()
    }

    private func install(
        _ id: BucketID, _ table: inout AllowanceTable, _ world: inout World, _ random: inout SplitMix64, _ now: Int64
    ) {
        // Mostly the present owner, sometimes a late answer of an earlier one.
        let epoch = random.chance(6) ? random.below(world.offsets.count) : world.offsets.count - 1
        let tag = UInt16(epoch)
        let axis = world.offsets[epoch] + now
        let base = world.offsets[epoch] + random.within(0...random.pick([0, 20, 200]))
        var truth = world.buckets[id] ?? World.Truth()
        var span: (start: AxisTime, end: AxisTime)?
        let start = max(truth.next, axis - 20) + (random.chance(2) ? 0 : random.within(0...30))
        if !random.chance(4) {
            span = (AxisTime(ns: start), AxisTime(ns: start + random.within(0...random.pick([10, 60, 300]))))
            truth.next = span?.end.ns ?? 0
        }
        let tat = AxisTime(ns: truth.next + random.within(0...100))
        let before = table.contents(of: id)
        let wasFull = table.count
        let taken = table.install(id, span: span, tat: tat, base: base, tag: tag, scaled: now)
        world.lowest[epoch] = min(world.lowest[epoch], base)
        guard let after = table.contents(of: id) else {
            #expect(!taken && before == nil && wasFull == table.count)
            truth.pieces = []
            world.buckets[id] = truth
            return
        }
        // An absent record has forgotten what it knew, so only its own `tat` counts.
        truth.tat = max(before?.tat ?? AxisTime.never.ns, tat.ns)
        if before == nil { truth.pieces = [] }
        if let span, span.end > span.start, taken { truth.pieces.append((span.start.ns, span.end.ns, tag)) }
        world.buckets[id] = truth
        #expect(after.tat == truth.tat)
        #expect(taken || before != nil)
        // Nothing that could be spent before is lost, and what is new can be spent.
        for old in before?.spans ?? [] where old.end > max(old.start, old.base + now) {
            #expect(
                after.spans.contains {
                    $0.start == old.start && $0.end >= old.end && $0.tag == old.tag && $0.base <= old.base
                })
        }
        if taken, let span, span.end > span.start {
            #expect(after.spans.contains { $0.start <= span.start.ns && $0.end == span.end.ns && $0.tag == tag })
        }
        if !taken {
            #expect(
                after.spans.count(where: { $0.end > max($0.start, $0.base + now) }) == AllowanceTable.mostSpans
                    || world.buckets.count > 2, "lost for no reason")
        }
        check(after.spans, id, world)
    }

    /// Each span lies in what was handed out under its own tag, and its bracket is one of its own epoch.
    private func check(_ spans: [Span], _ id: BucketID, _ world: World) {
        for span in spans where span.end > span.start {
            #expect(span.base >= world.lowest[Int(span.tag)], "by a bracket that no answer of its epoch has brought")
            var copy = world
            let isThere = copy.take(id, span.start, span.end, tag: span.tag)
            #expect(isThere, "held, but not handed out or spent already")
        }
    }

    private func decide(
        _ id: BucketID, _ tokens: Int64, _ table: inout AllowanceTable, _ world: inout World, _ now: Int64
    ) -> Bool {
        let time = tokens * 7
        let tolerance: Int64 = 140
        let before = table.contents(of: id)
        let verdict = table.decide(id, time: time, tokens: tokens, tolerance: tolerance, scaled: now)
        let after = table.contents(of: id)
        guard let before, let after else {
            #expect(verdict == .unknown && after == nil)
            return false
        }
        check(after.spans, id, world)
        let couldSpend = before.spans.contains { max($0.start, $0.base + now) + time <= $0.end }
        let unchanged = after.spans.filter { span in
            before.spans.contains { $0.end == span.end && $0.start == span.start }
        }
        switch verdict {
        case .allowed(let tat, let axis):
            #expect(couldSpend)
            let changed = after.spans.filter { span in !unchanged.contains(span) }
            let spent = changed.filter { span in before.spans.contains { $0.end == span.end && $0.start < span.start } }
            #expect(spent.count == 1, "a decision spends from one span")
            guard let span = spent.first else { return false }
            let x = span.start - time
            #expect(x >= world.offsets[Int(span.tag)] + now, "spent in the past of its own axis")
            let wasThere = world.take(id, x, x + time, tag: span.tag)
            #expect(wasThere, "spent twice, or never handed out")
            world.buckets[id]?.used += tokens
            #expect(tat.ns <= max(before.tat, axis.ns))
        case .limited(let tat, _):
            #expect(!couldSpend)
            // Surely refused: by the present owner's true axis and by any tat that has been heard.
            #expect(world.offsets[world.offsets.count - 1] + now + tolerance - time < before.tat)
            #expect(tat.ns == world.buckets[id]?.tat)
            world.buckets[id]?.refused += 1
        case .unknown:
            #expect(!couldSpend)
        }
        // Whatever else could be spent still can.
        for old in before.spans where old.end > max(old.start, old.base + now) {
            #expect(after.spans.contains { $0.end == old.end && $0.tag == old.tag && $0.start >= old.start })
        }
        if case .allowed = verdict { return true }
        return false
    }

    private func takeUsage(_ table: inout AllowanceTable, _ world: inout World, limit: Int, _ now: Int64) {
        var seen = 0
        var reports: [AllowanceTable.Usage] = []
        table.takeUsage(limit: limit, scaled: now) {
            seen += 1
            reports.append($0)
        }
        #expect(seen <= limit)
        for usage in reports {
            #expect(usage.used == world.buckets[usage.id]?.used && usage.refused == world.buckets[usage.id]?.refused)
            #expect(usage.held == table.held(usage.id, scaled: now))
            world.buckets[usage.id]?.used = 0
            world.buckets[usage.id]?.refused = 0
        }
        let open = world.buckets.values.count { $0.used != 0 || $0.refused != 0 }
        #expect(table.hasUsage == (open > 0))
    }
}

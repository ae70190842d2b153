/// What a holder may spend without asking anybody, and what it knows it may not: one shard of a node's or a client's table.
///
/// Per bucket it keeps allowances (spans `[start, end)` of a range's axis), the bracket they are spent by, and the owner's
/// `tat` as last heard, from which it refuses what surely cannot pass yet. A bracket is stored ready to use: with `scaled` the
/// holder's own clock stretched by ``DriftBound/longest(_:)``, the axis is at most `base + scaled` (design, section 4).
///
/// All decisions here err on the side of the promise: a span that is dropped, forgotten or not installed wastes tokens and
/// never adds any.
public struct AllowanceTable: ~Copyable, Sendable {
    /// One bucket's record: with its identity 64 bytes, a cache line.
    struct Holding: BitwiseCopyable, Sendable {
        var start: Int64
        var end: Int64
        /// The axis is at most `base + scaled(clock)`, for spans with the same tag and for ``tat``.
        var base: Int64
        /// The owner's `tat` for us, as last heard; it only ever grows.
        var tat: Int64
        /// Tokens spent from allowances since the last report; stops at its largest value.
        var used: Int64
        /// Requests refused from ``tat`` since the last report; stops at its largest value.
        var refused: UInt16
        /// The first of further spans in ``extras``, 1-based; 0 for none.
        var extra: UInt16
        /// Which of the range's epochs the span belongs to, as the holder numbers them.
        var tag: UInt16
        /// Whether the bucket is in ``dirty``.
        var isDirty: Bool
    }

    struct Extra: BitwiseCopyable, Sendable {
        var start: Int64
        var end: Int64
        var base: Int64
        var tag: UInt16
        /// The next one of the same bucket, or of the free list.
        var next: UInt16
    }

    /// What one request got.
    public enum Verdict: Equatable, Sendable {
        /// Spent; `tat` and `axis` are what is known of the bucket as a whole afterwards.
        case allowed(tat: AxisTime, axis: AxisTime)
        /// It surely cannot pass at the owner either.
        case limited(tat: AxisTime, axis: AxisTime)
        /// Only the owner can tell.
        case unknown
    }

    /// What happened to a bucket since the last report, and what it still holds.
    public struct Usage: Equatable, Sendable {
        public var id: BucketID
        /// Tokens spent from allowances.
        public var used: Int64
        /// Requests refused here.
        public var refused: Int
        /// Nanoseconds of virtual time that can still be spent.
        public var held: Int64

        public init(id: BucketID, used: Int64, refused: Int, held: Int64) {
            self.id = id
            self.used = used
            self.refused = refused
            self.held = held
        }
    }

    /// The most spans a bucket has at a time: the one in its record and those behind it.
    public static let mostSpans = 5

    var table: KeyedTable<Holding>
    var extras: [Extra]
    private var freeExtra: UInt16
    /// Counts how often everything was discarded.
    var generation: UInt32 = 0
    /// Buckets with something to report, each once: a ring as large as the table, so that reports of limited size take turns.
    private var dirty: [BucketID]
    private var firstDirty = 0
    private var dirtyCount = 0

    /// A shard for at most `capacity` buckets, all of whose memory is taken now.
    public init(capacity: Int) {
        table = KeyedTable(capacity: capacity, reserved: capacity)
        let extraCount = min(Int(UInt16.max) - 1, max(8, capacity / 4))
        extras = (0..<extraCount).map { i in
            Extra(start: 0, end: 0, base: 0, tag: 0, next: i + 1 < extraCount ? UInt16(i + 2) : 0)
        }
        freeExtra = 1
        dirty = [BucketID](repeating: .none, count: capacity)
    }

    /// How many buckets are in the table.
    public var count: Int { table.count }

    /// Whether there is anything to report.
    public var hasUsage: Bool { dirtyCount > 0 }

    // MARK: Deciding

    /// Decides a request for `time` nanoseconds of virtual time (`tokens` tokens) at the holder's stretched clock `scaled`.
    ///
    /// No allocation; one cache line unless the bucket has several spans.
    @inline(__always)
    public mutating func decide(
        _ id: BucketID, time: Int64, tokens: Int64, tolerance: Int64, scaled: Int64
    ) -> Verdict {
        guard let at = table.find(id) else { return .unknown }
        let axis = table[at].base &+ scaled
        let x = isPlanted(.spendsExpired) ? table[at].start : max(table[at].start, axis)
        if x &+ time <= table[at].end, time > 0 {
            table[at].start = x &+ time
            noteUse(at, id, tokens)
            let rest = table[at].end &- table[at].start
            return .allowed(tat: AxisTime(ns: max(table[at].tat, axis) &- rest), axis: AxisTime(ns: axis))
        }
        return decideSlowly(at, id, time: time, tokens: tokens, tolerance: tolerance, axis: axis, scaled: scaled)
    }

    @inline(never)
    private mutating func decideSlowly(
        _ at: Int, _ id: BucketID, time: Int64, tokens: Int64, tolerance: Int64, axis: Int64, scaled: Int64
    ) -> Verdict {
        if time > 0, table[at].extra != 0, spendFromExtras(at, time: time, scaled: scaled) {
            noteUse(at, id, tokens)
            return .allowed(tat: AxisTime(ns: max(table[at].tat, axis)), axis: AxisTime(ns: axis))
        }
        // The axis is at most `axis`, and the owner's tat at least the known one: a request that fails by these fails there.
        if time > 0, axis &+ (isPlanted(.refusesAheadOfClock) ? 0 : tolerance) &- time < table[at].tat {
            if table[at].refused < .max { table[at].refused += 1 }
            markDirty(at, id)
            return .limited(tat: AxisTime(ns: table[at].tat), axis: AxisTime(ns: axis))
        }
        return .unknown
    }

    /// Tries the spans behind the record's own; the one that serves takes the record's place if that one is used up.
    private mutating func spendFromExtras(_ at: Int, time: Int64, scaled: Int64) -> Bool {
        var previous: UInt16 = 0
        var index = table[at].extra
        while index != 0 {
            let extra = extras[Int(index) - 1]
            let axis = extra.base &+ scaled
            if extra.end <= axis {
                unlink(index, after: previous, of: at)
                index = extra.next
                continue
            }
            let x = max(extra.start, axis)
            if x &+ time <= extra.end {
                if !isPlanted(.spendsExtrasTwice) { extras[Int(index) - 1].start = x &+ time }
                if table[at].end &- max(table[at].start, table[at].base &+ scaled) < time {
                    swapIn(index, after: previous, at: at, scaled: scaled)
                }
                return true
            }
            previous = index
            index = extra.next
        }
        return false
    }

    /// Makes the extra span the record's own, so that the next decision finds it first; the shorter one goes behind.
    private mutating func swapIn(_ index: UInt16, after previous: UInt16, at: Int, scaled: Int64) {
        let extra = extras[Int(index) - 1]
        let old = Extra(start: table[at].start, end: table[at].end, base: table[at].base, tag: table[at].tag, next: 0)
        // The record's base also says how far the axis may be for its `tat`: of two brackets the higher one is right for both.
        guard extra.tag == old.tag || extra.base >= old.base else { return }
        table[at].start = extra.start
        table[at].end = extra.end
        table[at].base = extra.tag == old.tag ? min(extra.base, old.base) : extra.base
        table[at].tag = extra.tag
        if old.end > old.base &+ scaled, old.end > old.start {
            extras[Int(index) - 1] = Extra(
                start: old.start, end: old.end, base: old.base, tag: old.tag, next: extra.next)
        } else {
            unlink(index, after: previous, of: at)
        }
    }

    private mutating func unlink(_ index: UInt16, after previous: UInt16, of at: Int) {
        let next = extras[Int(index) - 1].next
        if previous == 0 { table[at].extra = next } else { extras[Int(previous) - 1].next = next }
        extras[Int(index) - 1].next = freeExtra
        freeExtra = index
    }

    @inline(__always)
    mutating func noteUse(_ at: Int, _ id: BucketID, _ tokens: Int64) {
        let (used, overflow) = table[at].used.addingReportingOverflow(tokens)
        table[at].used = overflow ? .max : used
        if !table[at].isDirty { markDirty(at, id) }
    }

    private mutating func markDirty(_ at: Int, _ id: BucketID) {
        guard !table[at].isDirty else { return }
        table[at].isDirty = true
        // Never more than the ring holds: each bucket of the table is in it at most once.
        let end = firstDirty &+ dirtyCount
        dirty[end < dirty.count ? end : end &- dirty.count] = id
        dirtyCount &+= 1
    }

    // MARK: What answers bring

    /// Takes what an answer says of a bucket: its `tat`, and maybe an allowance; `base` and `tag` are the bracket of the
    /// answer's epoch. Returns false if there was no room and the allowance, if any, is lost.
    public mutating func install(
        _ id: BucketID, span: (start: AxisTime, end: AxisTime)?, tat: AxisTime, base: Int64, tag: UInt16, scaled: Int64
    ) -> Bool {
        guard let at = table.find(id) ?? makeRoom(for: id, base: base, tag: tag, scaled: scaled) else { return false }
        table[at].tat = max(table[at].tat, tat.ns)
        let axis = table[at].base &+ scaled
        let isLive = table[at].end > max(table[at].start, axis)
        if table[at].tag == tag || isPlanted(.mixesEpochs) {
            // Brackets of one epoch all hold; the lowest is the best.
            table[at].base = min(table[at].base, base)
        } else if !isLive {
            // What is over by its own epoch's bracket must stay over, even if the other epoch's bracket is lower.
            table[at].end = table[at].start
            table[at].base = base
            table[at].tag = tag
        }
        guard let span, span.end > span.start else { return true }
        if !isLive, table[at].tag == tag {
            table[at].start = span.start.ns
            table[at].end = span.end.ns
            return true
        }
        if table[at].tag == tag, table[at].end == span.start.ns {
            table[at].end = span.end.ns
            return true
        }
        return addExtra(
            Extra(start: span.start.ns, end: span.end.ns, base: base, tag: tag, next: 0), at: at, scaled: scaled)
    }

    private mutating func addExtra(_ new: Extra, at: Int, scaled: Int64) -> Bool {
        var length = 1
        var previous: UInt16 = 0
        var index = table[at].extra
        while index != 0 {
            let extra = extras[Int(index) - 1]
            if extra.end <= max(extra.start, extra.base &+ scaled) {
                unlink(index, after: previous, of: at)
            } else if extra.tag == new.tag, extra.end == new.start {
                extras[Int(index) - 1].end = new.end
                return true
            } else {
                length += 1
                previous = index
            }
            index = extra.next
        }
        guard length < AllowanceTable.mostSpans, freeExtra != 0 else { return false }
        let slot = freeExtra
        freeExtra = extras[Int(slot) - 1].next
        extras[Int(slot) - 1] = new
        if previous == 0 { table[at].extra = slot } else { extras[Int(previous) - 1].next = slot }
        return true
    }

    /// Inserts an empty record, after clearing away some that say nothing any more if the table is full.
    private mutating func makeRoom(for id: BucketID, base: Int64, tag: UInt16, scaled: Int64) -> Int? {
        if table.isFull { clear(64, scaled: scaled) }
        return table.insert(
            id,
            Holding(
                start: 0, end: 0, base: base, tat: AxisTime.never.ns, used: 0, refused: 0, extra: 0, tag: tag,
                isDirty: false))
    }

    /// Looks at `steps` slots and drops the records that say nothing any more: nothing to spend, nothing to refuse, nothing to
    /// report. Call it now and then, so that idle buckets vanish.
    public mutating func clear(_ steps: Int, scaled: Int64) {
        // Taken out of `self` for the time of the sweep, since its closure may not reach into `self`.
        var extras: [Extra] = []
        swap(&extras, &self.extras)
        var freeExtra = self.freeExtra
        _ = table.sweep(steps) { _, holding in
            let axis = holding.base &+ scaled
            guard holding.end <= max(holding.start, axis), holding.tat <= axis, !holding.isDirty else { return false }
            var last: UInt16 = 0
            var index = holding.extra
            while index != 0 {
                let extra = extras[Int(index) - 1]
                guard extra.end <= max(extra.start, extra.base &+ scaled) else { return false }
                last = index
                index = extra.next
            }
            if last != 0 {
                extras[Int(last) - 1].next = freeExtra
                freeExtra = holding.extra
            }
            return true
        }
        swap(&extras, &self.extras)
        self.freeExtra = freeExtra
    }

    /// Hands over what happened to up to `limit` buckets since their last report, and counts from zero again.
    public mutating func takeUsage(limit: Int, scaled: Int64, _ body: (Usage) -> Void) {
        for _ in 0..<min(limit, dirtyCount) {
            let id = dirty[firstDirty]
            firstDirty = firstDirty + 1 < dirty.count ? firstDirty + 1 : 0
            dirtyCount -= 1
            guard let at = table.find(id) else { continue }
            body(Usage(id: id, used: table[at].used, refused: Int(table[at].refused), held: held(at, scaled: scaled)))
            table[at].used = 0
            table[at].refused = 0
            table[at].isDirty = false
            dropDeadExtras(at, scaled: scaled)
        }
    }

    private mutating func dropDeadExtras(_ at: Int, scaled: Int64) {
        var previous: UInt16 = 0
        var index = table[at].extra
        while index != 0 {
            let extra = extras[Int(index) - 1]
            if extra.end <= max(extra.start, extra.base &+ scaled) {
                unlink(index, after: previous, of: at)
            } else {
                previous = index
            }
            index = extra.next
        }
    }

    private func held(_ at: Int, scaled: Int64) -> Int64 {
        var sum = max(0, table[at].end - max(table[at].start, table[at].base + scaled))
        var index = table[at].extra
        while index != 0 {
            let extra = extras[Int(index) - 1]
            sum += max(0, extra.end - max(extra.start, extra.base + scaled))
            index = extra.next
        }
        return sum
    }

    /// The virtual time that can still be spent for a bucket, in nanoseconds.
    public func held(_ id: BucketID, scaled: Int64) -> Int64 {
        table.find(id).map { held($0, scaled: scaled) } ?? 0
    }

    /// Forgets every allowance and refusal, for instance because the clock cannot be trusted any more.
    public mutating func discardAll() {
        generation &+= 1
        table.removeAll()
        firstDirty = 0
        dirtyCount = 0
        for i in extras.indices { extras[i].next = i + 1 < extras.count ? UInt16(i + 2) : 0 }
        freeExtra = 1
    }

    /// One span as a bucket holds it; for tests.
    package struct HeldSpan: Equatable, Sendable {
        package var start: Int64
        package var end: Int64
        package var base: Int64
        package var tag: UInt16
    }

    /// The record's own span, empty or not, and then those behind it, with the known `tat`; nil if the bucket is absent. For
    /// tests.
    package func contents(of id: BucketID) -> (spans: [HeldSpan], tat: Int64)? {
        guard let at = table.find(id) else { return nil }
        let own = table[at]
        var spans = [HeldSpan(start: own.start, end: own.end, base: own.base, tag: own.tag)]
        var index = own.extra
        while index != 0 {
            let extra = extras[Int(index) - 1]
            spans.append(HeldSpan(start: extra.start, end: extra.end, base: extra.base, tag: extra.tag))
            index = extra.next
        }
        return (spans, own.tat)
    }

    /// Traps where the table's own rules are broken; for tests.
    package func checkInvariants() {
        table.checkInvariants()
        var linked = 0
        var dirtyRecords = 0
        table.forEach { _, holding in
            var index = holding.extra
            while index != 0 {
                linked += 1
                index = extras[Int(index) - 1].next
            }
            if holding.isDirty { dirtyRecords += 1 }
        }
        var free = 0
        var index = freeExtra
        while index != 0 {
            free += 1
            index = extras[Int(index) - 1].next
        }
        precondition(linked + free == extras.count, "\(linked) linked and \(free) free of \(extras.count) extra spans")
        precondition(dirtyRecords == dirtyCount, "\(dirtyRecords) dirty records, \(dirtyCount) listed")
    }
}

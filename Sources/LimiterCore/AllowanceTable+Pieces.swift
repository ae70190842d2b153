/// A piece of virtual time that was taken out of somebody's allowances and not been spent: it may be put back, or passed on, once.
///
/// Never two of them, nor one and what the table still holds, have an instant in common.
public struct Piece: Hashable, Sendable, BitwiseCopyable {
    public var start: AxisTime
    public var end: AxisTime
    /// The bracket it may be spent by, as ``AllowanceTable`` keeps it.
    public var base: Int64
    public var tag: UInt16
    /// A table that has discarded everything takes nothing back that was taken out before.
    public var generation: UInt32

    public init(start: AxisTime, end: AxisTime, base: Int64, tag: UInt16, generation: UInt32) {
        self.start = start
        self.end = end
        self.base = base
        self.tag = tag
        self.generation = generation
    }

    public var time: Int64 { end - start }
}

// Taking pieces out of the table, to lend them or to hold them until it is known whether they are needed. A piece is taken exactly as a
// request is spent, from the same `x` on: for the table it is gone.

extension AllowanceTable {
    /// What the table knows of a bucket as a whole.
    public struct Standing: Equatable, Sendable {
        /// The owner's `tat` for us, as last heard.
        public var tat: AxisTime
        /// What the axis may be at the most.
        public var axis: AxisTime
        /// Nanoseconds of virtual time that can still be spent.
        public var held: Int64
    }

    /// What is known of a bucket; nil if that is nothing.
    public func standing(_ id: BucketID, scaled: Int64) -> Standing? {
        guard let at = table.find(id) else { return nil }
        return Standing(
            tat: AxisTime(ns: table[at].tat), axis: AxisTime(ns: table[at].base &+ scaled),
            held: held(id, scaled: scaled))
    }

    /// Takes a piece of whole `unit`s, as long as possible from `least` to `most` nanoseconds, out of one of the bucket's spans; nil if
    /// none has so much left. With a `tag`, only out of spans of that epoch.
    ///
    /// `scaled` is the holder's stretched clock, as for a decision. What is taken counts as neither used nor asked for.
    public mutating func take(
        _ id: BucketID, from least: Int64, to most: Int64, unit: Int64, tag: UInt16? = nil, scaled: Int64
    ) -> Piece? {
        precondition(unit > 0 && least > 0 && most >= least, "a piece of \(least) to \(most) ns in units of \(unit) ns")
        guard let at = table.find(id) else { return nil }
        if tag == nil || tag == table[at].tag {
            let x = max(table[at].start, table[at].base &+ scaled)
            let length = min(most, table[at].end &- x) / unit &* unit
            if length >= least {
                table[at].start = x &+ length
                return Piece(
                    start: AxisTime(ns: x), end: AxisTime(ns: x &+ length), base: table[at].base, tag: table[at].tag,
                    generation: generation)
            }
        }
        var index = table[at].extra
        while index != 0 {
            let slot = Int(index) - 1
            let extra = extras[slot]
            index = extra.next
            guard tag == nil || tag == extra.tag else { continue }
            let x = max(extra.start, extra.base &+ scaled)
            let length = min(most, extra.end &- x) / unit &* unit
            guard length >= least else { continue }
            // An emptied span stays where it is: whoever passes next clears it away.
            extras[slot].start = x &+ length
            return Piece(
                start: AxisTime(ns: x), end: AxisTime(ns: x &+ length), base: extra.base, tag: extra.tag,
                generation: generation)
        }
        return nil
    }

    /// Puts back a piece that was taken out of this table, or a part of it, as a span of its own. Returns false if there was no room:
    /// then its tokens are lost, which is safe.
    public mutating func putBack(_ piece: Piece, of id: BucketID, scaled: Int64) -> Bool {
        guard piece.end > piece.start else { return true }
        guard piece.generation == generation else { return false }
        if let at = table.find(id), table[at].tag == piece.tag, table[at].start == piece.end.ns,
            table[at].end > table[at].start
        {
            // The usual case: nothing was spent in between.
            table[at].start = piece.start.ns
            return true
        }
        return install(
            id, span: (piece.start, piece.end), tat: .never, base: piece.base, tag: piece.tag, scaled: scaled)
    }

    /// A request was refused here for somebody whose refusals are counted elsewhere.
    public mutating func forgetRefusal(of id: BucketID) {
        guard let at = table.find(id), table[at].refused > 0 else { return }
        table[at].refused -= 1
    }

    /// Counts tokens of a piece as used after all.
    public mutating func noteUse(of tokens: Int64, _ id: BucketID) {
        // The record may have been cleared away: usage is for statistics only.
        guard let at = table.find(id) else { return }
        noteUse(at, id, tokens)
    }
}

import LimiterCore

/// Fair division of buckets that several holders want at a time, in proportion to their weights.
///
/// While other holders with less for their weight are hungry, a holder that has had more than its share sees the bucket as if it held a
/// few tokens less, and still less the more of them there are. Nothing else changes: what nobody hungry takes stays in the bucket, so no tokens are lost, and who is behind
/// catches up from what was closed to the others. This is weighted max-min fairness without queues, after the idea of start-time fair
/// queueing (Goyal, Vin and Cheng, 1996): each holder's own virtual time is what it was granted, divided by its weight.
struct ContentionTable {
    struct Share {
        var holder: UInt64
        /// As it was last said.
        var weight: Int64
        /// Virtual time granted for each unit of the weight that it had then, decaying over about a second.
        var granted: Double
        /// Until this axis time it counts as hungry: it wanted more than it got.
        var hungryUntil: AxisTime
        var lastSeen: AxisTime
        /// When requests of it were refused for the last time.
        var refusedAt: AxisTime
    }

    struct Contended {
        var id: BucketID
        var decayedAt: AxisTime
        var shares: [Share]
    }

    /// The most buckets of a range that are divided fairly; of more, the longest unused make way.
    static let mostBuckets = 256
    /// The most holders of a bucket that are told apart; more count as one.
    static let mostHolders = 64
    /// How long a holder that got less than it wanted stays hungry, in nanoseconds of the axis.
    static let hungerLasts: Int64 = 60_000_000
    /// The same in a bucket of many tokens. Somebody who asks little would not get it, if it had to go short each time before it is let in.
    static let longHungerLasts: Int64 = 1_000_000_000
    /// How long a holder counts as one among whom the bucket is divided.
    static let presenceLasts: Int64 = 1_000_000_000
    /// The time constant of ``Share/granted``.
    private static let memory = 1.0e9

    private var entries: [Contended] = []

    /// The place of a bucket's entry, 1-based, as ``OwnedBucket/contention`` keeps it; `known` is what it keeps now.
    mutating func place(of id: BucketID, known: Int32, at axis: AxisTime) -> Int32 {
        if known > 0, Int(known) <= entries.count, entries[Int(known) - 1].id == id { return known }
        let new = Contended(id: id, decayedAt: axis, shares: [])
        if entries.count < ContentionTable.mostBuckets {
            entries.append(new)
            return Int32(entries.count)
        }
        var oldest = 0
        for i in 1..<entries.count where entries[i].decayedAt < entries[oldest].decayedAt { oldest = i }
        entries[oldest] = new
        return Int32(oldest + 1)
    }

    /// What a holder may have of a bucket.
    struct Part: Equatable {
        var weight: Int64 = 1
        /// The weights of all among whom the bucket is divided, this one included.
        var total: Int64 = 1
        /// The virtual time that is closed to this one, because it has had more than its share while others go short.
        var closed: Int64 = 0

        /// Its part of `time` nanoseconds, rounded towards zero.
        func share(of time: Int64) -> Int64 {
            // The weight is one of those in the total, so the quotient fits.
            total.dividingFullWidth(time.multipliedFullWidth(by: weight)).quotient
        }
    }

    /// What a holder of this weight may have now.
    mutating func part(_ place: Int32, holder: UInt64, weight: Int64, of terms: BucketTerms, at axis: AxisTime) -> Part
    {
        precondition(weight > 0, "a holder of weight \(weight)")
        let index = Int(place) - 1
        decay(index, to: axis)
        let mine = share(index, of: holder, at: axis)
        entries[index].shares[mine].weight = weight
        let granted = entries[index].shares[mine].granted
        var total: Int64 = 0
        var hungry: Int64 = 0
        var behind: Int64 = 0
        let lead = Double(max(terms.emissionInterval, terms.room / 64)) / Double(weight)
        for (i, share) in entries[index].shares.enumerated() {
            // This one is here, however long it was away.
            if i == mine || share.lastSeen + ContentionTable.presenceLasts >= axis { total += share.weight }
            if i != mine, share.hungryUntil > axis {
                hungry += 1
                if granted > share.granted + lead { behind += 1 }
            }
        }
        var part = Part(weight: weight, total: total)
        // The more of them are behind, the more is closed: so whoever is furthest behind comes first, and then the next.
        if behind > 0 { part.closed = ContentionTable.closed(terms) * behind / hungry }
        return part
    }

    /// How much is closed to who is ahead: a few milliseconds of the bucket, or the time of a token.
    private static func closed(_ terms: BucketTerms) -> Int64 {
        let some = min(max(terms.emissionInterval, min(20_000_000, terms.room / 2)), terms.room / 2)
        // With less than half of what is kept for critical requests, a critical one of who is ahead still goes before a normal one of
        // who is behind.
        return terms.reserve == 0 ? some : min(some, max(terms.emissionInterval, terms.reserve / 2))
    }

    /// Notes what a holder was granted, and whether it wanted more.
    mutating func note(
        _ place: Int32, holder: UInt64, granted: Int64, isHungry: Bool, of terms: BucketTerms, at axis: AxisTime
    ) {
        let index = Int(place) - 1
        let mine = share(index, of: holder, at: axis)
        entries[index].shares[mine].granted += Double(granted) / Double(entries[index].shares[mine].weight)
        entries[index].shares[mine].lastSeen = axis
        if isHungry {
            entries[index].shares[mine].hungryUntil = axis + ContentionTable.hunger(terms)
        } else if !ContentionTable.isRoomy(terms) {
            entries[index].shares[mine].hungryUntil = axis
        }
    }

    /// Of a bucket of many tokens a few can stay closed for longer, which costs nobody anything; a bucket of few would stand still.
    private static func isRoomy(_ terms: BucketTerms) -> Bool {
        terms.room / 4 >= closed(terms) && terms.room / 16 >= terms.emissionInterval
    }

    private static func hunger(_ terms: BucketTerms) -> Int64 { isRoomy(terms) ? longHungerLasts : hungerLasts }

    /// Notes what a holder was granted in another way than by an answer, and whether it was refused something.
    mutating func charge(_ place: Int32, holder: UInt64, granted: Int64 = 0, isRefused: Bool, at axis: AxisTime) {
        guard place > 0, Int(place) <= entries.count,
            let mine = entries[Int(place) - 1].shares.firstIndex(where: { $0.holder == holder })
        else { return }  // its entry has made way for another bucket's
        let index = Int(place) - 1
        entries[index].shares[mine].granted += Double(granted) / Double(entries[index].shares[mine].weight)
        if isRefused { entries[index].shares[mine].refusedAt = axis }
    }

    /// The weights of those that were refused something in the last second; 0 for an unknown place. Whoever asks elsewhere for all of them
    /// asks with this weight.
    func refusedWeight(_ place: Int32, at axis: AxisTime) -> Int64 {
        guard place > 0, Int(place) <= entries.count else { return 0 }
        return entries[Int(place) - 1].shares.reduce(0) {
            $1.refusedAt + ContentionTable.presenceLasts > axis ? $0 + $1.weight : $0
        }
    }

    /// How many holders were seen lately; 0 for an unknown place.
    func holders(_ place: Int32, at axis: AxisTime) -> Int {
        guard place > 0, Int(place) <= entries.count else { return 0 }
        return entries[Int(place) - 1].shares.count { $0.lastSeen + ContentionTable.presenceLasts >= axis }
    }

    private mutating func decay(_ index: Int, to axis: AxisTime) {
        let elapsed = axis - entries[index].decayedAt
        guard elapsed > 10_000_000 else { return }
        // 1 / (1 + x) rather than exp(-x): the standard library has no exp, and any falling curve will do.
        let factor = 1 / (1 + Double(elapsed) / ContentionTable.memory)
        for i in entries[index].shares.indices { entries[index].shares[i].granted *= factor }
        entries[index].decayedAt = axis
        entries[index].shares.removeAll { $0.lastSeen + 10 * ContentionTable.presenceLasts < axis }
    }

    private mutating func share(_ index: Int, of holder: UInt64, at axis: AxisTime) -> Int {
        if let at = entries[index].shares.firstIndex(where: { $0.holder == holder }) { return at }
        guard entries[index].shares.count < ContentionTable.mostHolders else { return entries[index].shares.count - 1 }
        // A newcomer starts level with the least of the others: it has no arrears to claim.
        let level = entries[index].shares.map(\.granted).min() ?? 0
        entries[index].shares.append(
            Share(holder: holder, weight: 1, granted: level, hungryUntil: .never, lastSeen: axis, refusedAt: .never))
        return entries[index].shares.count - 1
    }
}

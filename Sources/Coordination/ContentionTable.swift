import LimiterCore

/// Fair division of buckets that several holders want at a time.
///
/// While another holder with less is hungry, a holder that has had more than its share sees the bucket as if it held a reserve
/// fewer tokens. Nothing else changes: what nobody hungry takes stays in the bucket, so no tokens are lost, and who is behind
/// catches up from the reserve. This is max-min fairness without queues, after the idea of start-time fair queueing (Goyal, Vin
/// and Cheng, 1996): each holder's own virtual time is what it was granted.
struct ContentionTable {
    struct Share {
        var holder: UInt64
        /// Virtual time granted, decaying over about a second.
        var granted: Double
        /// Until this axis time it counts as hungry: it wanted more than it got.
        var hungryUntil: AxisTime
        var lastSeen: AxisTime
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

    /// How many holders the bucket is divided among, this one included, and the virtual time that is closed to this one.
    mutating func terms(_ place: Int32, holder: UInt64, of terms: BucketTerms, at axis: AxisTime) -> (
        holders: Int, reserve: Int64
    ) {
        let index = Int(place) - 1
        decay(index, to: axis)
        let mine = share(index, of: holder, at: axis)
        let granted = entries[index].shares[mine].granted
        var present = 0
        var least = Double.infinity
        for share in entries[index].shares {
            // This one is here, however long it was away.
            if share.holder == holder || share.lastSeen + ContentionTable.presenceLasts >= axis { present += 1 }
            if share.holder != holder, share.hungryUntil > axis { least = min(least, share.granted) }
        }
        let quantum = Double(max(terms.emissionInterval, terms.tolerance / 64))
        guard granted > least + quantum else { return (max(1, present), 0) }
        let reserve = min(max(terms.emissionInterval, min(20_000_000, terms.tolerance / 2)), terms.tolerance / 2)
        return (max(1, present), reserve)
    }

    mutating func note(_ place: Int32, holder: UInt64, granted: Int64, isHungry: Bool, at axis: AxisTime) {
        let index = Int(place) - 1
        let mine = share(index, of: holder, at: axis)
        entries[index].shares[mine].granted += Double(granted)
        entries[index].shares[mine].lastSeen = axis
        entries[index].shares[mine].hungryUntil = isHungry ? axis + ContentionTable.hungerLasts : axis
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
        entries[index].shares.append(Share(holder: holder, granted: level, hungryUntil: .never, lastSeen: axis))
        return entries[index].shares.count - 1
    }
}

import LimiterCore

/// What a holder remembers of the keys that are asked for a lot: who they are, and how much is asked.
///
/// A direct-mapped cache of fixed size: a key that is asked for more takes the place of one that is asked for less. A key that
/// is not in it is decided by its owner and gets no allowance, which costs speed and nothing else.
struct HotKeys {
    struct Entry {
        var bucket: Bucket
        var key: [UInt8]
        /// Virtual time asked for, per time: 1 is as much as the limit refills.
        var demand: Double
        /// Virtual time asked for since ``updatedAt``.
        var asked: Int64
        var updatedAt: ClockTime
        /// The current and the last full second or so of decisions.
        var windowStart: ClockTime
        var admitted: Int64
        var refused: Int64
        var admittedPerSecond: Double
        var refusedPerSecond: Double
        var tokens: Int64
        /// At a node: the weights of its clients that go short, and when that was so.
        var clientWeight: UInt32 = 0
        var weighedAt: ClockTime
        /// When a request of this process's own callers was refused for the last time.
        var refusedAt: ClockTime
    }

    /// How many keys are remembered at the most.
    static let capacity = 8_192
    /// How many a client remembers: it is one of many.
    static let clientCapacity = 2_048
    /// The time constant of ``Entry/demand``, in nanoseconds.
    private static let memory: Double = 50_000_000
    /// A key that was not asked for so long makes way for any other.
    private static let idle: Int64 = 200_000_000
    /// For so long somebody who went short is counted among those that do.
    private static let hungerLasts: Int64 = ContentionTable.presenceLasts

    private var entries: [Entry?]

    /// `capacity` is a power of two.
    init(capacity: Int = HotKeys.capacity) {
        precondition(capacity > 0 && capacity & (capacity - 1) == 0, "\(capacity) is no power of two")
        entries = Array(repeating: nil, count: capacity)
    }

    private func slot(_ id: BucketID) -> Int {
        Int(truncatingIfNeeded: id.high ^ (id.low >> 6)) & (entries.count - 1)
    }

    subscript(id: BucketID) -> Entry? {
        get {
            guard let entry = entries[slot(id)], entry.bucket.id == id else { return nil }
            return entry
        }
    }

    /// Notes `asked` nanoseconds of virtual time that were asked for; adds the key if its place is free or worth less.
    mutating func ask(_ bucket: Bucket, key: [UInt8], asked: Int64, now: ClockTime) {
        let slot = slot(bucket.id)
        if entries[slot]?.bucket.id == bucket.id {
            entries[slot]!.asked += asked
            return
        }
        if let there = entries[slot], now - there.updatedAt < HotKeys.idle, there.demand > 0.001 || there.asked > 0 {
            return
        }
        let longAgo = now + -2 * HotKeys.hungerLasts
        entries[slot] = Entry(
            bucket: bucket.with(.normal), key: key, demand: 0, asked: asked, updatedAt: now, windowStart: now,
            admitted: 0,
            refused: 0,
            admittedPerSecond: 0, refusedPerSecond: 0, tokens: bucket.wholeLimit.burst, weighedAt: longAgo,
            refusedAt: longAgo)
    }

    /// Notes that a request of this process's own callers was refused.
    mutating func noteRefusal(of id: BucketID, now: ClockTime) {
        let slot = slot(id)
        guard entries[slot]?.bucket.id == id else { return }
        entries[slot]!.refusedAt = now
    }

    /// Notes the weights of the clients that go short.
    mutating func weigh(_ id: BucketID, clients weight: UInt32, now: ClockTime) {
        let slot = slot(id)
        guard entries[slot]?.bucket.id == id else { return }
        entries[slot]!.clientWeight = weight
        entries[slot]!.weighedAt = now
    }

    /// The weight of all that go short here: the clients with theirs, this process's own callers together with 1. At least 1.
    func weight(of id: BucketID, now: ClockTime) -> UInt32 {
        guard let entry = self[id] else { return 1 }
        let clients = now - entry.weighedAt < HotKeys.hungerLasts ? entry.clientWeight : 0
        return max(1, clients + (now - entry.refusedAt < HotKeys.hungerLasts ? 1 : 0))
    }

    /// Counts decisions.
    mutating func count(_ id: BucketID, admitted: Int64, refused: Int64, asked: Int64 = 0, tokens: Int64? = nil) {
        let slot = slot(id)
        guard entries[slot]?.bucket.id == id else { return }
        entries[slot]!.admitted += admitted
        entries[slot]!.refused += refused
        entries[slot]!.asked += asked
        if let tokens { entries[slot]!.tokens = tokens }
    }

    /// Brings a key's demand up to date and returns the entry.
    mutating func refresh(_ id: BucketID, now: ClockTime) -> Entry? {
        let slot = slot(id)
        guard var entry = entries[slot], entry.bucket.id == id else { return nil }
        let elapsed = Double(now - entry.updatedAt)
        if elapsed >= 1_000_000 {
            let weight = elapsed / (elapsed + HotKeys.memory)
            entry.demand += weight * (Double(entry.asked) / elapsed - entry.demand)
            entry.asked = 0
            entry.updatedAt = now
        }
        let window = now - entry.windowStart
        if window >= 1_000_000_000 {
            entry.admittedPerSecond = Double(entry.admitted) * 1e9 / Double(window)
            entry.refusedPerSecond = Double(entry.refused) * 1e9 / Double(window)
            entry.admitted = 0
            entry.refused = 0
            entry.windowStart = now
        }
        entries[slot] = entry
        return entry
    }

    /// The keys with the most decisions lately.
    mutating func top(_ count: Int, now: ClockTime, where matches: (Entry) -> Bool) -> [Entry] {
        var found: [Entry] = []
        for i in entries.indices {
            guard let id = entries[i]?.bucket.id, let entry = refresh(id, now: now), matches(entry) else { continue }
            found.append(entry)
        }
        found.sort {
            let (a, b) = ($0.admittedPerSecond + $0.refusedPerSecond, $1.admittedPerSecond + $1.refusedPerSecond)
            return a != b ? a > b : $0.bucket.id < $1.bucket.id
        }
        return Array(found.prefix(count))
    }
}

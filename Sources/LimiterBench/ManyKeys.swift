internal import LimiterCore

/// A table of many keys, asked for each once a pass in an order that no cache can guess, and the same in C.
final class ManyKeys {
    private static let shards = 64

    private let path: DecisionPath
    private let drift = DriftBound(partsPerBillion: 500_000)
    private let table: TableWalk
    private let ids: [BucketID]
    private let limit: Limit
    private var mistakes = 0
    /// One pass is one instant: the clock's price is the hot key's business.
    private let now = ClockTime(ns: 1_000_000_000)

    init(count: Int) throws(LocalBench.Failure) {
        guard count > 0 else { throw LocalBench.Failure(description: "at least one key is needed, not \(count)") }
        // Shards fill a little unevenly.
        let capacity = count + count / 10 + 4096
        path = DecisionPath(capacity: capacity, shards: ManyKeys.shards, clock: { ClockTime(ns: 0) })
        guard let table = TableWalk(capacity: capacity, shards: ManyKeys.shards) else {
            throw LocalBench.Failure(description: "no memory for a table of \(count) keys: ask for fewer")
        }
        self.table = table
        do {
            limit = try Limit(tokens: 1000, per: 1_000_000_000, burst: 1000)
        } catch {
            throw LocalBench.Failure(description: "\(error)")
        }
        let hash = KeyedHash(secret: (1, 2))
        var ids: [BucketID] = []
        ids.reserveCapacity(count)
        for i in 0..<count {
            let key = Array("user:\(i)".utf8)
            ids.append(hash.bucket(rule: 7, key: key.span.bytes, identity: (1, 0), tau: limit.tolerance).1)
        }
        for id in ids {
            let installed = path.withTable(for: id) { table in
                table.install(
                    id, span: (AxisTime(ns: 0), AxisTime(ns: 1 << 61)), tat: AxisTime(ns: 1 << 61), base: 0, tag: 1,
                    scaled: 0)
            }
            guard installed, table.insert(id, end: 1 << 61) else {
                throw LocalBench.Failure(description: "the tables cannot hold \(count) keys")
            }
        }
        // Sorted by a hash of its own kind: far from the order of insertion and from that of the slots.
        self.ids = ids.sorted { $0.low &* 0x9e37_79b9_7f4a_7c15 < $1.low &* 0x9e37_79b9_7f4a_7c15 }
    }

    var isSound: Bool { mistakes == 0 }

    // In both, where the next identity lies depends on a number from the last key's record (it always moves by one).
    // Otherwise the processor would walk for several keys at once, as far as its window reaches, and nobody's requests come
    // like that.

    func decide() {
        var bucket = Bucket(id: ids[0], range: RangeID(rawValue: 0), limit: limit)
        var i = 0
        while i < ids.count {
            bucket.id = ids[i]
            guard let decision = path.decide(bucket, cost: 1, drift: drift, now: now), decision.isAllowed else {
                mistakes += 1
                return
            }
            i &+= 1 &+ Int(decision.remaining &>> 62)
        }
    }

    func reference() {
        let scaled = drift.longest(now.ns)
        let time = limit.emissionInterval
        var i = 0
        while i < ids.count {
            let rest = table.spend(ids[i], time: time, scaled: scaled)
            guard rest >= 0 else {
                mistakes += 1
                return
            }
            i &+= 1 &+ Int(rest &>> 62)
        }
    }
}

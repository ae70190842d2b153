import LimiterCore

/// What a node admits on its own for rules with `onIsolation: share` while it cannot reach a key's owner: its part of burst and
/// rate, by plain GCRA on its own clock.
struct IsolationShares: ~Copyable {
    /// How many buckets are kept; of more, the nearest to full is forgotten, which is within what the rule accepts.
    static let capacity = 65_536

    private var tats: KeyedTable<Int64>
    private let nodes: Int64

    init(nodes: Int, capacity: Int = IsolationShares.capacity) {
        self.nodes = Int64(max(1, nodes))
        tats = KeyedTable(capacity: capacity)
    }

    /// One N-th of the limit, rounded down; nil if that is nothing.
    private func part(of limit: Limit) -> Limit? {
        guard limit.burst / nodes > 0 else { return nil }
        let (period, overflow) = limit.period.multipliedReportingOverflow(by: nodes)
        guard !overflow else { return nil }
        return try? Limit(tokens: limit.tokens, per: period, burst: limit.burst / nodes)
    }

    mutating func decide(_ bucket: Bucket, cost: Int64, now: ClockTime) -> Decision {
        guard let part = part(of: bucket.limit) else { return .unavailable(.isolated, limit: bucket.limit.burst) }
        let position: Int
        if let known = tats.find(bucket.id) {
            position = known
        } else {
            if tats.isFull,
                let (id, _) = tats.sweep(64, rank: { _, tat in tat }, removing: { _, tat in tat <= now.ns }),
                tats.isFull
            {
                tats.remove(at: tats.find(id)!)
            }
            guard let new = tats.insert(bucket.id, now.ns) else {
                return .unavailable(.overloaded, limit: bucket.limit.burst)
            }
            position = new
        }
        let start = max(tats[position], now.ns)
        var allowed = false
        if let time = part.time(of: cost), start + time <= now.ns + part.tolerance {
            allowed = true
            tats[position] = start + time
        }
        var decision = Decision.settled(
            allowed: allowed, limit: part, tat: AxisTime(ns: tats[position]), cost: cost, at: AxisTime(ns: now.ns))
        decision.isIsolated = true
        return decision
    }
}

package import LimiterCore

/// Everything that happened to one bucket, in true time: what the promise is judged by (design, section 1).
package struct Ledger {
    package struct Grant {
        package var time: Int64
        package var node: Int
        package var cost: Int64
        package var priority: Priority
    }

    /// The whole bucket's.
    package let limit: Limit
    /// What nodes' callers call it: the same for all versions of its rule.
    package var key: String?
    /// The same key's buckets under the versions that its rule remembers: what was used of them is carried over.
    package var predecessors: [BucketID] = []
    package let range: RangeID?
    /// The furthest that an admission may be due beyond the burst.
    package var longestWait: Int64 = 0
    /// Requests, in the order in which they were made.
    package private(set) var offered: [(time: Int64, cost: Int64)] = []
    /// What the whole cluster admitted, at the instant of the decision (or when it is due): virtual nanoseconds each, and the number of the
    /// decision, since one event may decide a lot.
    package private(set) var admitted: [(time: Int64, span: Int64, number: Int)] = []
    /// Of it, what owners decided.
    private(set) var spentByOwners: Int64 = 0
    /// Admissions that callers heard of, as virtual time; those decided by owners and not on a holder's own.
    private(set) var heardFromOwners: Int64 = 0
    /// What callers were told is admitted.
    package private(set) var grants: [Grant] = []
    package private(set) var limited = 0
    package private(set) var unavailable = 0
    /// Admitted by `onIsolation`, outside the promise.
    package private(set) var isolated = 0

    package init(limit: Limit, range: RangeID? = nil) {
        self.limit = limit
        self.range = range
    }

    package mutating func offer(cost: Int64, wait: Int64 = 0, at time: Int64) {
        offered.append((time, cost))
        if wait > longestWait { longestWait = wait }
    }

    mutating func spentLocally(cost: Int64, priority: Priority, node: Int, at time: Int64, number: Int) {
        admitted.append((time, limit.time(of: cost)!, number))
        grants.append(Grant(time: time, node: node, cost: cost, priority: priority))
    }

    package mutating func spentByOwner(_ span: Int64, at time: Int64, number: Int = 0) {
        admitted.append((time, span, number))
        spentByOwners += span
    }

    package mutating func settled(
        _ decision: Decision, cost: Int64, priority: Priority = .normal, node: Int, at time: Int64
    ) {
        switch decision.outcome {
        case .allowed where decision.isIsolated: isolated += 1
        case .allowed:
            grants.append(Grant(time: time, node: node, cost: cost, priority: priority))
            heardFromOwners += limit.time(of: cost) ?? 0
        case .limited: limited += 1
        case .unavailable: unavailable += 1
        }
    }

    mutating func refusedLocally() { limited += 1 }

    /// The most that was admitted in any window beyond the promise, in nanoseconds of virtual time; at most 0 if it was kept.
    package func worstExcess(rho: Int64) -> Int64 {
        // In virtual time: the sum of the spans in (t1, t2] is at most tau + (t2 - t1) * (1 + rho).
        func stretched(_ t: Int64) -> Int64 { t + Int64((Int128(t) * Int128(rho) + 999_999_999) / 1_000_000_000) }
        var least = Int64.max
        var sum: Int64 = 0
        var worst = Int64.min
        for (time, span, _) in admitted.sorted(by: { $0.time < $1.time }) {
            least = min(least, sum - stretched(time))
            sum += span
            worst = max(worst, sum - stretched(time) - least - limit.tolerance)
        }
        // Rounding of the two stretched times.
        return worst == .min ? -limit.tolerance : worst - 2
    }

    /// What one ideal bucket would have admitted of the same requests, and what callers were granted, both in tokens and both
    /// for requests made from `from` on.
    package func comparison(from: Int64 = 0, to: Int64 = .max) -> (granted: Int64, ideal: Int64) {
        var tat: Int64 = .min
        var ideal: Int64 = 0
        for (time, cost) in offered where time < to {
            guard let span = limit.time(of: cost) else { continue }
            let start = max(tat, time)
            guard start + span <= time + limit.tolerance + longestWait else { continue }
            tat = start + span
            if time >= from { ideal += cost }
        }
        return (grants.reduce(0) { $0 + ($1.time >= from && $1.time < to ? $1.cost : 0) }, ideal)
    }

    /// Granted tokens as a part of what an ideal bucket would have granted.
    package func utilisation(from: Int64 = 0, to: Int64 = .max) -> Double {
        let (granted, ideal) = comparison(from: from, to: to)
        return ideal == 0 ? 1 : Double(granted) / Double(ideal)
    }

    package func granted(node: Int, from: Int64 = 0, to: Int64 = .max) -> Int64 {
        grants.reduce(0) { $0 + ($1.node == node && $1.time >= from && $1.time < to ? $1.cost : 0) }
    }

    package func granted(_ priority: Priority, from: Int64 = 0, to: Int64 = .max) -> Int64 {
        grants.reduce(0) { $0 + ($1.priority == priority && $1.time >= from && $1.time < to ? $1.cost : 0) }
    }

    /// How long after `time` the first grant came.
    package func firstGrant(after time: Int64) -> Int64? {
        grants.lazy.filter { $0.time > time }.map { $0.time - time }.min()
    }

    /// The longest time without a grant in a stretch of time.
    package func longestGap(from: Int64, to: Int64) -> Int64 {
        var last = from
        var longest: Int64 = 0
        for time in grants.map(\.time).filter({ $0 > from && $0 < to }).sorted() + [to] {
            longest = max(longest, time - last)
            last = time
        }
        return longest
    }
}

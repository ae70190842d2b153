import Coordination
import LimiterCore

/// No window (t1, t2] of any bucket admits more than `tau + (t2 - t1) * (1 + rho)` of virtual time (design, section 1): a shadow bucket for
/// each, in true time, from every admission of every node.
final class Promise: Invariant {
    private struct Shadow {
        var tolerance: Int64
        var interval: Int64
        /// The sum of what was admitted, and its least lead over time so far.
        var sum: Int64 = 0
        var least: Int64 = .max
        /// Admissions that are due later, earliest last.
        var later: [(time: Int64, span: Int64)] = []
    }

    private let rho: Int64
    private var shadows: [BucketID: Shadow] = [:]
    private var waiting: Set<BucketID> = []

    /// By how many parts in 10^9 tolerances are stretched.
    private let stretch: Int64

    init(rho: Int64, stretch: Int64 = 0) {
        self.rho = rho
        self.stretch = stretch
        super.init("Promise", admissions: true)
    }

    override func holderAdmitted(_ bucket: Bucket, _ span: Int64, by node: Int, _ cluster: SimulatedCluster) {
        admit(
            bucket.id, tolerance: bucket.limit.tolerance, interval: bucket.limit.emissionInterval, span,
            at: cluster.time, now: cluster.time)
    }

    override func ownerAdmitted(
        _ admission: Owner.Admission, at time: Int64, by node: Int, _ cluster: SimulatedCluster
    ) {
        admit(
            admission.id, tolerance: admission.terms.tolerance, interval: admission.terms.emissionInterval,
            admission.time, at: time, now: cluster.time)
    }

    override func looked(_ cluster: SimulatedCluster) { settle(upTo: cluster.time) }

    override func ended(_ cluster: SimulatedCluster) { settle(upTo: .max) }

    private func settle(upTo now: Int64) {
        for id in waiting.sorted() {
            takeDue(id, upTo: now)
            if shadows[id]!.later.isEmpty { waiting.remove(id) }
        }
    }

    private func admit(_ id: BucketID, tolerance: Int64, interval: Int64, _ span: Int64, at time: Int64, now: Int64) {
        if shadows[id] == nil {
            let more = Int64(Int128(tolerance) * Int128(stretch) / 1_000_000_000) + stretch
            shadows[id] = Shadow(tolerance: tolerance + more, interval: interval)
        }
        takeDue(id, upTo: now)
        if time > now {
            let place = shadows[id]!.later.firstIndex { $0.time <= time } ?? shadows[id]!.later.count
            shadows[id]!.later.insert((time, span), at: place)
            waiting.insert(id)
        } else {
            add(id, span, at: time)
        }
    }

    private func takeDue(_ id: BucketID, upTo now: Int64) {
        while let next = shadows[id]!.later.last, next.time <= now {
            shadows[id]!.later.removeLast()
            add(id, next.span, at: next.time)
        }
    }

    private func add(_ id: BucketID, _ span: Int64, at time: Int64) {
        let stretched = time + Int64((Int128(time) * Int128(rho) + 999_999_999) / 1_000_000_000)
        var shadow = shadows[id]!
        shadow.least = min(shadow.least, shadow.sum - stretched)
        shadow.sum += span
        shadows[id] = shadow
        // 2 ns: rounding of the two stretched times.
        let excess = shadow.sum - stretched - shadow.least - shadow.tolerance - 2
        if excess > 0 {
            violated(
                "\(id) admitted \(Double(excess) / Double(shadow.interval)) tokens too many (\(excess) ns of virtual time)",
                at: time)
        }
    }
}

import Coordination
import LimiterCore

/// No window (t1, t2] of any bucket admits more than `tau + (t2 - t1) * (1 + rho)` of virtual time (design, section 1): a shadow bucket for
/// each, in true time, from every admission of every node. Where a part is kept for critical requests, the normal ones have a smaller shadow
/// bucket to themselves besides.
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
    private struct Name: Hashable, Comparable {
        var id: BucketID
        /// Whether only normal requests count.
        var isNormal = false

        static func < (a: Name, b: Name) -> Bool { (a.id, a.isNormal ? 1 : 0) < (b.id, b.isNormal ? 1 : 0) }
    }

    @exclusivity(unchecked) private var shadows: [Name: Shadow] = [:]
    @exclusivity(unchecked) private var waiting: Set<Name> = []

    /// By how many parts in 10^9 tolerances are stretched.
    private let stretch: Int64

    init(rho: Int64, stretch: Int64 = 0) {
        self.rho = rho
        self.stretch = stretch
        super.init("Promise", admissions: true)
    }

    override func holderAdmitted(_ bucket: Bucket, _ span: Int64, by node: Int, _ cluster: SimulatedCluster) {
        admit(
            bucket.id, tolerance: bucket.wholeLimit.tolerance, interval: bucket.limit.emissionInterval,
            reserve: bucket.isPartlyClosed ? bucket.reserve : 0, span, at: cluster.time, now: cluster.time)
    }

    override func ownerAdmitted(
        _ admission: Owner.Admission, at time: Int64, by node: Int, _ cluster: SimulatedCluster
    ) {
        admit(
            admission.id, tolerance: admission.terms.tolerance, interval: admission.terms.emissionInterval,
            reserve: admission.priority == .normal ? admission.terms.reserve : 0, admission.time, at: time,
            now: cluster.time)
    }

    override func looked(_ cluster: SimulatedCluster) { settle(upTo: cluster.time) }

    override func ended(_ cluster: SimulatedCluster) { settle(upTo: .max) }

    private func settle(upTo now: Int64) {
        for id in waiting.sorted() {
            takeDue(id, upTo: now)
            if shadows[id]!.later.isEmpty { waiting.remove(id) }
        }
    }

    private func admit(
        _ id: BucketID, tolerance: Int64, interval: Int64, reserve: Int64, _ span: Int64, at time: Int64, now: Int64
    ) {
        admit(Name(id: id), tolerance: tolerance, interval: interval, span, at: time, now: now)
        guard reserve > 0 else { return }
        admit(
            Name(id: id, isNormal: true), tolerance: tolerance - reserve, interval: interval, span, at: time, now: now)
    }

    private func admit(_ id: Name, tolerance: Int64, interval: Int64, _ span: Int64, at time: Int64, now: Int64) {
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

    private func takeDue(_ id: Name, upTo now: Int64) {
        while let next = shadows[id]!.later.last, next.time <= now {
            shadows[id]!.later.removeLast()
            add(id, next.span, at: next.time)
        }
    }

    private func add(_ id: Name, _ span: Int64, at time: Int64) {
        let stretched = time + Int64((Int128(time) * Int128(rho) + 999_999_999) / 1_000_000_000)
        var shadow = shadows[id]!
        shadow.least = min(shadow.least, shadow.sum - stretched)
        shadow.sum += span
        shadows[id] = shadow
        // 2 ns: rounding of the two stretched times.
        let excess = shadow.sum - stretched - shadow.least - shadow.tolerance - 2
        if excess > 0 {
            violated(
                "\(id.id) admitted \(id.isNormal ? "for normal requests " : "")\(Double(excess) / Double(shadow.interval)) tokens too many (\(excess) ns of virtual time)",
                at: time)
        }
    }
}

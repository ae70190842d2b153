import Coordination
import LimiterCore
import NodeRuntime

/// A new version of a rule starts with as many tokens used as the old one had (design, section 2): who changes a rule does not hand out its burst
/// again. The promise is for each version by itself; across versions half a burst more is let pass, for what was under way.
///
/// Judged at the end, by the moments of the decisions, since their callers may hear of them late; where the old and the new version were served by one tenure, since the log knows nothing of
/// what an old version's bucket ran ahead on slack; and where the new version remembers the old one, since a rule remembers only a few
/// (``VersionedRule/mostPrevious``).
final class CarriedTokens: Invariant {
    /// The epochs in which a version of a bucket was served.
    @exclusivity(unchecked) private var epochs: [BucketID: ClosedRange<UInt64>] = [:]

    init() { super.init("CarriedTokens", admissions: true) }

    override func ownerLent(_ loan: Owner.Loan, by node: Int, _ cluster: SimulatedCluster) {
        note(loan.id, loan.epoch)
    }

    override func ownerAdmitted(
        _ admission: Owner.Admission, at time: Int64, by node: Int, _ cluster: SimulatedCluster
    ) {
        note(admission.id, admission.epoch)
    }

    private func note(_ id: BucketID, _ epoch: UInt64) {
        let known = epochs[id] ?? epoch...epoch
        if !known.contains(epoch) || epochs[id] == nil {
            epochs[id] = min(known.lowerBound, epoch)...max(known.upperBound, epoch)
        }
    }

    override func ended(_ cluster: SimulatedCluster) {
        var versions: [String: [(id: BucketID, ledger: Ledger)]] = [:]
        for (id, ledger) in cluster.ledgers {
            if let key = ledger.key { versions[key, default: []].append((id, ledger)) }
        }
        for (key, ledgers) in versions.sorted(by: { $0.key < $1.key }) where ledgers.count > 1 {
            judge(key, ledgers, cluster)
        }
    }

    private func judge(_ key: String, _ ledgers: [(id: BucketID, ledger: Ledger)], _ cluster: SimulatedCluster) {
        let known = ledgers.filter { !$0.ledger.admitted.isEmpty }
            .sorted {
                let (a, b) = ($0.ledger.admitted[0], $1.ledger.admitted[0])
                return (a.time, a.number) < (b.time, b.number)
            }
        let sorted = known.map(\.ledger)
        var grants: [(time: Int64, number: Int, tokens: Double, version: Int)] = []
        for (version, ledger) in sorted.enumerated() {
            for (time, span, number) in ledger.admitted {
                grants.append((time, number, ledger.limit.tokens(in: span), version))
            }
        }
        grants.sort { ($0.time, $0.number) < ($1.time, $1.number) }
        // Tokens used, as a bucket of the newest version counts them.
        var (used, last, newest) = (0.0, Int64(0), 0)
        // What a node that lags behind the log still gets under an older version is its own bucket's.
        for grant in grants where grant.version >= newest {
            let limit = sorted[grant.version].limit
            used = max(
                min(used, 0),
                used - limit.tokens(in: grant.time - last) * 1.02)
            last = grant.time
            let burst = Double(limit.burst)
            if grant.version > newest {
                let tenures = [known[newest], known[grant.version]].map { epochs[$0.id] }
                let isOneTenure = tenures[0] != nil && tenures[0] == tenures[1] && tenures[0]!.count == 1
                let isRemembered = sorted[grant.version].predecessors.contains(known[newest].id)
                newest = grant.version
                used = isOneTenure && isRemembered ? min(used, burst) : -burst
            }
            used += grant.tokens
            if newest > 0, used > burst * 1.5 + 5 {
                violated("\(key) was granted \(Int(used - burst)) tokens too many across versions", at: grant.time)
                return
            }
        }
    }
}

extension Limit {
    /// The tokens that a stretch of virtual time is worth.
    fileprivate func tokens(in span: Int64) -> Double { Double(span) / Double(emissionInterval) * Double(unit) }
}

import LimiterCore

/// Usage counts once: callers hear of no more admissions than owners made, each request is settled at most once, and no node refuses what
/// a correct one says.
final class Accounting: Invariant {
    private var reported = 0

    init() { super.init("Accounting") }

    override func looked(_ cluster: SimulatedCluster) {
        for failure in cluster.failures.dropFirst(reported) { violated(failure, at: cluster.time) }
        reported = cluster.failures.count
    }

    override func ended(_ cluster: SimulatedCluster) {
        looked(cluster)
        for (id, ledger) in cluster.ledgers where ledger.heardFromOwners > ledger.spentByOwners {
            violated("callers heard of more admissions of \(id) than owners made", at: cluster.time)
        }
        if cluster.unsettled > 0 { violated("\(cluster.unsettled) requests were never settled", at: cluster.time) }
    }
}

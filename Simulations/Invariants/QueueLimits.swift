import Coordination
import LimiterCore
import NodeRuntime

/// Every queue and table is within its limit.
final class QueueLimits: Invariant {
    init() { super.init("QueueLimits") }

    override func looked(_ cluster: SimulatedCluster) {
        for node in cluster.living {
            let runtime = cluster.nodes[node].process!
            check(runtime.runtime.waitingAtOwner, Owner.mostWaiting, "groups wait at the owner", node, cluster)
            check(runtime.runtime.waitingAtHolder, Holder.mostWaiting, "requests wait at the holder", node, cluster)
            check(runtime.store.table.count, cluster.options.tableCapacity, "allowances are held", node, cluster)
        }
    }

    private func check(_ count: Int, _ most: Int, _ what: String, _ node: Int, _ cluster: SimulatedCluster) {
        if count > most { violated("\(count) \(what) at node \(node + 1), at most \(most) may", at: cluster.time) }
    }
}

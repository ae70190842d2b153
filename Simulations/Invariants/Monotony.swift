import LimiterCore
import NodeRuntime
import Raft

/// Epochs, stamps and floors of a range never go back at a process, and no acknowledged term or vote does (design, section 3).
final class Monotony: Invariant {
    private struct Seen {
        var incarnation: UInt64
        var applied: UInt64
        var epochs: [UInt64]
        var floors: [AxisTime]
        var term: UInt64
    }

    @exclusivity(unchecked) private var seen: PerNode<Seen> = PerNode()
    /// The highest term a node was in, over all its processes, as its disk knew it.
    @exclusivity(unchecked) private var terms: PerNode<UInt64> = PerNode()

    init() { super.init("Monotony") }

    override func replacedDisk(_ node: Int, _ cluster: SimulatedCluster) { terms[node] = nil }

    override func looked(_ cluster: SimulatedCluster) {
        for node in cluster.living {
            let process = cluster.nodes[node].process!
            let durable = cluster.nodes[node].disk.durable.hardState.term
            if durable < terms[node] ?? 0 { violated("the disk of node \(node + 1) has lost a term", at: cluster.time) }
            terms[node] = durable
            // Only applying an entry moves anything else.
            if let before = seen[node], before.incarnation == process.incarnation,
                before.applied == process.runtime.appliedIndex, before.term == process.runtime.term
            {
                continue
            }
            let now = Seen(
                incarnation: process.incarnation, applied: process.runtime.appliedIndex,
                epochs: RangeID.all.map { process.runtime.epoch(of: $0) },
                floors: RangeID.all.map { process.runtime.floor(of: $0) }, term: process.runtime.term)
            if let before = seen[node], before.incarnation == now.incarnation {
                if now.applied < before.applied || now.term < before.term {
                    violated(
                        "node \(node + 1) went back from entry \(before.applied), term \(before.term)", at: cluster.time
                    )
                }
                for range in RangeID.all {
                    if now.epochs[range.index] < before.epochs[range.index] {
                        violated("the epoch of range \(range) went back at node \(node + 1)", at: cluster.time)
                    }
                    if now.floors[range.index] < before.floors[range.index] {
                        violated("the floor of range \(range) went back at node \(node + 1)", at: cluster.time)
                    }
                }
            }
            seen[node] = now
        }
    }
}

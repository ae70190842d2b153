import LimiterCore
import NodeRuntime
import Raft

/// Epochs, stamps and floors of a range never go back at a process, and no acknowledged term or vote does (design, section 3).
final class Monotony: Invariant {
    private struct Seen {
        var incarnation: UInt64
        var applied: UInt64 = 0
        var term: UInt64 = 0
        var epochs: [UInt64] = Array(repeating: 0, count: RangeID.count)
        var floors: [AxisTime] = Array(repeating: .never, count: RangeID.count)
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
            let (applied, term) = (process.runtime.appliedIndex, process.vitals.term)
            var now = seen[node] ?? Seen(incarnation: process.incarnation)
            if now.incarnation != process.incarnation { now = Seen(incarnation: process.incarnation) }
            // Only applying an entry moves anything else.
            if now.applied == applied, now.term == term { continue }
            if applied < now.applied || term < now.term {
                violated("node \(node + 1) went back from entry \(now.applied), term \(now.term)", at: cluster.time)
            }
            (now.applied, now.term) = (applied, term)
            // Not to be copied by what is written next.
            seen[node] = nil
            process.runtime.forEachRange { range, epoch, floor in
                if epoch < now.epochs[range.index] {
                    violated("the epoch of range \(range) went back at node \(node + 1)", at: cluster.time)
                }
                if floor < now.floors[range.index] {
                    violated("the floor of range \(range) went back at node \(node + 1)", at: cluster.time)
                }
                now.epochs[range.index] = epoch
                now.floors[range.index] = floor
            }
            seen[node] = now
        }
    }
}

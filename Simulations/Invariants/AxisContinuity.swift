import LimiterCore
import NodeRuntime

/// No range's axis ever jumps ahead: when a tenure begins, its axis reads at most what the axis of the last tenure that could hand anything
/// out reads at that moment; if nobody is left who knows, what a clock can have counted at the most since it was seen (design, section 4: a
/// new owner continues an axis where it can prove that the old one already was).
final class AxisContinuity: Invariant {
    /// A reading of a tenure.
    private struct Reading {
        var epoch: UInt64
        var axis: Int64
        var time: Int64
    }

    /// Of the newest tenure that has had a cover of its own applied: one without has handed out nothing, and its axis binds nobody.
    @exclusivity(unchecked) private var newest: [Reading?] = Array(repeating: nil, count: RangeID.count)
    /// Where tenures began that have not been seen covered (one may be so for less than it takes to look again), and by how much too far;
    /// the first one of a range cannot be wrong.
    @exclusivity(unchecked) private var begun: [[UInt64: (reading: Reading, excess: Int64)]] = Array(
        repeating: [:], count: RangeID.count)
    @exclusivity(unchecked) private var served: PerNode<(incarnation: UInt64, mask: UInt64)> = PerNode()
    private let rho: Int64

    init(rho: Int64) {
        self.rho = rho
        super.init("AxisContinuity", actions: true)
    }

    override func acted(_ node: Int, _ cluster: SimulatedCluster) {
        guard let process = cluster.nodes[node].process else { return }
        let mask = process.vitals.served
        let known = served[node].map { $0.incarnation == process.incarnation ? $0.mask : 0 } ?? 0
        served[node] = (process.incarnation, mask)
        guard mask & ~known != 0 else { return }
        for range in RangeID.all where mask & ~known & 1 << UInt64(range.rawValue) != 0 {
            began(range, at: node, process, cluster)
        }
    }

    override func looked(_ cluster: SimulatedCluster) {
        for node in cluster.living {
            let now = cluster.nodes[node].clock(at: cluster.time)
            cluster.nodes[node].process!.runtime.forEachCovered(now: now) { range, epoch, axis in
                note(range, epoch, axis.ns, node, cluster)
            }
        }
    }

    private func began(
        _ range: RangeID, at node: Int, _ process: SimulatedNode.Process, _ cluster: SimulatedCluster
    ) {
        guard let seen = newest[range.index], let axis = axis(of: range, node, cluster) else { return }
        let epoch = process.runtime.epoch(of: range)
        let last = process.runtime.coveredEpoch(of: range).flatMap { begun[range.index][$0]?.reading } ?? seen
        // Whoever still serves under the last tenure's epoch says what its axis reads now.
        var most: Int64?
        for other in cluster.living where other != node {
            let runtime = cluster.nodes[other].process!
            if runtime.runtime.epoch(of: range) == last.epoch, let reading = self.axis(of: range, other, cluster) {
                most = reading
            }
        }
        let elapsed = cluster.time - last.time
        let limit = most ?? last.axis + elapsed + Int64(Int128(elapsed) * Int128(rho) / 2_000_000_000) + 2
        let reading = Reading(epoch: epoch, axis: axis, time: cluster.time)
        begun[range.index][epoch] = (reading, axis - limit)
    }

    private func note(_ range: RangeID, _ epoch: UInt64, _ axis: Int64, _ node: Int, _ cluster: SimulatedCluster) {
        guard epoch >= newest[range.index]?.epoch ?? 0 else { return }
        newest[range.index] = Reading(epoch: epoch, axis: axis, time: cluster.time)
        guard !begun[range.index].isEmpty else { return }
        if let tenure = begun[range.index][epoch], tenure.excess > 0 {
            violated("range \(range) began \(tenure.excess) ns too far at node \(node + 1)", at: cluster.time)
        }
        begun[range.index] = begun[range.index].filter { $0.key > epoch }
    }

    private func axis(of range: RangeID, _ node: Int, _ cluster: SimulatedCluster) -> Int64? {
        let now = cluster.nodes[node].clock(at: cluster.time)
        return cluster.nodes[node].process?.runtime.axis(of: range, now: now)?.ns
    }
}

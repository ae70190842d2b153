import Coordination
import LimiterCore
import NodeRuntime

/// What two tenures of one range hand out stays apart by what their clocks may drift apart (design, section 3: `margin = 2 rho (horizon + grace)`): a new
/// tenure hands out nothing ahead of its axis that begins less than the margin after what an earlier one handed out; and whoever still hands out under an
/// earlier epoch is behind the new axis by no more than the margin.
final class ZombieMargin: Invariant {
    private struct Bucket {
        var epoch: UInt64
        /// The furthest that was handed out in this epoch, and in earlier ones.
        var end: Int64
        var earlier: Int64
        /// Where this epoch began, until it is judged: what one event hands out is told in any order.
        var first: First?
    }

    private struct First {
        var at: Int64
        var node: Int
        var start: Int64
        var axis: Int64
        /// What the log knew of the axis: a bucket that was full by then owes nothing to earlier tenures, wherever floors let it start.
        var stamp: Int64
    }

    @exclusivity(unchecked) private var buckets: [BucketID: Bucket] = [:]

    init() { super.init("ZombieMargin", admissions: true) }

    override func ownerLent(_ loan: Owner.Loan, by node: Int, _ cluster: SimulatedCluster) {
        guard let process = cluster.nodes[node].process else { return }
        note(loan.id, loan.range, loan.epoch, loan.start.ns, loan.end.ns, node, process, cluster)
    }

    override func ownerAdmitted(
        _ admission: Owner.Admission, at time: Int64, by node: Int, _ cluster: SimulatedCluster
    ) {
        guard let process = cluster.nodes[node].process, let range = cluster.range(of: admission.id) else { return }
        let end = admission.start.ns + admission.time
        note(admission.id, range, admission.epoch, admission.start.ns, end, node, process, cluster)
    }

    private func note(
        _ id: BucketID, _ range: RangeID, _ epoch: UInt64, _ start: Int64, _ end: Int64, _ node: Int,
        _ process: SimulatedNode.Process, _ cluster: SimulatedCluster
    ) {
        let margin = cluster.options.parameters.margin
        judgeZombie(range, epoch, margin, node, process, cluster)
        guard var bucket = buckets[id] else {
            buckets[id] = Bucket(epoch: epoch, end: end, earlier: .min)
            return
        }
        if let first = bucket.first, first.at < cluster.time {
            judge(first, id, bucket, margin)
            bucket.first = nil
        }
        if epoch > bucket.epoch {
            bucket.earlier = max(bucket.earlier, bucket.end)
            // Only the first span of a tenure says where its bucket began.
            bucket.first = process.runtime.axis(of: range, now: cluster.nodes[node].clock(at: cluster.time)).map {
                First(
                    at: cluster.time, node: node, start: start, axis: $0.ns, stamp: process.runtime.stamp(of: range).ns)
            }
            (bucket.epoch, bucket.end) = (epoch, end)
        } else if epoch < bucket.epoch {
            bucket.earlier = max(bucket.earlier, end)
        } else {
            if let first = bucket.first { bucket.first!.start = min(first.start, start) }
            bucket.end = max(bucket.end, end)
        }
        buckets[id] = bucket
    }

    private func judge(_ first: First, _ id: BucketID, _ bucket: Bucket, _ margin: Int64) {
        guard first.start > first.axis, bucket.earlier > first.stamp, first.start < bucket.earlier + margin else {
            return
        }
        violated(
            "node \(first.node + 1) handed out \(id) from \(first.start), \(first.start - bucket.earlier) ns after what an earlier tenure did; the margin is \(margin) ns",
            at: first.at)
    }

    override func ended(_ cluster: SimulatedCluster) {
        let margin = cluster.options.parameters.margin
        for (id, bucket) in buckets.sorted(by: { $0.key < $1.key }) {
            if let first = bucket.first { judge(first, id, bucket, margin) }
        }
    }

    private func judgeZombie(
        _ range: RangeID, _ epoch: UInt64, _ margin: Int64, _ node: Int, _ process: SimulatedNode.Process,
        _ cluster: SimulatedCluster
    ) {
        for other in cluster.nodes.indices where other != node {
            guard let runtime = cluster.nodes[other].process,
                runtime.vitals.served & 1 << UInt64(range.rawValue) != 0, runtime.runtime.epoch(of: range) > epoch,
                runtime.runtime.isCovered(range),
                let axis = runtime.runtime.axis(of: range, now: cluster.nodes[other].clock(at: cluster.time)),
                let own = process.runtime.axis(of: range, now: cluster.nodes[node].clock(at: cluster.time)),
                own.ns + margin + 2 < axis.ns
            else { continue }
            violated(
                "node \(node + 1) hands out range \(range) under epoch \(epoch), \(axis.ns - own.ns) ns behind its new owner; the margin is \(margin) ns",
                at: cluster.time)
        }
    }
}

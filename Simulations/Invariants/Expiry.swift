import Coordination
import LimiterCore
import NodeRuntime

/// Nobody could spend virtual time that the axis it was cut from has passed: a node's bracket of what it holds is at least what the axis of that epoch
/// reads, whatever other epochs' brackets say (design, section 4: brackets belong to a range and epoch).
///
/// It looks at what a node holds of a bucket when an answer has come, if the bucket has lived through more than one epoch.
final class Expiry: Invariant {
    /// What an owner lent of one bucket, and when its axis read what.
    private struct Lent {
        var start: Int64
        var end: Int64
        var epoch: UInt64
        var axis: Int64
        var time: Int64
    }

    @exclusivity(unchecked) private var lent: [BucketID: [Lent]] = [:]
    @exclusivity(unchecked) private var newest: [UInt64] = Array(repeating: 0, count: RangeID.count)
    private let rho: Int64

    init(rho: Int64) {
        self.rho = rho
        super.init("Expiry", messages: true, admissions: true)
    }

    override func ownerLent(_ loan: Owner.Loan, by node: Int, _ cluster: SimulatedCluster) {
        newest[loan.range.index] = max(newest[loan.range.index], loan.epoch)
        lent[loan.id, default: []].append(
            Lent(start: loan.start.ns, end: loan.end.ns, epoch: loan.epoch, axis: loan.axis.ns, time: cluster.time))
        if lent[loan.id]!.count > 64 { lent[loan.id]!.removeFirst(32) }
    }

    override func heard(_ answer: Answer, by node: Int, _ cluster: SimulatedCluster) {
        guard let process = cluster.nodes[node].process else { return }
        for item in answer.items {
            guard let known = lent[item.id], let last = known.last,
                last.epoch != newest[item.range.index] || known.first!.epoch != last.epoch,
                let held = process.store.table.contents(of: item.id)
            else { continue }
            let scaled = cluster.options.parameters.drift.longest(cluster.nodes[node].clock(at: cluster.time).ns)
            for span in held.spans {
                let estimate = span.base &+ scaled
                let next = max(span.start, estimate)
                guard next < span.end,
                    let from = known.last(where: { $0.start <= next && next < $0.end })
                else { continue }
                let elapsed = cluster.time - from.time
                let passed = from.axis + elapsed - Int64(Int128(elapsed) * Int128(rho) / 2_000_000_000) - 2
                if estimate < passed {
                    violated(
                        "node \(node + 1) takes the axis of \(item.id) in epoch \(from.epoch) to be at most \(estimate), which it passed \(passed - estimate) ns ago",
                        at: cluster.time)
                }
            }
        }
    }
}

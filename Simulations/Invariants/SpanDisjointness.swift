import Coordination
import LimiterCore
import NodeRuntime

/// No two spans of a bucket that were handed out have an instant in common: not by two owners, not by one twice (design, section 2).
///
/// It sees what owners lend and spend in their own notes, also what they lend to their own nodes.
final class SpanDisjointness: Invariant {
    @exclusivity(unchecked) private var spans: [BucketID: HandedOut] = [:]

    init() { super.init("SpanDisjointness", admissions: true) }

    override func ownerLent(_ loan: Owner.Loan, by node: Int, _ cluster: SimulatedCluster) {
        note(loan.id, loan.start.ns, loan.end.ns, node, cluster, "lent")
    }

    override func ownerAdmitted(
        _ admission: Owner.Admission, at time: Int64, by node: Int, _ cluster: SimulatedCluster
    ) {
        note(admission.id, admission.start.ns, admission.start.ns + admission.time, node, cluster, "spent")
    }

    private func note(
        _ id: BucketID, _ start: Int64, _ end: Int64, _ node: Int, _ cluster: SimulatedCluster, _ how: String
    ) {
        guard end > start else { return }
        let common = spans[id, default: HandedOut()].add(start, end)
        if common > 0 {
            violated(
                "node \(node + 1) \(how) [\(start), \(end)) of \(id), of which \(common) ns had been handed out before",
                at: cluster.time)
        }
    }
}

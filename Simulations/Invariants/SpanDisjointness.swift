import Coordination
import LimiterCore
import NodeRuntime

/// No two spans of a bucket that were handed out have an instant in common: not by two owners, not by one twice (design, section 2).
///
/// It sees allowances in the answers as they leave the owner, and what owners spend themselves in their own notes.
final class SpanDisjointness: Invariant {
    private var spans: [BucketID: HandedOut] = [:]
    /// Answers are repeated; each counts once.
    private var answered: [[Int]: UInt64] = [:]

    init() { super.init("SpanDisjointness", messages: true, admissions: true) }

    override func said(_ message: PeerMessage, by node: Int, to: Int, _ cluster: SimulatedCluster) {
        guard case .coordination(.answer(let answer)) = message, let process = cluster.nodes[node].process else {
            return
        }
        // A conversation's answers come in the order of their numbers.
        let conversation = [Int(process.incarnation), to, Int(truncatingIfNeeded: answer.session)]
        guard answer.number > answered[conversation] ?? 0 else { return }
        answered[conversation] = answer.number
        for item in answer.items {
            guard let allowance = item.allowance else { continue }
            note(item.id, allowance.start.ns, allowance.end.ns, node, cluster, "lent")
        }
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

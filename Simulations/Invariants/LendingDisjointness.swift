import Coordination
import LimiterCore
import NodeRuntime

/// No two pieces that nodes lend to embedded clients have an instant in common: a node lends what it has taken out of its own table, and
/// that was handed out to it alone (docs/proof.md, "Two steps").
final class LendingDisjointness: Invariant {
    @exclusivity(unchecked) private var pieces: [BucketID: HandedOut] = [:]
    /// Answers are repeated; each counts once.
    @exclusivity(unchecked) private var answered: [UInt64: UInt64] = [:]

    init() { super.init("LendingDisjointness", messages: true) }

    override func said(_ message: ClientMessage, by node: Int, to client: ClientID, _ cluster: SimulatedCluster) {
        guard case .answer(let answer) = message, answer.number > answered[answer.session] ?? 0 else { return }
        answered[answer.session] = answer.number
        for item in answer.items {
            guard let allowance = item.allowance, allowance.end > allowance.start else { continue }
            let common = pieces[item.id, default: HandedOut()].add(allowance.start.ns, allowance.end.ns)
            if common > 0 {
                violated(
                    "node \(node + 1) lent [\(allowance.start.ns), \(allowance.end.ns)) of \(item.id), of which \(common) ns "
                        + "had been lent before", at: cluster.time)
            }
        }
    }
}

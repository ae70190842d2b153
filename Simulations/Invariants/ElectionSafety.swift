import NodeRuntime
import Raft

/// At most one leader can be elected in a given term (Ongaro and Ousterhout, 2014, figure 3).
final class ElectionSafety: Invariant {
    @exclusivity(unchecked) private var leaders: [Term: Int] = [:]

    init() { super.init("ElectionSafety", actions: true) }

    override func acted(_ node: Int, _ cluster: SimulatedCluster) {
        guard let process = cluster.nodes[node].process, process.vitals.role == .leader else { return }
        let term = process.vitals.term
        if let other = leaders[term], other != node {
            violated("nodes \(other + 1) and \(node + 1) lead term \(term)", at: cluster.time)
        }
        leaders[term] = node
    }
}

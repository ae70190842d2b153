import NodeRuntime
import Raft

/// What a node has acknowledged stays on its disk for as long as its term lasts: the leader may have counted it (figure 2 of the paper;
/// raft.md: an append removes only what conflicts with it, and a snapshot nothing that agrees with it).
final class Acknowledged: Invariant {
    @exclusivity(unchecked) private var acknowledged: PerNode<(term: Term, match: LogIndex)> = PerNode()

    init() { super.init("Acknowledged", actions: true, messages: true) }

    override func replacedDisk(_ node: Int, _ cluster: SimulatedCluster) { acknowledged[node] = nil }

    override func said(_ message: PeerMessage, by node: Int, to: Int, _ cluster: SimulatedCluster) {
        guard case .raft(let message) = message, case .appendResponse(let match) = message.body else { return }
        let known = acknowledged[node]
        guard message.term > known?.term ?? 0 || message.term == known?.term && match > known?.match ?? 0 else {
            return
        }
        acknowledged[node] = (message.term, match)
    }

    override func acted(_ node: Int, _ cluster: SimulatedCluster) { check(node, cluster) }

    override func looked(_ cluster: SimulatedCluster) {
        for node in cluster.nodes.indices { check(node, cluster) }
    }

    private func check(_ node: Int, _ cluster: SimulatedCluster) {
        guard let known = acknowledged[node], !cluster.nodes[node].isDamaged,
            cluster.nodes[node].disk.durable.hardState.term == known.term
        else { return }
        let last = cluster.nodes[node].disk.lastIndex
        if last < known.match {
            violated(
                "the disk of node \(node + 1) ends with entry \(last), and it has acknowledged \(known.match) in term \(known.term)",
                at: cluster.time)
            acknowledged[node] = nil
        }
    }
}

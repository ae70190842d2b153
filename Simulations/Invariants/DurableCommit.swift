import NodeRuntime
import Raft

/// A leader calls an entry committed only when it is on the disks of a majority (raft.md; section 5.3 of the paper).
final class DurableCommit: Invariant {
    @exclusivity(unchecked) private var highest: LogIndex = 0

    init() { super.init("DurableCommit", actions: true) }

    override func acted(_ node: Int, _ cluster: SimulatedCluster) {
        guard let process = cluster.nodes[node].process, process.vitals.role == .leader else { return }
        let commit = process.vitals.commitIndex
        guard commit > highest else { return }
        highest = commit
        guard let term = process.runtime.termOfEntry(at: commit) else { return }
        let copies = cluster.nodes.count {
            $0.disk.term(at: commit) == term || ($0.disk.durable.snapshot?.index ?? 0) >= commit
        }
        if copies <= cluster.nodes.count / 2 {
            violated(
                "node \(node + 1) committed entry \(commit) of term \(term) with \(copies) copies on disk",
                at: cluster.time)
        }
    }
}

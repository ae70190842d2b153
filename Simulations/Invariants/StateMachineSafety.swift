import NodeRuntime
import Raft

/// What one node takes for committed at an index, every node does: State Machine Safety and Leader Completeness (figure 3 of the paper).
final class StateMachineSafety: Invariant {
    /// The first committed entry seen at each index.
    @exclusivity(unchecked) private var committed: [LogIndex: Entry] = [:]
    @exclusivity(unchecked) private var checked: PerNode<(incarnation: UInt64, index: LogIndex)> = PerNode()
    @exclusivity(unchecked) private var wasLeader: PerNode<Term> = PerNode()
    /// The last entry that was first seen committed in each term.
    @exclusivity(unchecked) private var lastOfTerm: [Term: LogIndex] = [:]

    init() { super.init("StateMachineSafety", actions: true) }

    override func acted(_ node: Int, _ cluster: SimulatedCluster) {
        guard let process = cluster.nodes[node].process else { return }
        let known = checked[node]
        var from = known?.incarnation == process.incarnation ? known!.index : 0
        let commit = process.vitals.commitIndex
        if commit < from { violated("node \(node + 1) has taken a commit back", at: cluster.time) }
        if commit > from {
            from = max(from + 1, process.runtime.firstIndex)
            for index in stride(from: from, through: commit, by: 1) { check(index, node, process, cluster) }
            checked[node] = (process.incarnation, commit)
        }
        // A new leader has every entry that was committed in an earlier term; not those of later terms: a candidate that stood still may
        // count its votes when another one has long led.
        if process.vitals.role == .leader, wasLeader[node] != process.vitals.term {
            wasLeader[node] = process.vitals.term
            let last = lastOfTerm.filter { $0.key < process.vitals.term }.values.max() ?? 0
            if process.vitals.lastIndex < last {
                violated(
                    "node \(node + 1) leads term \(process.vitals.term) without the committed entry \(last)",
                    at: cluster.time)
            }
        }
    }

    private func check(_ index: LogIndex, _ node: Int, _ process: SimulatedNode.Process, _ cluster: SimulatedCluster) {
        guard let entry = process.runtime.entry(at: index) else { return }
        guard let known = committed[index] else {
            lastOfTerm[process.vitals.term] = max(lastOfTerm[process.vitals.term] ?? 0, index)
            committed[index] = entry
            return
        }
        if known.term != entry.term || known.payload != entry.payload {
            violated(
                "node \(node + 1) has another entry at \(index), of term \(entry.term) instead of \(known.term)",
                at: cluster.time)
        }
    }
}

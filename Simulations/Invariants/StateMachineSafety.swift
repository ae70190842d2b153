import NodeRuntime
import Raft

/// What one node takes for committed at an index, every node does: State Machine Safety and Leader Completeness (figure 3 of the paper).
final class StateMachineSafety: Invariant {
    /// The first committed entry seen at each index: its term and a digest of its payload.
    @exclusivity(unchecked) private var committed: [LogIndex: (term: Term, digest: UInt64)] = [:]
    @exclusivity(unchecked) private var checked: PerNode<(incarnation: UInt64, index: LogIndex)> = PerNode()
    @exclusivity(unchecked) private var wasLeader: PerNode<Term> = PerNode()
    /// The last entry that was first seen committed in each term.
    @exclusivity(unchecked) private var lastOfTerm: [Term: LogIndex] = [:]

    init() { super.init("StateMachineSafety", actions: true) }

    override func acted(_ node: Int, _ cluster: SimulatedCluster) {
        guard let process = cluster.nodes[node].process else { return }
        let known = checked[node]
        var from = known?.incarnation == process.incarnation ? known!.index : 0
        let commit = process.runtime.commitIndex
        if commit < from { violated("node \(node + 1) has taken a commit back", at: cluster.time) }
        if commit > from {
            from = max(from + 1, process.runtime.firstIndex)
            for index in stride(from: from, through: commit, by: 1) { check(index, node, process, cluster) }
            checked[node] = (process.incarnation, commit)
        }
        // A new leader has every entry that was committed in an earlier term; not those of later terms: a candidate that stood still may
        // count its votes when another one has long led.
        if process.runtime.role == .leader, wasLeader[node] != process.runtime.term {
            wasLeader[node] = process.runtime.term
            let last = lastOfTerm.filter { $0.key < process.runtime.term }.values.max() ?? 0
            if process.runtime.lastIndex < last {
                violated(
                    "node \(node + 1) leads term \(process.runtime.term) without the committed entry \(last)",
                    at: cluster.time)
            }
        }
    }

    private func check(_ index: LogIndex, _ node: Int, _ process: SimulatedNode.Process, _ cluster: SimulatedCluster) {
        guard let entry = process.runtime.entry(at: index) else { return }
        let digest = entry.payload.reduce(0xCBF2_9CE4_8422_2325) { ($0 ^ UInt64($1)) &* 0x100_0000_01B3 }
        if let known = committed[index], known.term != entry.term || known.digest != digest {
            violated(
                "node \(node + 1) has another entry at \(index), of term \(entry.term) instead of \(known.term)",
                at: cluster.time)
        } else {
            if committed[index] == nil {
                lastOfTerm[process.runtime.term] = max(lastOfTerm[process.runtime.term] ?? 0, index)
            }
            committed[index] = (entry.term, digest)
        }
    }
}

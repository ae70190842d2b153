import LimiterCore
import NodeRuntime
import Raft

/// Replicas that have applied the same entries are the same, byte by byte; and a rule that was answered as applied stays applied until it
/// is deleted.
final class ReplicaAgreement: Invariant {
    private var states: [LogIndex: UInt64] = [:]
    private var turn = 0

    init() { super.init("ReplicaAgreement") }

    override func looked(_ cluster: SimulatedCluster) {
        turn += 1
        // Every two seconds: a state is some kilobytes, and a difference stays.
        if turn % 100 == 0 { compare(cluster) }
    }

    override func ended(_ cluster: SimulatedCluster) {
        compare(cluster)
        for node in cluster.living {
            let names = Set(cluster.nodes[node].process!.runtime.ruleNames)
            for rule in cluster.options.rules where !names.contains(rule.name) {
                violated("node \(node + 1) has lost the rule '\(rule.name)'", at: cluster.time)
            }
        }
    }

    private func compare(_ cluster: SimulatedCluster) {
        var applied: [LogIndex: Int] = [:]
        for node in cluster.living { applied[cluster.nodes[node].process!.runtime.appliedIndex, default: 0] += 1 }
        for node in cluster.living {
            let runtime = cluster.nodes[node].process!.runtime.appliedIndex
            guard applied[runtime]! > 1 || states[runtime] != nil else { continue }
            let digest = cluster.nodes[node].process!.runtime.stateBytes.reduce(0xCBF2_9CE4_8422_2325 as UInt64) {
                ($0 ^ UInt64($1)) &* 0x100_0000_01B3
            }
            if let known = states[runtime], known != digest {
                violated("node \(node + 1) has another state after entry \(runtime)", at: cluster.time)
            }
            states[runtime] = digest
        }
    }
}

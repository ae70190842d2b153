/// A log that starts has everything that had been synced: all of it, or it refuses to start (raft.md: recovery).
///
/// In runs that keep logs in files, with the production log on a disk that loses power.
final class LogRecovery: Invariant {
    private var reported: [Int: Int] = [:]

    init() { super.init("LogRecovery") }

    override func started(_ node: Int, _ cluster: SimulatedCluster) {
        let losses = cluster.nodes[node].disk.losses
        for loss in losses.dropFirst(reported[node] ?? 0) {
            violated("node \(node + 1) started without \(loss), which had been synced", at: cluster.time)
        }
        reported[node] = losses.count
    }

    override func replacedDisk(_ node: Int, _ cluster: SimulatedCluster) {
        reported[node] = cluster.nodes[node].disk.losses.count
    }
}

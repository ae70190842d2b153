import LimiterCore

/// Asks as a workload says, at every node, until it is stopped.
final class LoadDriver {
    private let workload: Workload
    private var hasStopped = false
    /// By load and node, then by key.
    private var known: [[SimulatedCluster.KnownKey?]] = []
    /// So many keys of each load are looked up once.
    private static let mostKnown = 2_048

    init(_ workload: Workload) { self.workload = workload }

    func stop() { hasStopped = true }

    func start(_ cluster: SimulatedCluster) {
        for (number, load) in workload.loads.enumerated() {
            for _ in 0..<8 { known.append(Array(repeating: nil, count: min(load.keys, LoadDriver.mostKnown))) }
            let wait = wait(load)
            for node in cluster.nodes.indices where load.onlyNode == nil || load.onlyNode == node {
                let entity = number * 8 + node
                switch load.pattern {
                case .steady:
                    guard load.perSecond > 0 else { continue }
                    again(entity, in: 0...2 * Int64(1e9 / load.perSecond), cluster) { [self] cluster in
                        ask(load, entity, node, wait, cluster)
                    }
                case .bursts(let every, let count):
                    again(entity, in: every / 2...every * 3 / 2, cluster) { [self] cluster in
                        for _ in 0..<count { ask(load, entity, node, wait, cluster) }
                    }
                }
            }
        }
    }

    /// So many embedded clients, each with one of the loads: together they ask for half as much as the nodes' own callers.
    func start(clients count: Int, _ cluster: SimulatedCluster) {
        for i in 0..<count {
            let load = workload.loads[i % workload.loads.count]
            let share = max(1, count / workload.loads.count)
            let perSecond = min(50, max(1, load.perSecond * Double(cluster.nodes.count) / 2 / Double(share)))
            let wait = wait(load)
            let client = cluster.addClient()
            let entity = 10_000 + client
            again(entity, in: 0...2 * Int64(1e9 / perSecond), cluster) { cluster in
                let (key, cost, priority) = LoadDriver.draw(load, entity, cluster)
                cluster.clientRequest(
                    client, rule: load.rule, key: load.key(key), cost: cost, wait: wait, priority: priority)
            }
        }
    }

    /// Does something in random intervals, until the driver is stopped.
    private func again(
        _ entity: Int, in interval: ClosedRange<Int64>, _ cluster: SimulatedCluster,
        _ body: @escaping (SimulatedCluster) -> Void
    ) {
        cluster.after(cluster.draws.within(interval, .load, entity)) { [self] cluster in
            guard !hasStopped else { return }
            body(cluster)
            again(entity, in: interval, cluster, body)
        }
    }

    /// How long a request of this load would wait for its turn, in nanoseconds.
    private func wait(_ load: Workload.Load) -> Int64 { workload.rules.first { $0.name == load.rule }?.delay ?? 0 }

    /// Which key is asked for, at what cost, and how urgently.
    private static func draw(
        _ load: Workload.Load, _ entity: Int, _ cluster: SimulatedCluster
    ) -> (Int, Int64, Priority) {
        let key = load.keys == 1 ? 0 : cluster.draws.below(load.keys, .key, entity)
        let cost =
            load.leastCost == load.mostCost
            ? load.leastCost : cluster.draws.within(load.leastCost...load.mostCost, .cost, entity)
        let isCritical = cluster.draws.chance(permille: 10 * (load.criticalPercent ?? 0), .priority, entity)
        return (key, cost, isCritical ? .critical : .normal)
    }

    private func ask(_ load: Workload.Load, _ entity: Int, _ node: Int, _ wait: Int64, _ cluster: SimulatedCluster) {
        let (key, cost, priority) = LoadDriver.draw(load, entity, cluster)
        if key < LoadDriver.mostKnown {
            if known[entity][key]?.isValid(at: node, cluster) != true {
                known[entity][key] = cluster.known(node, rule: load.rule, key: load.key(key))
            }
            if let key = known[entity][key] { cluster.request(node, key, cost: cost, wait: wait, priority: priority) }
        } else {
            cluster.request(
                node, rule: load.rule, key: load.key(key), cost: cost, wait: wait, priority: priority)
        }
    }
}

extension Workload.Load {
    /// The name of its n-th key.
    package func key(_ number: Int) -> String { "\(rule)-\(number)" }
}

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
            let wait = workload.rules.first { $0.name == load.rule }?.delay ?? 0
            for node in cluster.nodes.indices where load.onlyNode == nil || load.onlyNode == node {
                let entity = number * 8 + node
                switch load.pattern {
                case .steady:
                    guard load.perSecond > 0 else { continue }
                    ask(load, entity, node, wait, mean: Int64(1e9 / load.perSecond), cluster)
                case .bursts(let every, let count):
                    burst(load, entity, node, wait, every: every, of: count, cluster)
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
            let wait = workload.rules.first { $0.name == load.rule }?.delay ?? 0
            let client = cluster.addClient()
            askOn(client, load, wait, mean: Int64(1e9 / perSecond), cluster)
        }
    }

    private func askOn(_ client: Int, _ load: Workload.Load, _ wait: Int64, mean: Int64, _ cluster: SimulatedCluster) {
        let entity = 10_000 + client
        cluster.after(cluster.draws.within(0...2 * mean, .load, entity)) { [self] cluster in
            guard !hasStopped else { return }
            let key = load.keys == 1 ? 0 : cluster.draws.below(load.keys, .key, entity)
            let cost = cluster.draws.within(load.leastCost...load.mostCost, .cost, entity)
            cluster.clientRequest(client, rule: load.rule, key: load.key(key), cost: cost, wait: wait)
            askOn(client, load, wait, mean: mean, cluster)
        }
    }

    private func ask(
        _ load: Workload.Load, _ entity: Int, _ node: Int, _ wait: Int64, mean: Int64, _ cluster: SimulatedCluster
    ) {
        cluster.after(cluster.draws.within(0...2 * mean, .load, entity)) { [self] cluster in
            guard !hasStopped else { return }
            once(load, entity, node, wait, cluster)
            ask(load, entity, node, wait, mean: mean, cluster)
        }
    }

    private func burst(
        _ load: Workload.Load, _ entity: Int, _ node: Int, _ wait: Int64, every: Int64, of count: Int,
        _ cluster: SimulatedCluster
    ) {
        cluster.after(cluster.draws.within(every / 2...every * 3 / 2, .load, entity)) { [self] cluster in
            guard !hasStopped else { return }
            for _ in 0..<count { once(load, entity, node, wait, cluster) }
            burst(load, entity, node, wait, every: every, of: count, cluster)
        }
    }

    private func once(_ load: Workload.Load, _ entity: Int, _ node: Int, _ wait: Int64, _ cluster: SimulatedCluster) {
        let key = load.keys == 1 ? 0 : cluster.draws.below(load.keys, .key, entity)
        let cost =
            load.leastCost == load.mostCost
            ? load.leastCost : cluster.draws.within(load.leastCost...load.mostCost, .cost, entity)
        if key < LoadDriver.mostKnown {
            if known[entity][key]?.isValid(at: node, cluster) != true {
                known[entity][key] = cluster.known(node, rule: load.rule, key: load.key(key))
            }
            if let key = known[entity][key] { cluster.request(node, key, cost: cost, wait: wait) }
        } else {
            cluster.request(node, rule: load.rule, key: load.key(key), cost: cost, wait: wait)
        }
    }
}

extension Workload.Load {
    /// The name of its n-th key.
    package func key(_ number: Int) -> String { "\(rule)-\(number)" }
}

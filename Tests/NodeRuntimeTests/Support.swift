import LimiterCore
import Simulator

let millisecond: Int64 = 1_000_000
let second: Int64 = 1_000_000_000

func limit(_ tokens: Int64, per period: Int64 = second, burst: Int64) throws -> Limit {
    try Limit(tokens: tokens, per: period, burst: burst)
}

/// A formed cluster with these rules.
func cluster(
    seed: UInt64, nodes: Int = 3, _ rules: [Rule], adjust: (inout SimulatedCluster.Options) -> Void = { _ in }
) -> SimulatedCluster {
    var options = SimulatedCluster.Options()
    options.nodes = nodes
    options.rules = rules
    adjust(&options)
    let cluster = SimulatedCluster(seed: seed, options: options)
    cluster.form()
    return cluster
}

extension SimulatedCluster {
    /// The node that owns a key.
    func owner(rule: String, key: String) -> Int { owner(of: bucket(living[0], rule: rule, key: key)!.range)! }

    /// A key with this prefix that the node owns, under the rule.
    func key(_ prefix: String, rule: String, ownedBy node: Int) -> String {
        for i in 0..<10_000 where owner(rule: rule, key: "\(prefix)\(i)") == node { return "\(prefix)\(i)" }
        preconditionFailure("node \(node) owns nothing")
    }

    /// Asks and runs until the decision is there, for three seconds at the most.
    func decide(_ i: Int, rule: String, key: String, cost: Int64 = 1, wait: Int64 = 0) -> Decision? {
        keepsDecisions = true
        guard let number = request(i, rule: rule, key: key, cost: cost, wait: wait) else { return nil }
        if decisions[number] == nil { _ = run(atMost: 3 * second) { $0.decisions[number] != nil } }
        return decisions[number]
    }
}

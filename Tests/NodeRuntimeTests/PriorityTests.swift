import Coordination
import LimiterCore
import Simulator
import Testing

/// Weights and priorities through a whole cluster, in virtual time.
@Suite struct PriorityTests {
    private func judged(_ seed: UInt64, _ rule: Rule) -> SimulatedCluster {
        var options = SimulatedCluster.Options()
        options.rules = [rule]
        let cluster = SimulatedCluster(seed: seed, options: options)
        cluster.judge(by: Invariant.all(rho: options.parameters.rho), until: 100 * second)
        cluster.form()
        return cluster
    }

    private func judge(_ cluster: SimulatedCluster) {
        for violation in cluster.verdict() { Issue.record("\(violation.invariant): \(violation.what)") }
        #expect(cluster.problems().isEmpty, "\(cluster.problems())")
    }

    /// Requests at one node in even intervals.
    private func ask(
        _ cluster: SimulatedCluster, _ node: Int, perSecond: Int64, _ priority: Priority, until end: Int64
    ) {
        guard cluster.time < end else { return }
        cluster.request(node, rule: "r", key: "k", priority: priority)
        cluster.after(second / perSecond) { ask($0, node, perSecond: perSecond, priority, until: end) }
    }

    @Test(
        "Normal requests for three times the limit leave the critical ones what they ask for",
        arguments: [1, 2, 3] as [UInt64])
    func criticalOnesPass(seed: UInt64) throws {
        let cluster = judged(
            seed, try Rule(name: "r", limit: limit(300, burst: 100), reserveForCritical: 20))
        let start = cluster.time + second
        let end = start + 8 * second
        for node in 0..<3 {
            ask(cluster, node, perSecond: 300, .normal, until: end)
            ask(cluster, node, perSecond: 20, .critical, until: end)
        }
        cluster.run(until: end + second)
        judge(cluster)
        let ledger = cluster.ledger(rule: "r", key: "k")
        let critical = ledger.granted(.critical, from: start, to: end)
        let normal = ledger.granted(.normal, from: start, to: end)
        #expect(critical >= 8 * 60 * 98 / 100, "\(critical) critical of \(8 * 60)")
        #expect(critical + normal >= 8 * 300 * 96 / 100, "\(critical) critical and \(normal) normal of \(8 * 300)")
        #expect(normal <= 8 * 240 + 40, "\(normal) normal")
    }

    @Test("Critical requests for more than the limit get all of it, and no more")
    func criticalOnesAlone() throws {
        let cluster = judged(4, try Rule(name: "r", limit: limit(200, burst: 100), reserveForCritical: 50))
        let start = cluster.time + second
        let end = start + 6 * second
        for node in 0..<3 {
            ask(cluster, node, perSecond: 200, .normal, until: end)
            ask(cluster, node, perSecond: 100, .critical, until: end)
        }
        cluster.run(until: end + second)
        judge(cluster)
        let ledger = cluster.ledger(rule: "r", key: "k")
        #expect(ledger.granted(.critical, from: start, to: end) >= 6 * 200 * 95 / 100)
        #expect(ledger.granted(.normal, from: start, to: end) <= 6 * 10)
    }

    /// Clients of these weights, all of which want everything; what each is granted a second.
    private func parts(
        _ weights: [UInt32], seed: UInt64, apart: Bool?, ownCallers: Bool = false
    ) throws -> [Double] {
        let cluster = judged(seed, try Rule(name: "r", limit: limit(800, burst: 400)))
        for weight in weights { cluster.addClient(weight: weight) }
        cluster.run(for: second / 2)
        if let apart {
            // Those that have come to the wrong node are started anew until they have not.
            var tries = 0
            while tries < 200 {
                let homes = cluster.clients.map(\.node)
                let areRight = apart ? Set(homes).count == weights.count : Set(homes).count == 1
                if areRight, !homes.contains(nil) { break }
                tries += 1
                cluster.killClient(weights.count - 1)
                cluster.startClient(weights.count - 1)
                if weights.count > 2, tries % 7 == 0 {
                    cluster.killClient(0)
                    cluster.startClient(0)
                }
                cluster.run(for: second / 10)
            }
            try #require(tries < 200)
        }
        let start = cluster.time + 4 * second
        let end = start + 8 * second
        for i in weights.indices { cluster.clientLoad(i, rule: "r", key: "k", perSecond: 800, until: end) }
        if ownCallers { for node in 0..<3 { cluster.load(node, rule: "r", key: "k", perSecond: 800, until: end) } }
        cluster.run(until: end + second)
        judge(cluster)
        let ledger = cluster.ledger(rule: "r", key: "k")
        return weights.indices.map { Double(ledger.granted(node: 3 + $0, from: start, to: end)) / 8 }
    }

    @Test("Clients of weight 1 and 3 on different nodes get 1 : 3", arguments: [1, 2, 3] as [UInt64])
    func apart(seed: UInt64) throws {
        let parts = try parts([1, 3], seed: seed, apart: true)
        #expect(abs(parts[0] - 200) < 20 && abs(parts[1] - 600) < 60, "\(parts)")
    }

    @Test("And so do those on one node", arguments: [1, 2, 3] as [UInt64])
    func together(seed: UInt64) throws {
        let parts = try parts([1, 3], seed: seed, apart: false)
        #expect(abs(parts[0] - 200) < 20 && abs(parts[1] - 600) < 60, "\(parts)")
    }

    @Test("A client's part does not depend on the node it is connected to", arguments: [4, 5, 6] as [UInt64])
    func anywhere(seed: UInt64) throws {
        let parts = try parts([1, 1, 2, 4], seed: seed, apart: nil)
        for (part, expected) in zip(parts, [100.0, 100, 200, 400]) {
            #expect(abs(part - expected) < 0.15 * expected, "\(parts)")
        }
    }
}

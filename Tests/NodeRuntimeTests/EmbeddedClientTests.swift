import Coordination
import LimiterCore
import NodeRuntime
import Simulator
import Testing

/// Embedded clients in virtual time: the library's own value, the promise over nodes and clients together.
@Suite struct EmbeddedClientTests {
    /// A cluster with clients that all know the rules, judged by every invariant.
    private func cluster(
        seed: UInt64, clients: Int, _ rules: [Rule], _ change: (inout SimulatedCluster.Options) -> Void = { _ in }
    ) -> SimulatedCluster {
        var options = SimulatedCluster.Options()
        options.rules = rules
        change(&options)
        let cluster = SimulatedCluster(seed: seed, options: options)
        cluster.judge(by: Invariant.all(rho: options.parameters.rho), until: 100 * second)
        cluster.form()
        for _ in 0..<clients { cluster.addClient() }
        cluster.run(for: second / 5)
        return cluster
    }

    private func judge(_ cluster: SimulatedCluster) {
        for violation in cluster.verdict() { Issue.record("\(violation.invariant): \(violation.what)") }
        #expect(cluster.problems().isEmpty, "\(cluster.problems())")
    }

    struct Kind: CustomTestStringConvertible, Sendable {
        var name: String
        var tokens: Int64
        var period: Int64 = second
        var burst: Int64
        var cost: Int64 = 1
        var clients = 12
        /// Requests a second of each client.
        var perSecond: Double
        var seconds: Int64 = 3

        var testDescription: String { name }
    }

    static let kinds = [
        Kind(name: "100/s, burst 100", tokens: 100, burst: 100, perSecond: 20),
        Kind(name: "1000/s, burst 1000", tokens: 1_000, burst: 1_000, perSecond: 150),
        Kind(name: "10k/s, burst 1000", tokens: 10_000, burst: 1_000, perSecond: 1_200, seconds: 2),
        Kind(name: "1/s, burst 1", tokens: 1, burst: 1, perSecond: 10, seconds: 30),
        Kind(name: "cost as large as the burst", tokens: 10, burst: 10, cost: 10, perSecond: 5, seconds: 20),
        Kind(name: "60/min, burst 30", tokens: 60, period: 60 * second, burst: 30, perSecond: 2, seconds: 40),
        Kind(name: "sixty clients", tokens: 2_000, burst: 500, clients: 60, perSecond: 50, seconds: 2),
    ]

    @Test(arguments: kinds)
    func clientsUseWhatAnIdealBucketWouldAdmit(_ kind: Kind) throws {
        let rule = try Rule(name: "r", limit: limit(kind.tokens, per: kind.period, burst: kind.burst))
        let cluster = cluster(seed: 5, clients: kind.clients, [rule])
        let start = cluster.time
        for i in 0..<kind.clients {
            cluster.clientLoad(
                i, rule: "r", key: "k", perSecond: kind.perSecond, cost: kind.cost,
                until: start + (kind.seconds + 2) * second)
        }
        cluster.run(for: (kind.seconds + 4) * second)
        judge(cluster)
        // Once it is steady: what is held when the load ends is not used, and says nothing.
        let (granted, ideal) = cluster.ledger(rule: "r", key: "k").comparison(
            from: start + 2 * second, to: start + (kind.seconds + 2) * second)

        #expect(Double(granted + kind.cost) >= 0.97 * Double(ideal), "\(granted) of \(ideal)")
        #expect(cluster.clients.allSatisfy { $0.unsettled == 0 })
    }

    /// What an application sees most: far below its limit, it decides nearly everything itself.
    @Test func belowTheLimitClientsDecideAlone() throws {
        let rule = try Rule(name: "r", limit: limit(10_000, burst: 10_000))
        let cluster = cluster(seed: 3, clients: 4, [rule])
        for i in 0..<4 { cluster.clientLoad(i, rule: "r", key: "k", perSecond: 500, until: cluster.time + 4 * second) }
        cluster.run(for: 5 * second)
        judge(cluster)
        for client in cluster.clients {
            let all = client.decidedLocally + client.forwarded
            #expect(
                client.decidedLocally * 10 >= all * 9, "\(client.decidedLocally) of \(all) at client \(client.index)")
            #expect(client.messagesSent * 4 <= all, "\(client.messagesSent) messages for \(all) requests")
        }
    }

    /// Clients die with allowances in hand, come back, stand still; nodes crash, hang and are cut off.
    @Test(arguments: [1, 2, 3, 4] as [UInt64])
    func thePromiseHoldsWhileEverythingComesAndGoes(seed: UInt64) throws {
        let rules = [
            try Rule(name: "fast", limit: limit(1_000, burst: 300)),
            try Rule(name: "slow", limit: limit(20, burst: 40)),
            try Rule(name: "one", limit: limit(2, burst: 1)),
            try Rule(name: "late", limit: limit(100, burst: 20), onLimit: .delay(second)),
        ]
        let cluster = cluster(seed: seed, clients: 10, rules)
        let end = cluster.time + 12 * second
        for i in 0..<10 {
            cluster.clientLoad(i, rule: "fast", key: "a", perSecond: 150, until: end)
            cluster.clientLoad(i, rule: "slow", key: "b", perSecond: 10, until: end)
            cluster.clientLoad(i, rule: "one", key: "c", perSecond: 3, until: end)
            cluster.clientLoad(i, rule: "late", key: "d", perSecond: 12, wait: second, until: end)
        }
        // Some of the load comes by the front doors.
        for node in 0..<3 { cluster.load(node, rule: "fast", key: "a", perSecond: 100, until: end) }
        for step in 0..<60 {
            cluster.run(for: 200_000_000)
            let client = cluster.draws.below(10, .tests)
            switch cluster.draws.below(10, .tests) {
            case 0, 1, 2:
                if cluster.clients[client].process != nil {
                    cluster.killClient(client)
                    cluster.after(100_000_000) { if $0.clients[client].process == nil { $0.startClient(client) } }
                }
            case 3, 4: cluster.pauseClient(client, for: cluster.draws.within(10_000_000...3 * second, .tests))
            case 5 where step % 3 == 0:
                let node = cluster.draws.below(3, .tests)
                if cluster.living.count == 3 { cluster.crash(node, restartingAfter: 400_000_000) }
            case 6:
                cluster.pause(cluster.draws.below(3, .tests), for: cluster.draws.within(10_000_000...second, .tests))
            case 7:
                let node = cluster.draws.below(3, .tests)
                cluster.partition([[node], [0, 1, 2].filter { $0 != node }])
                cluster.after(500_000_000) { $0.heal() }
            default: break
            }
        }
        cluster.heal()
        cluster.run(for: 6 * second)
        judge(cluster)
        #expect(cluster.clients.allSatisfy { $0.unsettled == 0 })
        #expect(cluster.ledger(rule: "fast", key: "a").grants.count > 1_000)
    }

    /// What a client held and let pass is gone: the bucket has refilled, and would be spent twice. Its bracket is its node's, widened.
    @Test(arguments: [1, 2, 3, 4, 5] as [Int64])
    func whatHasExpiredIsNotSpent(tenths: Int64) throws {
        let cluster = cluster(seed: 4, clients: 2, [try Rule(name: "r", limit: limit(1_000, burst: 1_000))])
        for i in 0..<2 { cluster.clientLoad(i, rule: "r", key: "k", perSecond: 200, until: cluster.time + second) }
        cluster.run(for: second + tenths * 40_000_000)
        for _ in 0..<200 {
            cluster.clientRequest(0, rule: "r", key: "k")
            cluster.clientRequest(1, rule: "r", key: "k")
        }
        for _ in 0..<1_000 { cluster.request(0, rule: "r", key: "k") }
        cluster.run(for: 2 * second)
        judge(cluster)
        #expect(cluster.clients.contains { $0.decidedLocally > 100 })
    }

    /// Fail-over: the node that a client talks to dies, and the client goes to another one with its allowances in hand.
    @Test func aClientGoesToAnotherNode() throws {
        let cluster = cluster(seed: 9, clients: 3, [try Rule(name: "r", limit: limit(1_000, burst: 1_000))])
        for i in 0..<3 { cluster.clientLoad(i, rule: "r", key: "k", perSecond: 200, until: cluster.time + 6 * second) }
        cluster.run(for: second)
        let node = cluster.clients[0].node!
        cluster.crash(node)
        cluster.run(for: 2 * second)
        #expect(cluster.clients[0].node != node)
        let from = cluster.time
        cluster.run(for: 4 * second)
        judge(cluster)
        #expect(cluster.ledger(rule: "r", key: "k").granted(node: 3, from: from) > 400)
    }

    /// Rules change while clients hold allowances of the old version: both versions keep their promise, and the new one counts.
    @Test func rulesReachClients() throws {
        let cluster = cluster(seed: 2, clients: 3, [try Rule(name: "r", limit: limit(1_000, burst: 1_000))])
        for i in 0..<3 { cluster.clientLoad(i, rule: "r", key: "k", perSecond: 600, until: cluster.time + 6 * second) }
        cluster.run(for: second)
        cluster.change(0, [.put(try Rule(name: "r", limit: limit(100, burst: 100)))])
        let from = cluster.time
        cluster.run(for: 4 * second)
        let granted = (0..<3).reduce(0) { $0 + cluster.ledger(rule: "r", key: "k").granted(node: 3 + $1, from: from) }
        // At most what refills; what the old bucket's users had spent was carried over.
        #expect((350...520).contains(granted), "\(granted)")
        cluster.run(for: 2 * second)
        judge(cluster)
    }
}

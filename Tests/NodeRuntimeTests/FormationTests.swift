import Coordination
import LimiterCore
import Testing
import Simulator

@Suite struct FormationTests {
    @Test(arguments: [(1, 3), (2, 5), (3, 1), (4, 3)] as [(UInt64, Int)])
    func nodesFormAClusterAndShareTheRanges(seed: UInt64, nodes: Int) {
        var options = SimulatedCluster.Options()
        options.nodes = nodes
        let cluster = SimulatedCluster(seed: seed, options: options)
        #expect(cluster.run(atMost: 1_500 * millisecond) { $0.leader != nil && $0.isServedOnce })
        cluster.run(for: 2 * second)
        #expect(cluster.isServedOnce)
        let counts = cluster.servedCounts
        #expect(counts.max()! - counts.min()! <= 1, "unbalanced: \(counts)")
        #expect(cluster.failures.isEmpty)
    }

    @Test func aLateNodeGetsItsShare() {
        let cluster = cluster(seed: 5, [])
        cluster.crash(2)
        #expect(cluster.run(atMost: 2 * second) { $0.isServedOnce })
        #expect(cluster.servedCounts == [32, 32])
        cluster.start(2)
        #expect(
            cluster.run(atMost: 5 * second) { $0.isServedOnce && $0.servedCounts.min()! >= 20 },
            "\(cluster.servedCounts)")
    }

    /// An idle cluster costs next to nothing: no write at all, and few messages.
    @Test func idleClusterIsQuiet() {
        let cluster = cluster(seed: 6, [])
        cluster.run(for: 2 * second)
        let (messages, syncs) = (cluster.nodes.map(\.messagesSent), cluster.nodes.map(\.syncs))
        cluster.run(for: 60 * second)
        for i in cluster.nodes.indices {
            #expect(cluster.nodes[i].messagesSent - messages[i] <= 60 * 100)
            #expect(cluster.nodes[i].syncs == syncs[i])
        }
    }

    /// The same seed gives the same run, to the last event.
    @Test func aSeedRepeatsItsRun() throws {
        let rule = try Rule(name: "r", limit: limit(100, burst: 100))
        func trace() -> ([Int64], [Int], Int) {
            let cluster = cluster(seed: 7, [rule]) { $0.lossPermille = 50 }
            for i in 0..<3 { cluster.load(i, rule: "r", key: "k", perSecond: 80, until: cluster.time + second) }
            cluster.after(300 * millisecond) { $0.crash(1, restartingAfter: 10 * millisecond) }
            cluster.run(for: 2 * second)
            return (
                cluster.ledger(rule: "r", key: "k").grants.map(\.time), cluster.nodes.map(\.messagesSent),
                cluster.events.count
            )
        }
        #expect(trace() == trace())
    }
}

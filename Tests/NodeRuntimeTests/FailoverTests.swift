import Coordination
import LimiterCore
import NodeRuntime
import Testing
import Simulator

@Suite struct FailoverTests {
    static func rules() throws -> [Rule] {
        [
            try Rule(name: "fast", limit: limit(200, burst: 40)),
            try Rule(name: "slow", limit: limit(20, burst: 100)),
        ]
    }

    /// Load on a key of each kind that the victim owns, and on one that it does not.
    private func watched(_ cluster: SimulatedCluster, victim: Int, seconds: Int64) -> (
        fast: String, slow: String, other: String
    ) {
        let other = (victim + 1) % cluster.nodes.count
        let keys = (
            fast: cluster.key("f", rule: "fast", ownedBy: victim),
            slow: cluster.key("s", rule: "slow", ownedBy: victim),
            other: cluster.key("o", rule: "fast", ownedBy: other)
        )
        for i in cluster.nodes.indices {
            cluster.load(i, rule: "fast", key: keys.fast, perSecond: 100, until: cluster.time + seconds * second)
            cluster.load(i, rule: "slow", key: keys.slow, perSecond: 60, until: cluster.time + seconds * second)
            cluster.load(i, rule: "fast", key: keys.other, perSecond: 100, until: cluster.time + seconds * second)
        }
        return keys
    }

    @Test(arguments: [21, 22, 23] as [UInt64], [false, true])
    func aDeadOwnersKeysAreServedAgain(seed: UInt64, isLeader: Bool) throws {
        let cluster = cluster(seed: seed, try FailoverTests.rules())
        let victim = isLeader ? cluster.leader! : (cluster.leader! + 1) % 3
        let keys = watched(cluster, victim: victim, seconds: 5)
        cluster.run(for: 2 * second + cluster.draws.within(0...second, .tests))
        let crash = cluster.time
        cluster.crash(victim)
        cluster.run(for: 3 * second)
        let fast = cluster.ledger(rule: "fast", key: keys.fast).firstGrant(after: crash + 100 * millisecond)
        let slow = cluster.ledger(rule: "slow", key: keys.slow).firstGrant(after: crash + 100 * millisecond)
        let election = isLeader ? 700 * millisecond : 0
        #expect(fast ?? .max < 1_200 * millisecond + election, "fast after \(fast ?? -1) ns")
        #expect(slow ?? .max < 700 * millisecond + election, "slow after \(slow ?? -1) ns")
        // The others never pause.
        let gap = cluster.ledger(rule: "fast", key: keys.other).longestGap(from: crash - second, to: crash + 2 * second)
        #expect(gap < 150 * millisecond, "another owner's key paused for \(gap) ns")
        #expect(cluster.problems().isEmpty, "\(cluster.problems())")
    }

    /// Cut off from the log but not from the holders, an owner may go on for a while; never too much is admitted together with
    /// its successor.
    @Test(arguments: [31, 32] as [UInt64])
    func zombieOwnerAndItsSuccessorKeepThePromiseTogether(seed: UInt64) throws {
        let cluster = cluster(seed: seed, try FailoverTests.rules()) { $0.parameters.rho = 20_000_000 }
        let victim = (cluster.leader! + 1) % 3
        let keys = watched(cluster, victim: victim, seconds: 8)
        cluster.run(for: 2 * second)
        cluster.nodes[victim].isCutFromLog = true
        cluster.run(for: 4 * second)
        cluster.heal()
        cluster.run(for: 3 * second)
        #expect(cluster.isServedOnce)
        #expect(cluster.ledger(rule: "fast", key: keys.fast).firstGrant(after: cluster.time - 2 * second) != nil)
        #expect(cluster.problems().isEmpty, "\(cluster.problems())")
    }

    @Test func cleanDrainHandsOverExactly() throws {
        let cluster = cluster(seed: 41, try FailoverTests.rules())
        let victim = (cluster.leader! + 1) % 3
        let keys = watched(cluster, victim: victim, seconds: 6)
        cluster.run(for: 2 * second)
        let start = cluster.time
        cluster.act(victim) { runtime, _ in runtime.drain() }
        #expect(cluster.run(atMost: second) { $0.nodes[victim].process!.runtime.hasDrained })
        cluster.run(for: 3 * second)
        #expect(cluster.view(victim).served == 0)
        for (rule, key) in [("fast", keys.fast), ("slow", keys.slow)] {
            let ledger = cluster.ledger(rule: rule, key: key)
            #expect(ledger.utilisation() >= 0.96, "\(rule): \(ledger.comparison())")
            let gap = ledger.longestGap(from: start, to: start + second)
            #expect(gap < 250 * millisecond, "\(rule) paused for \(gap) ns")
            #expect(ledger.unavailable == 0)
        }
        #expect(cluster.problems().isEmpty, "\(cluster.problems())")
    }

    /// Whatever reaches the leader first: what a node gives back when it stops is never given to it again, and no token is lost.
    @Test(arguments: 60...71 as ClosedRange<UInt64>)
    func whatIsDrainedDoesNotComeBack(seed: UInt64) throws {
        let daily = try Rule(name: "daily", limit: limit(100, per: 86_400 * second, burst: 100))
        let cluster = cluster(seed: seed, [daily])
        let victim = (cluster.leader! + Int(seed % 3)) % 3
        let other = (victim + 1) % 3
        let key = cluster.key("k", rule: "daily", ownedBy: victim)
        cluster.load(other, rule: "daily", key: key, perSecond: 5, until: cluster.time + 2 * second)
        cluster.run(for: 4 * second + cluster.draws.within(0...100 * millisecond, .tests))
        #expect((2...20).contains(cluster.ledger(rule: "daily", key: key).comparison().granted))
        cluster.act(victim) { runtime, _ in runtime.drain() }
        var hasDrained = false
        for _ in 0..<400 {
            cluster.run(for: 5 * millisecond)
            let served = cluster.view(victim).served
            #expect(!hasDrained || served == 0, "given back")
            hasDrained = cluster.nodes[victim].process!.runtime.hasDrained
        }
        #expect(hasDrained)
        cluster.load(other, rule: "daily", key: key, perSecond: 100, until: cluster.time + 2 * second)
        cluster.run(for: 4 * second)
        #expect(cluster.ledger(rule: "daily", key: key).comparison().granted == 100)
        #expect(cluster.problems().isEmpty, "\(cluster.problems())")
    }

    @Test func restartOfEverybodyLosesNoRuleAndRefillsNothing() throws {
        let daily = try Rule(name: "daily", limit: limit(300, per: 86_400 * second, burst: 300))
        let cluster = cluster(seed: 42, [daily]) { $0.compactAfterEntries = 30 }
        for i in 0..<3 { cluster.load(i, rule: "daily", key: "k", perSecond: 100, until: cluster.time + 3 * second) }
        cluster.run(for: 3 * second)
        let before = cluster.ledger(rule: "daily", key: "k").comparison().granted
        #expect(before >= 290)
        for i in 0..<3 { cluster.crash(i, restartingAfter: 50 * millisecond) }
        #expect(cluster.run(atMost: 3 * second) { $0.living.count == 3 && $0.isServedOnce })
        let version = cluster.bucket(0, rule: "daily", key: "k")
        #expect(version != nil)
        for i in 0..<3 { cluster.load(i, rule: "daily", key: "k", perSecond: 100, until: cluster.time + 2 * second) }
        cluster.run(for: 4 * second)
        #expect(cluster.ledger(rule: "daily", key: "k").comparison().granted <= 300)
        #expect(cluster.problems().isEmpty, "\(cluster.problems())")
    }

    @Test func theRestOfALostMajorityDeniesAndRecovers() throws {
        let cluster = cluster(seed: 43, try FailoverTests.rules())
        let dead = [1, 2]
        let key = cluster.key("k", rule: "fast", ownedBy: 1)
        for i in dead { cluster.crash(i) }
        cluster.run(for: 3 * second)
        let decision = try #require(cluster.decide(0, rule: "fast", key: key))
        #expect(decision.outcome == .unavailable && decision.cause == .timeout)
        cluster.run(for: second)
        let later = try #require(cluster.decide(0, rule: "fast", key: key))
        #expect(later.outcome == .unavailable && later.cause == .isolated)
        for i in dead { cluster.start(i) }
        #expect(cluster.run(atMost: 2 * second) { $0.isServedOnce })
        cluster.run(for: second)
        #expect(cluster.decide(0, rule: "fast", key: key)?.outcome == .allowed)
        #expect(cluster.problems().isEmpty, "\(cluster.problems())")
    }

    /// A commit that took seconds in an outage is no reason to wait as long before a lost proposal is made again.
    @Test func lostCoversAreProposedAgainSoon() throws {
        let cluster = cluster(seed: 44, try FailoverTests.rules()) {
            $0.syncTime = 110 * millisecond...150 * millisecond
        }
        let victim = (cluster.leader! + 1) % 3
        let key = cluster.key("s", rule: "slow", ownedBy: victim)
        for i in cluster.nodes.indices {
            cluster.load(i, rule: "slow", key: key, perSecond: 40, until: cluster.time + 12 * second)
        }
        cluster.run(for: 12 * second)
        let ledger = cluster.ledger(rule: "slow", key: key)
        // With a log slower than our patience everything is still granted, a little later.
        #expect(ledger.utilisation() >= 0.9, "\(ledger.comparison())")
        #expect(cluster.problems().isEmpty, "\(cluster.problems())")
    }

    /// What a slow, drained key loses by its owner's death is its blackout and one stretch that was reserved ahead, also if the owner
    /// comes back at once, with a clock that knows nothing of the time before.
    @Test(arguments: [51, 52, 53, 54] as [UInt64], [3_600 * second, 20 * millisecond, 300 * millisecond])
    func aDrainedSlowKeyLosesLittle(seed: UInt64, restart: Int64) throws {
        let slow = try Rule(name: "slow", limit: limit(60, per: 60 * second, burst: 30))
        let cluster = cluster(seed: seed, [slow])
        let victim = (cluster.leader! + 1) % 3
        let key = cluster.key("s", rule: "slow", ownedBy: victim)
        for i in cluster.nodes.indices {
            cluster.load(i, rule: "slow", key: key, perSecond: 6, until: cluster.time + 30 * second)
        }
        cluster.run(for: 12 * second + cluster.draws.within(0...second, .tests))
        let crash = cluster.time
        cluster.crash(victim, restartingAfter: restart)
        cluster.run(for: 10 * second)
        let after = cluster.ledger(rule: "slow", key: key).grants.filter { $0.time >= crash }.count
        let gap = cluster.ledger(rule: "slow", key: key).longestGap(from: crash - second, to: crash + 9 * second)
        #expect(after >= 9, "\(after) of 10")
        #expect(gap < 2_000 * millisecond, "\(gap) ns")
        #expect(cluster.problems().isEmpty, "\(cluster.problems())")
    }
}

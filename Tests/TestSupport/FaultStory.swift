import Coordination
package import LimiterCore
import NodeRuntime

/// A random story of faults from one seed: load on several kinds of buckets, several seconds of faults, then healing.
///
/// The promise is judged over the whole of it; half of the seeds also compact their logs all the time, some lose, repeat and
/// delay messages, some have clocks that are far apart.
package struct FaultStory {
    package let cluster: SimulatedCluster
    /// What was done, for people.
    package private(set) var steps: [String] = []
    /// What was wrong, in the end.
    package private(set) var problems: [String] = []
    /// When everything was healed.
    package private(set) var healedAt: Int64 = 0
    private var random: TestRandom
    private let second: Int64 = 1_000_000_000

    /// Rules of the story by name: tokens, period in milliseconds, burst, cost, requests a second at each node.
    private static let kinds: [(name: String, limit: (Int64, Int64, Int64), cost: Int64, perSecond: Double)] = [
        ("fast", (100, 1_000, 100), 1, 120),
        ("hot", (1_000, 1_000, 200), 1, 600),
        ("tiny", (500, 1_000, 2), 1, 300),
        ("slow", (10, 1_000, 50), 1, 30),
        ("one", (1, 1_000, 1), 1, 4),
        ("whole", (20, 1_000, 20), 20, 5),
        ("daily", (1_000, 86_400_000, 1_000), 1, 40),
        ("exact", (100, 1_000, 100), 1, 100),
        ("delayed", (50, 1_000, 10), 1, 40),
    ]

    package static func limit(_ name: String) -> Limit {
        let (tokens, period, burst) = kinds.first { $0.name == name }!.limit
        do { return try Limit(tokens: tokens, per: period * 1_000_000, burst: burst) } catch {
            preconditionFailure("\(error)")
        }
    }

    package init(seed: UInt64, faultSeconds: Int64 = 6) {
        var random = TestRandom(seed ^ 0x5EED)
        var options = SimulatedCluster.Options()
        options.nodes = random.chance(permille: 250) ? 5 : 3
        if random.chance(permille: 400) {
            options.lossPermille = 50
            options.duplicatePermille = 30
            options.latePermille = 20
        }
        if random.chance(permille: 300) { options.parameters.rho = 20_000_000 }
        if random.chance(permille: 500) { options.compactAfterEntries = 40 }
        if random.chance(permille: 200) { options.syncTime = 5_000_000...40_000_000 }
        do {
            options.rules = try FaultStory.kinds.map {
                try Rule(
                    name: $0.name, limit: FaultStory.limit($0.name),
                    onLimit: $0.name == "delayed" ? .delay(300_000_000) : .reject, exact: $0.name == "exact")
            }
        } catch { preconditionFailure("\(error)") }
        cluster = SimulatedCluster(seed: seed, options: options)
        self.random = random
        cluster.form()
        load(until: cluster.time + (faultSeconds + 5) * second)
        cluster.run(for: second)
        let end = cluster.time + faultSeconds * second
        while cluster.time < end {
            fault()
            cluster.run(for: self.random.within(50_000_000...1_500_000_000))
        }
        heal()
        cluster.run(for: 2 * second)
        judgeRecovery()
        cluster.run(for: 4 * second)
        if cluster.unsettled > 0 { problems.append("\(cluster.unsettled) requests were never settled") }
        problems += cluster.problems()
        if !problems.isEmpty { problems.append(steps.joined(separator: "; ")) }
    }

    private func load(until end: Int64) {
        for kind in FaultStory.kinds {
            for i in cluster.nodes.indices {
                cluster.load(
                    i, rule: kind.name, key: "key of \(kind.name)", perSecond: kind.perSecond, cost: kind.cost,
                    wait: kind.name == "delayed" ? 300_000_000 : 0, until: end)
            }
        }
    }

    private mutating func note(_ step: String) { steps.append("\(cluster.time / 1_000_000) ms: \(step)") }

    /// A node worth hurting: the leader, the owner of some key, or any.
    private mutating func victim() -> Int {
        let anybody = random.below(cluster.nodes.count)
        switch random.below(3) {
        case 0: return cluster.leader ?? anybody
        case 1:
            let kind = FaultStory.kinds[random.below(FaultStory.kinds.count)].name
            for i in cluster.living {
                if let bucket = cluster.bucket(i, rule: kind, key: "key of \(kind)") {
                    return cluster.owner(of: bucket.range) ?? anybody
                }
            }
            return anybody
        default: return anybody
        }
    }

    private mutating func fault() {
        let i = victim()
        switch random.below(12) {
        case 0, 1:
            note("node \(i) crashes and restarts")
            cluster.crash(i, restartingAfter: random.within(1_000_000...50_000_000))
        case 2:
            note("node \(i) crashes for long")
            cluster.crash(i, restartingAfter: random.within(500_000_000...3_000_000_000))
        case 3:
            let duration = random.chance(permille: 500) ? 3 * second : random.within(100_000_000...1_500_000_000)
            note("node \(i) pauses for \(duration / 1_000_000) ms")
            cluster.pause(i, for: duration)
        case 4, 5:
            note("node \(i) is cut off from the log")
            cluster.nodes[i].isCutFromLog = true
            cluster.after(random.within(300_000_000...4_000_000_000)) { $0.nodes[i].isCutFromLog = false }
        case 6:
            let others = cluster.nodes.indices.filter { $0 != i }
            note("node \(i) is alone")
            cluster.partition([[i], others])
            cluster.after(random.within(200_000_000...3_000_000_000)) { $0.heal() }
        case 7:
            let split = cluster.nodes.indices.map { _ in random.chance(permille: 500) }
            note("split \(split)")
            cluster.partition([cluster.nodes.indices.filter { split[$0] }, cluster.nodes.indices.filter { !split[$0] }])
            cluster.after(random.within(200_000_000...2_000_000_000)) { $0.heal() }
        case 8:
            let j = (i + 1 + random.below(cluster.nodes.count - 1)) % cluster.nodes.count
            note("nothing passes from node \(i) to \(j)")
            cluster.cut(from: i, to: j)
            cluster.after(random.within(200_000_000...2_000_000_000)) { $0.heal() }
        case 9:
            guard cluster.nodes[i].process != nil, cluster.nodes[i].pausedUntil <= cluster.time else { return }
            note("node \(i) distrusts its clock")
            cluster.act(i) { runtime, _ in runtime.distrustClock() }
        case 10:
            guard cluster.nodes[i].process != nil, cluster.nodes[i].pausedUntil <= cluster.time else { return }
            note("node \(i) drains, stops and comes back")
            cluster.act(i) { runtime, now in runtime.drain(now: now) }
            cluster.after(300_000_000) { $0.crash(i, restartingAfter: 100_000_000) }
        default:
            guard random.chance(permille: 300) else { return }
            note("everybody restarts")
            for j in cluster.nodes.indices where cluster.nodes[j].process != nil {
                cluster.crash(j, restartingAfter: random.within(0...300_000_000))
            }
        }
    }

    private mutating func heal() {
        note("healed")
        cluster.heal()
        cluster.lossPermille = 0
        for i in cluster.nodes.indices {
            cluster.nodes[i].pausedUntil = min(cluster.nodes[i].pausedUntil, cluster.time)
            if cluster.nodes[i].process == nil { cluster.start(i) }
        }
        healedAt = cluster.time
    }

    /// Two seconds after healing, everything is served, and what refills quickly is granted again.
    private mutating func judgeRecovery() {
        // A few ranges may be on the move for balance at any moment.
        if !cluster.run(atMost: 300_000_000, until: { $0.isServedOnce }) {
            problems.append("two seconds after healing: served \(cluster.servedCounts)")
        }
        for name in ["fast", "hot", "tiny", "exact"] {
            let ledger = cluster.ledger(rule: name, key: "key of \(name)")
            if ledger.firstGrant(after: healedAt) == nil {
                problems.append("no grant for '\(name)' in two seconds after healing")
                problems.append(cluster.describe(rule: name, key: "key of \(name)"))
            }
        }
    }
}

import Coordination
import LimiterCore
import NodeRuntime

/// What has to come about once the faults are over: one leader, one owner for each range, every key granted that an ideal bucket would
/// grant, use, and equal parts for equal holders. "Reject everything" fails here.
package struct Liveness {
    /// After this long without faults everything is served.
    package static let recovery: Int64 = 3_000_000_000
    /// Then use and fairness are measured for so long.
    package static let measured: Int64 = 6_000_000_000

    private var problems: [(time: Int64, what: String)] = []

    /// Runs the healed cluster and judges it. `loads` go on by themselves.
    package static func judge(
        _ cluster: SimulatedCluster, _ workload: Workload, isPromised: Bool = true
    ) -> [Invariant.Violation] {
        var liveness = Liveness()
        // What a slow disk still has to do counts as a fault, and so does the rest of a pause.
        let disks = cluster.nodes.map { $0.disk.busyUntil }.max() ?? 0
        let pauses = cluster.living.map { cluster.nodes[$0].pausedUntil }.max() ?? 0
        cluster.run(until: max(cluster.time, min(disks, cluster.time + recovery), pauses))
        let healed = cluster.time
        let recovery = recovery + timeToCatchUp(cluster)
        if !cluster.run(atMost: recovery, until: { $0.leader != nil && $0.isServedOnce }) {
            liveness.problems.append(
                (
                    cluster.time,
                    "\(recovery / 1_000_000) ms after healing: leader \(cluster.leader.map { "\($0 + 1)" } ?? "none"), "
                        + "ranges served \(cluster.servedCounts)"
                ))
        }
        cluster.run(until: healed + recovery)
        let start = cluster.time
        let due = liveness.lag(cluster)
        cluster.run(for: measured)
        liveness.judgeFollowers(cluster, due)
        // Clocks that break their promise may cost any amount of tokens.
        guard isPromised else { return liveness.violations }
        for load in workload.loads where load.isOverDemand { liveness.judge(load, cluster, from: start) }
        for load in workload.loads where load.keys == 1 { liveness.judgeGrants(load, cluster, workload, since: healed) }
        return liveness.violations
    }

    /// How long the node that is furthest behind needs for what it lacks where entries travel one by one, each through its disk: if so many
    /// others are lost that a majority needs it, nothing is committed before it has them.
    private static func timeToCatchUp(_ cluster: SimulatedCluster) -> Int64 {
        guard cluster.options.tinyBatches else { return 0 }
        let last = cluster.living.map { cluster.nodes[$0].process!.runtime.lastIndex }
        guard let most = last.max(), let least = last.min() else { return 0 }
        return Int64(most - least) * (cluster.options.syncTime.upperBound + 2 * cluster.options.delay.upperBound)
    }

    /// What each living node has applied, and what it has to apply.
    private func lag(_ cluster: SimulatedCluster) -> [Int: (applied: UInt64, commit: UInt64)] {
        guard let leader = cluster.leader else { return [:] }
        let commit = cluster.nodes[leader].process!.runtime.commitIndex
        return cluster.living.reduce(into: [:]) {
            $0[$1] = (cluster.nodes[$1].process!.runtime.appliedIndex, commit)
        }
    }

    /// Nobody is left behind: after healing every living node is in its leader's term, and whoever lacked something has got some of it.
    private mutating func judgeFollowers(
        _ cluster: SimulatedCluster, _ due: [Int: (applied: UInt64, commit: UInt64)]
    ) {
        guard let leader = cluster.leader else { return }
        let term = cluster.nodes[leader].process!.runtime.term
        for node in cluster.living {
            let runtime = cluster.nodes[node].process!
            if runtime.runtime.term != term || runtime.runtime.leader == nil {
                problems.append(
                    (
                        cluster.time,
                        "node \(node + 1) does not follow the leader of term \(term): it is in term \(runtime.runtime.term)"
                    ))
            } else if let due = due[node], due.applied < due.commit, runtime.runtime.appliedIndex == due.applied {
                problems.append(
                    (
                        cluster.time,
                        "node \(node + 1) has applied nothing after entry \(due.applied), \(due.commit) is committed"
                    ))
            }
        }
    }

    private var violations: [Invariant.Violation] {
        problems.map { Invariant.Violation(time: $0.time, invariant: "Liveness", what: $0.what) }
    }

    /// The part of the limit that has to be used: 0.95; less by what clocks may be wrong, by waiting for a slow disk or for commands of two
    /// bounds each, and by what is lost where a table is smaller than the keys that are asked for: a holder's allowances, an owner's
    /// buckets, the log's bounds.
    private static func leastUse(_ cluster: SimulatedCluster) -> Double {
        let options = cluster.options
        let clocks = 2 * Double(options.parameters.rho) / 1e9
        let disk = crawls(cluster) ? 0.25 : isSlow(cluster) ? 0.05 : 0
        let commands = options.boundsPerCommand < 100 ? 0.1 : 0
        let isSmall =
            options.tableCapacity < cluster.bucketsAsked
            || min(options.parameters.bucketsPerRange, options.parameters.boundsPerRange) < 100
        return 0.95 - clocks - disk - commands - (isSmall ? 0.15 : 0)
    }

    private static func isSlow(_ cluster: SimulatedCluster) -> Bool { cluster.options.syncTime.upperBound > 5_000_000 }

    /// Entries one by one to a slow disk: who has to write much lags behind, loses its ranges for that, and does not know the others' new
    /// owners as soon as the rest.
    private static func crawls(_ cluster: SimulatedCluster) -> Bool { isSlow(cluster) && cluster.options.tinyBatches }

    /// Use, and equal parts for nodes that ask for equally much.
    private mutating func judge(_ load: Workload.Load, _ cluster: SimulatedCluster, from: Int64) {
        guard let ledger = cluster.knownLedger(rule: load.rule, key: load.key(0)) else {
            problems.append((cluster.time, "nobody could ask for '\(load.rule)'"))
            return
        }
        let used = ledger.comparison(from: from)
        // Demand is random, and with nodes lost for good it may be less than the limit: no more is due than an ideal bucket would have granted.
        let ideal = min(ledger.limit.tokensPerNanoseconds(Liveness.measured), Double(used.ideal))
        let granted = used.granted
        if Double(granted) < Liveness.leastUse(cluster) * ideal - 2 {
            problems.append((cluster.time, "'\(load.rule)' granted \(granted) of \(Int64(ideal)) tokens after healing"))
        }
        // A node asks for its clients, too, and is one holder to the owner. A holder without room for its allowances has to ask for every request; and see above.
        let parameters = cluster.options.parameters
        guard load.onlyNode == nil, cluster.clients.isEmpty, cluster.options.tableCapacity >= cluster.bucketsAsked,
            min(parameters.bucketsPerRange, parameters.boundsPerRange) >= 100, !Liveness.crawls(cluster)
        else { return }
        let parts = cluster.living.map { ledger.granted(node: $0, from: from) }
        let mean = Double(parts.reduce(0, +)) / Double(parts.count)
        if mean >= 100, parts.contains(where: { abs(Double($0) - mean) > 0.1 * mean + 10 }) {
            problems.append((cluster.time, "'\(load.rule)' was divided unequally among equal holders: \(parts)"))
        }
    }

    /// A key whose tokens come back within the time since healing has been granted some.
    private mutating func judgeGrants(
        _ load: Workload.Load, _ cluster: SimulatedCluster, _ workload: Workload, since healed: Int64
    ) {
        guard let terms = workload.rules.first(where: { $0.name == load.rule }), load.perSecond * 9 >= 10,
            let ledger = cluster.knownLedger(rule: load.rule, key: load.key(0))
        else { return }
        // A look-ahead of a fiftieth of the burst may have been lost, and the token itself takes its time.
        let due = ledger.limit.emissionInterval * load.mostCost + ledger.limit.tolerance / 25 + 2_000_000_000
        guard due < Liveness.recovery + Liveness.measured, terms.tokens > 0 else { return }
        if ledger.firstGrant(after: healed) == nil {
            problems.append((cluster.time, "no grant for '\(load.rule)' since healing"))
            problems.append((cluster.time, cluster.describe(rule: load.rule, key: load.key(0))))
        }
    }
}

extension Limit {
    /// How many tokens come back in so many nanoseconds.
    fileprivate func tokensPerNanoseconds(_ ns: Int64) -> Double { Double(ns) / Double(emissionInterval) }
}

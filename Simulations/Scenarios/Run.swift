import Coordination
import LimiterCore
import NodeRuntime

/// One run of a schedule, and what was found.
package struct Run: Sendable {
    package struct Result: Sendable {
        package var schedule: Schedule
        package var violations: [Invariant.Violation]
        package var hash: UInt64
        /// Events of the trace.
        package var events: Int
        package var simulatedNanoseconds: Int64
        package var marks: Marks
        package var trace: Trace
        package var admitted = 0

        package var isFine: Bool { violations.isEmpty }
    }

    /// Runs a schedule to its end. `keepsTrace` keeps every event for telling.
    package static func run(_ schedule: Schedule, keepsTrace: Bool = false) throws -> Result {
        let cluster = try Run.cluster(schedule, keepsTrace: keepsTrace)
        let drift = max(
            schedule.conditions.drift,
            schedule.faults.filter { $0.kind == .drift }.map { abs($0.amount) }.max() ?? 0)
        let jumps = schedule.faults.contains { $0.kind == .step }
        let hasLies = schedule.faults.contains { $0.kind == .lie }
        if hasLies {
            // Whoever cannot trust his disk can promise nothing; but nothing traps, and no queue grows without a limit.
            cluster.invariants = [QueueLimits()]
        } else if !jumps {
            cluster.invariants = Invariant.all(
                rho: schedule.conditions.rho, beyond: max(0, drift - schedule.conditions.rho / 2))
        } else {
            // A clock that jumps unnoticed breaks every promise that is made by clocks; Raft's stand.
            cluster.invariants = Invariant.all(rho: schedule.conditions.rho).filter {
                !["Promise", "AxisContinuity", "SpanDisjointness", "Expiry", "ZombieMargin"].contains($0.name)
            }
        }
        for i in cluster.nodes.indices { for invariant in cluster.invariants { invariant.started(i, cluster) } }
        cluster.form()
        let formed = cluster.time
        let end = formed + schedule.faultTime
        let load = LoadDriver(schedule.workload)
        load.start(cluster)
        load.start(clients: schedule.conditions.clients, cluster)
        look(cluster)
        for (number, fault) in schedule.faults.enumerated() {
            cluster.after(fault.at) { Injector.inject(fault, number, $0, schedule) }
        }
        cluster.run(until: end)
        Injector.heal(cluster, lost: schedule.conditions.lost)
        cluster.trace.note("phase", at: cluster.time, [("what", .text("liveness"))])
        var violations =
            hasLies ? [] : Liveness.judge(cluster, schedule.workload, isPromised: schedule.label == nil)
        load.stop()
        cluster.run(for: 4_000_000_000)
        for invariant in cluster.invariants {
            invariant.ended(cluster)
            violations += invariant.violations
        }
        Run.noteMarks(cluster)
        violations.sort { $0.time < $1.time }
        for violation in violations {
            cluster.trace.note(
                "violation", at: violation.time, [("what", .text("\(violation.invariant): \(violation.what)"))])
        }
        return Result(
            schedule: schedule, violations: violations, hash: cluster.trace.hash, events: cluster.trace.count,
            simulatedNanoseconds: cluster.time, marks: cluster.marks, trace: cluster.trace)
    }

    private static func cluster(_ schedule: Schedule, keepsTrace: Bool) throws -> SimulatedCluster {
        let conditions = schedule.conditions
        var options = SimulatedCluster.Options()
        options.nodes = schedule.nodes
        options.rules = try schedule.workload.rules.map { try $0.rule() }
        options.parameters.rho = conditions.rho
        options.parameters.grace = conditions.grace
        options.parameters.leastSlack = conditions.leastSlack
        options.boundsPerCommand = conditions.boundsPerCommand
        options.parameters.bucketsPerRange = conditions.bucketsPerRange
        options.parameters.boundsPerRange = conditions.boundsPerRange
        options.retainedBytes = conditions.retainedBytes
        options.tinyBatches = conditions.tinyBatches
        options.logsInFiles = conditions.logsInFiles
        options.mostDrift = conditions.drift
        options.lossPermille = conditions.lossPermille
        options.duplicatePermille = conditions.duplicatePermille
        options.latePermille = conditions.latePermille
        options.syncTime = conditions.syncNanoseconds / 5...max(conditions.syncNanoseconds, 1)
        options.tableCapacity = conditions.tableCapacity
        options.compactAfterEntries = conditions.compactAfterEntries
        options.preVote = conditions.preVote
        options.checkQuorum = conditions.checkQuorum
        if conditions.timingPercent != 100 {
            options.timing = NodeConfiguration.Timing(percent: conditions.timingPercent)
        }
        options.keepsTrace = keepsTrace
        return SimulatedCluster(seed: schedule.seed, options: options)
    }

    private static func look(_ cluster: SimulatedCluster) {
        cluster.after(20_000_000) { cluster in
            for invariant in cluster.invariants { invariant.looked(cluster) }
            var union: UInt64 = 0
            for i in cluster.living {
                let served = cluster.nodes[i].process!.vitals.served
                if union & served != 0 { cluster.marks.reach(.zombie) }
                union |= served
            }
            if cluster.living.isEmpty { cluster.marks.reach(.everybodyDown) }
            look(cluster)
        }
    }

    private static func noteMarks(_ cluster: SimulatedCluster) {
        for i in cluster.living {
            let runtime = cluster.nodes[i].process!
            let (owner, holder) = (runtime.runtime.ownerCounters, runtime.runtime.holderCounters)
            cluster.marks.reach(.forgotten, times: Int(owner.forgotten))
            cluster.marks.reach(.repeatedReport, times: Int(owner.repeatedReports))
            cluster.marks.reach(.allowanceLost, times: Int(holder.lostAllowances))
        }
    }
}

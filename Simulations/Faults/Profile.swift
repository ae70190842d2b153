/// Which faults a run may have, and how often.
package enum Profile: String, CaseIterable, Sendable {
    /// None at all.
    case calm
    /// Messages are lost, repeated, late and out of order; links are slow.
    case lossy
    /// Links are cut: one way, one node, two halves; the zombie that is cut off from the log only.
    case split
    /// Crashes at any moment, torn and failed writes, slow disks, snapshots all the time.
    case disk
    /// Clocks at both ends of what is promised, changing; pauses; distrust; the driver's stalls.
    case clock
    /// Elections all the time: short crashes, torn writes, one-way links and storms every few milliseconds, tiny batches, little load.
    case raft
    /// Elections that meet each other at every moment that matters: candidates of one term, votes and answers that are late, leaders that are
    /// cut off at once, and snapshots between.
    case elections
    /// Ranges that change hands at every moment that matters: zombies at both ends of the clocks' rates, processes that distrust their clocks while they
    /// are cut off, hand-overs in many parts, tables too small for their keys, rules that change under load.
    case takeovers
    /// Embedded clients by the hundred, which die and stop at random, and nodes that do.
    case clients
    /// All of these, and handovers, elections and rule changes.
    case all
    /// Clocks beyond what is promised: labelled, with a weaker bound.
    case beyond

    /// Those that a sweep without a profile goes through.
    package static let promised: [Profile] = [
        .calm, .lossy, .split, .disk, .clock, .raft, .elections, .takeovers, .clients, .all,
    ]

    /// Faults with their weights.
    private var kinds: [(Fault.Kind, Int)] {
        switch self {
        case .calm, .elections, .takeovers: []
        case .lossy: [(.storm, 4), (.slowLinks, 3), (.oneWay, 1)]
        case .split: [(.isolate, 4), (.split, 3), (.oneWay, 3), (.cutFromLog, 4), (.campaign, 1)]
        case .disk:
            [
                (.crash, 8), (.failedSync, 2), (.slowDisk, 3), (.crashEverybody, 2), (.fullDisk, 1), (.rot, 1),
                (.misdirect, 1), (.wipe, 1), (.oldDisk, 1),
            ]
        case .raft:
            [
                (.crash, 8), (.failedSync, 2), (.campaign, 8), (.isolate, 4), (.split, 3), (.oneWay, 4), (.storm, 4),
                (.slowDisk, 4), (.slowLinks, 2), (.stall, 2), (.changeRule, 6), (.pause, 2), (.crashEverybody, 1),
            ]
        case .clock:
            [
                (.drift, 4), (.pause, 4), (.suspend, 4), (.distrust, 1), (.stall, 2), (.slowLinks, 2), (.cutFromLog, 2),
                (.crash, 1),
            ]
        case .clients:
            [
                (.clientCrash, 6), (.clientPause, 4), (.crash, 3), (.pause, 1), (.isolate, 1), (.oneWay, 1),
                (.storm, 1),
                (.suspend, 1), (.cutFromLog, 1), (.drain, 1), (.changeRule, 1), (.drift, 1),
            ]
        case .beyond: [(.drift, 4), (.pause, 2), (.step, 1), (.crash, 2), (.lie, 1), (.crashEverybody, 1)]
        case .all:
            [
                (.crash, 6), (.failedSync, 1), (.crashEverybody, 1), (.pause, 3), (.isolate, 2), (.split, 2),
                (.oneWay, 2),
                (.cutFromLog, 4), (.slowLinks, 2), (.storm, 2), (.slowDisk, 2), (.drift, 2), (.distrust, 1),
                (.drain, 2),
                (.campaign, 1), (.changeRule, 2), (.stall, 1), (.fullDisk, 1), (.rot, 1), (.wipe, 1), (.oldDisk, 1),
            ]
        }
    }

    /// The schedule of a seed. Each seed draws a random part of the profile's faults, so that rare ones are not drowned by others (swarm
    /// testing: Groce et al., 2012), a workload, and the cluster's make.
    package func schedule(
        seed: UInt64, nodes: Int? = nil, seconds: Int64 = 6, workload: Workload? = nil
    ) -> Schedule {
        if self == .elections {
            return Elections.schedule(seed: seed, nodes: nodes, seconds: seconds, workload: workload)
        }
        if self == .takeovers {
            return Takeovers.schedule(seed: seed, nodes: nodes, seconds: seconds, workload: workload)
        }
        var draws = Draws(seed: seed ^ 0x5C4E_D01E)
        func chance(_ permille: Int) -> Bool { draws.chance(permille: permille, .schedule) }
        let isWild = self != .calm
        var conditions = Schedule.Conditions()
        if self == .lossy || isWild && chance(300) {
            conditions.lossPermille = draws.below(80, .schedule)
            conditions.duplicatePermille = draws.below(50, .schedule)
            conditions.latePermille = draws.below(50, .schedule)
        }
        if isWild, chance(300) { conditions.rho = 20_000_000 }
        conditions.drift = conditions.rho / 2
        if isWild, chance(500) { conditions.compactAfterEntries = 40 }
        if isWild, chance(self == .raft ? 600 : 250) {
            conditions.syncNanoseconds = draws.within(5_000_000...40_000_000, .schedule)
        }
        if isWild, chance(150) { conditions.tableCapacity = 4 }
        if isWild, chance(250) { conditions.bucketsPerRange = 16 }
        if isWild, chance(250) { conditions.boundsPerRange = 16 }
        if isWild, chance(400) { conditions.retainedBytes = 0 }
        if isWild, chance(250) { conditions.grace = 500_000_000 }
        if isWild, chance(300) || self == .raft && chance(600) { conditions.tinyBatches = true }
        let standing = [Workload.standard, .standard, .standard, .hotKey, .coldKeys, .slowQuotas, .hoarders]
        let workload = workload ?? (self == .raft ? .quiet : nil) ?? standing[draws.below(standing.count, .schedule)]
        let count = nodes ?? (chance(250) ? 5 : 3)
        let faultTime = seconds * 1_000_000_000
        let swarm = kinds.filter { _ in chance(650) }
        var faults: [Fault] = []
        var at: Int64 = draws.within(0...1_000_000_000, .schedule)
        while at < faultTime - 700_000_000, let kind = draws.pick(swarm.isEmpty ? kinds : swarm) {
            faults.append(fault(kind, at: at, nodes: count, loads: workload.loads.count, rho: conditions.rho, &draws))
            let most: Int64 = self == .raft ? 150_000_000 : 1_200_000_000
            at += draws.within(most / 60...most, .schedule)
        }
        let onDisk: [Fault.Kind] = [.rot, .misdirect, .fullDisk, .lie]
        conditions.logsInFiles = faults.contains { onDisk.contains($0.kind) } || isWild && chance(300)
        if self == .clients || self == .all && chance(150) {
            conditions.clients = [4, 20, self == .clients ? 100 : 8][draws.below(3, .schedule)]
        }
        if isWild, chance(200) {
            conditions.lost = Array((0..<count).filter { _ in chance(400) }.prefix((count - 1) / 2))
        }
        return Schedule(
            seed: seed, profile: rawValue, nodes: count, faultTime: faultTime, conditions: conditions,
            workload: workload, faults: faults)
    }

    private func fault(
        _ kind: Fault.Kind, at: Int64, nodes: Int, loads: Int, rho: Int64, _ draws: inout Draws
    ) -> Fault {
        let ms: Int64 = 1_000_000
        let anybody = draws.below(nodes, .schedule)
        let target: Fault.Target =
            switch draws.below(5, .schedule) {
            case 0: .leader
            case 1: .owner(load: draws.below(loads, .schedule))
            case 2 where kind == .crash || kind == .failedSync: .writing
            default: .node(anybody)
            }
        var duration: Int64 = 0
        var amount: Int64 = 0
        switch kind {
        case .crash:
            // At once, soon, or long after everybody has noticed.
            duration =
                [draws.within(ms...50 * ms, .schedule), draws.within(500 * ms...3_000 * ms, .schedule)][
                    draws.below(2, .schedule)]
            amount = draws.within(0...3, .schedule)
        case .failedSync: duration = draws.within(ms...500 * ms, .schedule)
        case .crashEverybody: duration = draws.within(0...400 * ms, .schedule)
        case .pause, .suspend:
            duration =
                [draws.within(50 * ms...1_000 * ms, .schedule), draws.within(1_000 * ms...4_000 * ms, .schedule)][
                    draws.below(2, .schedule)]
        case .isolate, .split, .oneWay:
            duration = draws.within(100 * ms...3_000 * ms, .schedule)
            amount =
                kind == .oneWay ? Int64(draws.below(nodes, .schedule)) : draws.within(1...(1 << nodes) - 2, .schedule)
        case .cutFromLog: duration = draws.within(300 * ms...5_000 * ms, .schedule)
        case .slowLinks:
            duration = draws.within(200 * ms...3_000 * ms, .schedule)
            amount = draws.within(ms...200 * ms, .schedule)
        case .storm:
            duration = draws.within(200 * ms...2_000 * ms, .schedule)
            amount = draws.within(50...500, .schedule)
        case .slowDisk:
            duration = draws.within(200 * ms...3_000 * ms, .schedule)
            amount = draws.within(ms...300 * ms, .schedule)
        case .stall:
            duration = draws.within(100 * ms...2_000 * ms, .schedule)
            amount = draws.within(ms...500 * ms, .schedule)
        case .drift:
            let most = self == .beyond ? 4 * rho : rho / 2
            amount = [most, -most, draws.within(-most...most, .schedule)][draws.below(3, .schedule)]
        case .step: amount = draws.within(-200 * ms...200 * ms, .schedule)
        case .drain: duration = draws.within(10 * ms...300 * ms, .schedule)
        case .changeRule: amount = draws.within(100...3_000, .schedule)
        case .fullDisk: duration = draws.within(50 * ms...2_000 * ms, .schedule)
        case .clientCrash:
            duration = draws.within(ms...2_000 * ms, .schedule)
            amount = draws.within(1...8, .schedule)
        case .clientPause:
            duration = draws.within(10 * ms...4_000 * ms, .schedule)
            amount = draws.within(1...8, .schedule)
        case .wipe, .oldDisk: duration = draws.within(1_000 * ms...2_000 * ms, .schedule)
        case .lag:
            duration = draws.within(200 * ms...2_000 * ms, .schedule)
            amount = draws.within(2 * ms...400 * ms, .schedule)
        case .leap: amount = draws.within(ms...4_000 * ms, .schedule)
        case .distrust, .campaign, .stand, .rot, .misdirect, .lie: break
        }
        // Where elections follow each other, what is broken has to be well again soon, or there are none.
        if self == .raft, duration > 0 { duration = max(ms, duration / 6) }
        return Fault(at: at, kind: kind, target: target, duration: duration, amount: amount)
    }
}

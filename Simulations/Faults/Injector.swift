import Coordination
import LimiterCore
import NodeRuntime

/// Does to a cluster what a schedule says.
enum Injector {
    static func inject(
        _ fault: Fault, _ number: Int, _ cluster: SimulatedCluster, _ schedule: Schedule, waited: Int64 = 0
    ) {
        if fault.target == .writing, waited < 500_000_000,
            !cluster.living.contains(where: { cluster.nodes[$0].disk.isBusy })
        {
            let step: Int64 = 100_000
            cluster.after(step) { inject(fault, number, $0, schedule, waited: waited + step) }
            return
        }
        switch fault.target {
        case .elected: cluster.atNext(.elected) { inject(fault, number, at: $1, $0, schedule) }
        case .voting: cluster.atNext(.voting) { inject(fault, number, at: $1, $0, schedule) }
        case .committing: cluster.atNext(.committing) { inject(fault, number, at: $1, $0, schedule) }
        case .node, .leader, .writing, .owner:
            inject(fault, number, at: target(fault.target, cluster, schedule), cluster, schedule)
        }
    }

    private static func inject(
        _ fault: Fault, _ number: Int, at node: Int, _ cluster: SimulatedCluster, _ schedule: Schedule
    ) {
        cluster.trace.note(
            "fault", at: cluster.time, node: node, [("number", .int(Int64(number))), ("what", .text(fault.text))])
        let process = cluster.nodes[node].process
        let isUp = process != nil && cluster.nodes[node].pausedUntil <= cluster.time
        switch fault.kind {
        case .crash: cluster.crash(node, restartingAfter: fault.duration, parts: Int(fault.amount))
        case .failedSync: cluster.crash(node, restartingAfter: fault.duration, parts: 0)
        case .crashEverybody:
            for i in cluster.nodes.indices where cluster.nodes[i].process != nil {
                cluster.crash(
                    i, restartingAfter: cluster.draws.within(0...max(0, fault.duration), .crash, i),
                    parts: Int(fault.amount))
            }
        case .pause: cluster.pause(node, for: fault.duration)
        case .isolate:
            cut(cluster.nodes.indices.filter { $0 != node }.flatMap { [(node, $0), ($0, node)] }, for: fault, cluster)
        case .split:
            let first = cluster.nodes.indices.filter { fault.amount & 1 << Int64($0) != 0 }
            let second = cluster.nodes.indices.filter { fault.amount & 1 << Int64($0) == 0 }
            cut(first.flatMap { a in second.flatMap { [(a, $0), ($0, a)] } }, for: fault, cluster)
        case .oneWay:
            let other = Int(fault.amount) % cluster.nodes.count
            cut([(node, other)], for: fault, cluster)
        case .cutFromLog:
            cluster.nodes[node].isCutFromLog = true
            cluster.after(fault.duration) { $0.nodes[node].isCutFromLog = false }
        case .slowLinks:
            cluster.nodes[node].extraDelay = fault.amount
            cluster.after(fault.duration) { $0.nodes[node].extraDelay = 0 }
        case .slowDisk:
            cluster.nodes[node].extraSync = fault.amount
            cluster.after(fault.duration) { $0.nodes[node].extraSync = 0 }
        case .stall:
            cluster.nodes[node].stall = fault.amount
            cluster.after(fault.duration) { $0.nodes[node].stall = 0 }
        case .lag:
            cluster.nodes[node].lag = fault.amount
            cluster.after(fault.duration) { $0.nodes[node].lag = 0 }
        case .storm:
            let amount = Int(fault.amount)
            cluster.lossPermille += amount
            cluster.duplicatePermille += amount
            cluster.latePermille += amount
            cluster.after(fault.duration) {
                $0.lossPermille -= amount
                $0.duplicatePermille -= amount
                $0.latePermille -= amount
            }
        case .fullDisk:
            cluster.nodes[node].disk.setFull(true)
            cluster.after(fault.duration) { $0.nodes[node].disk.setFull(false) }
        case .rot, .misdirect:
            // One disk of a cluster: with two, nobody could say what was promised.
            guard cluster.nodes.indices.allSatisfy({ $0 == node || !cluster.nodes[$0].isDamaged }) else { return }
            cluster.nodes[node].isDamaged = true
            if fault.kind == .rot {
                cluster.nodes[node].disk.rot { cluster.draws.below($0, .disk, node) }
            } else {
                cluster.nodes[node].disk.misdirectNextWrite()
            }
        case .wipe, .oldDisk:
            guard process != nil, cluster.nodes.allSatisfy({ !$0.isDamaged }) else { return }
            let copy = fault.kind == .oldDisk ? cluster.nodes[node].disk.image() : nil
            let rest = fault.amount > 0 ? fault.amount : 500_000_000
            cluster.after(fault.kind == .oldDisk ? rest : 0) { cluster in
                guard cluster.nodes[node].process != nil else { return }
                cluster.crash(node)
                replaceDisk(of: node, with: copy, after: fault.duration, cluster)
            }
        case .clientCrash:
            for i in clients(fault, cluster) where cluster.clients[i].process != nil {
                cluster.killClient(i)
                cluster.marks.reach(.clientCrash)
                cluster.after(fault.duration) { if $0.clients[i].process == nil { $0.startClient(i) } }
            }
        case .clientPause:
            for i in clients(fault, cluster) { cluster.pauseClient(i, for: fault.duration) }
        case .lie:
            cluster.nodes[node].disk.lie()
        case .drift:
            cluster.nodes[node].setDrift(fault.amount, at: cluster.time)
        case .step:
            cluster.nodes[node].step(by: fault.amount)
            // Others may take what such a node says for broken, and close the connection: an axis below zero, say.
            cluster.toleratesRefusals = true
        case .suspend:
            guard isUp, let process else { return }
            cluster.pause(node, for: fault.duration)
            // Before anything that has waited for it: the driver looks at its clocks first.
            cluster.after(fault.duration) { cluster in
                // Whatever has started a new process has woken the machine.
                guard cluster.nodes[node].process?.incarnation == process.incarnation else { return }
                cluster.nodes[node].step(by: -fault.duration)
                cluster.nodes[node].pausedUntil = cluster.time
                cluster.act(node) { runtime, _ in runtime.distrustClock() }
            }
        case .leap:
            guard isUp else { return }
            cluster.nodes[node].step(by: fault.amount)
            cluster.act(node) { runtime, _ in runtime.distrustClock() }
        case .distrust:
            if isUp { cluster.act(node) { runtime, _ in runtime.distrustClock() } }
        case .drain:
            guard isUp else { return }
            cluster.act(node) { runtime, _ in runtime.drain() }
            cluster.marks.reach(.handOver)
            cluster.after(300_000_000) { $0.crash(node, restartingAfter: fault.duration) }
        case .campaign:
            if isUp { cluster.act(node) { runtime, _ in runtime.campaign() } }
        case .stand:
            if isUp { cluster.act(node) { runtime, _ in runtime.stand() } }
        case .changeRule:
            changeRule(fault, isUp ? node : nil, cluster, schedule)
        }
    }

    /// Ends every fault but pauses, which end by themselves; the crashed come back. What a later moment of the schedule would end has ended already.
    ///
    /// Nodes that are `lost` die for good: whoever is left is a majority, and all that a cluster needs.
    static func heal(_ cluster: SimulatedCluster, lost: [Int] = []) {
        cluster.heal()
        cluster.lossPermille = 0
        cluster.duplicatePermille = 0
        cluster.latePermille = 0
        let isDamaged = cluster.nodes.contains { $0.isDamaged }
        for i in cluster.nodes.indices {
            cluster.nodes[i].disk.setFull(false)
            // A damaged disk needs all the others to be well.
            if !isDamaged, lost.contains(i) {
                if cluster.nodes[i].process != nil { cluster.crash(i) }
                cluster.nodes[i].isLost = true
            } else if cluster.nodes[i].process == nil, !cluster.nodes[i].refusesToStart {
                cluster.start(i)
            }
        }
        for i in cluster.nodes.indices where cluster.nodes[i].refusesToStart {
            // As operations.md says: once the others are well, with an empty folder.
            _ = cluster.run(atMost: 6_000_000_000) { $0.isWell(without: i) }
            cluster.replaceDisk(i)
            cluster.start(i)
            cluster.run(for: 1_000_000_000)
        }
    }

    /// As an operator does it: once the others are well, and if that takes long, not at all.
    private static func replaceDisk(
        of node: Int, with copy: SimulatedDisk?, after delay: Int64, tries: Int = 20, _ cluster: SimulatedCluster
    ) {
        cluster.after(delay) { cluster in
            guard cluster.nodes[node].process == nil else { return }
            if cluster.isWell(without: node) {
                cluster.replaceDisk(node, with: copy)
                cluster.marks.reach(.diskReplaced)
                cluster.start(node)
            } else if tries > 0 {
                replaceDisk(of: node, with: copy, after: 100_000_000, tries: tries - 1, cluster)
            } else {
                cluster.start(node)
            }
        }
    }

    private static func target(_ target: Fault.Target, _ cluster: SimulatedCluster, _ schedule: Schedule) -> Int {
        switch target {
        case .node(let i): return i % cluster.nodes.count
        case .leader: return cluster.leader ?? 0
        case .voting, .elected, .committing: return cluster.leader ?? 0
        case .writing: return cluster.living.first { cluster.nodes[$0].disk.isBusy } ?? cluster.leader ?? 0
        case .owner(let load):
            let load = schedule.workload.loads[load % schedule.workload.loads.count]
            for i in cluster.living {
                guard let bucket = cluster.bucket(i, rule: load.rule, key: load.key(0)) else { continue }
                return cluster.owner(of: bucket.range) ?? i
            }
            return 0
        }
    }

    /// So many of the clients, by chance.
    private static func clients(_ fault: Fault, _ cluster: SimulatedCluster) -> [Int] {
        guard !cluster.clients.isEmpty else { return [] }
        return (0..<fault.amount).map { _ in cluster.draws.below(cluster.clients.count, .crash, 1_000) }
    }

    private static func cut(_ links: [(Int, Int)], for fault: Fault, _ cluster: SimulatedCluster) {
        for (from, to) in links { cluster.setCut(from: from, to: to, true) }
        cluster.after(fault.duration) { cluster in
            for (from, to) in links { cluster.setCut(from: from, to: to, false) }
        }
    }

    private static func changeRule(_ fault: Fault, _ node: Int?, _ cluster: SimulatedCluster, _ schedule: Schedule) {
        guard let node, let terms = schedule.workload.rules.first else { return }
        let burst = max(1, terms.burst * fault.amount / 1_000)
        guard let rule = try? terms.rule(burst: burst) else { return }
        cluster.marks.reach(.ruleChange)
        cluster.act(node) { runtime, _ in _ = runtime.change(rules: [.put(rule)]) }
    }
}

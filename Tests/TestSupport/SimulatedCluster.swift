package import Coordination
package import LimiterCore
package import NodeRuntime
import Raft

/// A whole cluster of ``NodeRuntime`` values in virtual time: one thread, one seed, every run the same.
///
/// Nodes are numbered from 0; node `i` has the identity `i + 1`. Times are true time in nanoseconds since the start; what a
/// node reads is its own clock, which starts anywhere and drifts.
package final class SimulatedCluster {
    package struct Options: Sendable {
        package var nodes = 3
        package var rules: [Rule] = []
        package var parameters = ClusterParameters()
        package var timing = NodeConfiguration.Timing()
        /// Whether clocks drift, each within half of `rho`.
        package var drifts = true
        /// How long a message takes, one way.
        package var delay: ClosedRange<Int64> = 100_000...400_000
        package var lossPermille = 0
        package var duplicatePermille = 0
        /// Messages that take up to fifty times as long, and so are overtaken.
        package var latePermille = 0
        /// How long a write takes to be durable.
        package var syncTime: ClosedRange<Int64> = 200_000...1_000_000
        package var tableCapacity = 4_096
        package var compactAfterEntries: UInt64 = 50_000

        package init() {}
    }

    enum Event {
        case tick(node: Int, incarnation: UInt64)
        case message(PeerMessage, from: NodeID, to: Int)
        case written(UInt64, node: Int, incarnation: UInt64)
        case saved(Snapshot, node: Int, incarnation: UInt64)
        case action((SimulatedCluster) -> Void)
    }

    private struct Asked {
        var id: BucketID
        var node: Int
        var cost: Int64
        var incarnation: UInt64
    }

    package let options: Options
    package let seed: UInt64
    package private(set) var time: Int64 = 0
    package private(set) var nodes: [SimulatedNode] = []
    package private(set) var ledgers: [BucketID: Ledger] = [:]
    /// What broke a rule of the simulation: a request settled twice, an admission that no owner made, a refused message.
    package private(set) var failures: [String] = []
    package private(set) var decisions: [UInt64: Decision] = [:]
    package private(set) var completions: [UInt64: Completion.Result] = [:]
    package private(set) var events: [(time: Int64, node: Int, event: NodeEvent)] = []
    /// Keep the decision of each request in ``decisions``.
    package var keepsDecisions = false
    package var random: TestRandom
    package var lossPermille: Int
    /// Directed links that carry nothing.
    private var cutLinks: Set<[Int]> = []
    private var heap = EventHeap<Event>()
    private var asked: [UInt64: Asked] = [:]
    private var nextToken: UInt64 = 1
    private var nextIncarnation: UInt64 = 1
    private let genesis: Genesis

    /// A cluster whose nodes all start at time 0. With `options.rules` they are proposed as soon as there is a leader.
    package init(seed: UInt64, options: Options = Options()) {
        self.seed = seed
        self.options = options
        lossPermille = options.lossPermille
        random = TestRandom(seed)
        genesis = Genesis(
            secretHigh: random.next(), secretLow: random.next(), cluster: random.next(), parameters: options.parameters)
        let half = options.drifts ? options.parameters.rho / 2 : 0
        for i in 0..<options.nodes {
            // The ends are the interesting places.
            let drift =
                random.chance(permille: 600)
                ? (random.chance(permille: 500) ? half : -half) : random.within(-half...half)
            nodes.append(SimulatedNode(index: i, clockStart: random.within(0...1_000_000_000_000_000), drift: drift))
        }
        for i in 0..<options.nodes { start(i) }
    }

    // MARK: Running

    package func run(for duration: Int64) { run(until: time + duration) }

    package func run(until end: Int64) {
        while let next = heap.firstTime, next <= end {
            let (at, event) = heap.pop()!
            time = at
            handle(event)
        }
        time = end
    }

    /// Runs until `condition` holds, looking every 10 ms; returns whether it did before `limit` had passed.
    package func run(atMost limit: Int64, until condition: (SimulatedCluster) -> Bool) -> Bool {
        let end = time + limit
        while time < end {
            if condition(self) { return true }
            run(for: 10_000_000)
        }
        return condition(self)
    }

    /// Does something `delay` nanoseconds from now.
    package func after(_ delay: Int64, _ action: @escaping (SimulatedCluster) -> Void) {
        push(.action(action), at: time + delay)
    }

    private func push(_ event: Event, at time: Int64) { heap.push(event, at: time) }

    private func handle(_ event: Event) {
        switch event {
        case .tick(let i, let incarnation):
            guard let process = nodes[i].process, process.incarnation == incarnation else { return }
            guard !isPaused(i, event) else { return }
            // Not all in step.
            push(
                .tick(node: i, incarnation: incarnation),
                at: time + options.timing.tick + random.within(-200_000...200_000))
            act(i) { runtime, now in runtime.tick(now: now) }
        case .message(let message, let from, let i):
            guard nodes[i].process != nil, !isPaused(i, event), !isCut(Int(from.rawValue) - 1, i, message) else {
                return
            }
            act(i) { runtime, now in
                do throws(PeerViolation) { try runtime.receive(message, from: from, now: now) } catch {
                    self.failures.append("node \(i) refused a message of node \(from): \(error)")
                }
            }
        case .written(let number, let i, let incarnation):
            guard let process = nodes[i].process, process.incarnation == incarnation, !isPaused(i, event) else {
                return
            }
            nodes[i].disk.complete(number)
            act(i) { runtime, now in runtime.written(number, now: now) }
        case .saved(let snapshot, let i, let incarnation):
            guard let process = nodes[i].process, process.incarnation == incarnation else { return }
            nodes[i].disk.save(snapshot)
        case .action(let action):
            action(self)
        }
    }

    /// Puts an event of a paused process off.
    private func isPaused(_ i: Int, _ event: Event) -> Bool {
        guard nodes[i].pausedUntil > time else { return false }
        push(event, at: nodes[i].pausedUntil)
        return true
    }

    /// Gives a node an event and carries out what follows from it.
    @discardableResult
    package func act<Result>(
        _ i: Int, _ body: (inout NodeRuntime<TableStore>, ClockTime) -> Result
    ) -> Result {
        let process = nodes[i].process!
        let now = nodes[i].clock(at: time)
        let result = body(&process.runtime, now)
        carryOut(process.runtime.finish(now: now), of: i, process)
        return result
    }

    private func carryOut(_ outputs: Outputs, of i: Int, _ process: SimulatedNode.Process) {
        for write in outputs.writes {
            let done = nodes[i].disk.enqueue(write, at: time, taking: random.within(options.syncTime))
            push(.written(write.number, node: i, incarnation: process.incarnation), at: done)
        }
        if let snapshot = outputs.snapshot {
            push(.saved(snapshot, node: i, incarnation: process.incarnation), at: time + random.within(0...20_000_000))
        }
        for (target, message) in outputs.messages { send(message, from: i, to: Int(target.rawValue) - 1) }
        for admission in outputs.admissions {
            // `at` may lie ahead of the reading it was decided at: then it is due only then.
            let due = nodes[i].trueTime(of: admission.at - nodes[i].clock(at: time))
            ledgers[admission.id]?.spentByOwner(admission.time, at: time + due)
        }
        for settled in outputs.settled { settle(settled, at: i) }
        if let directory = outputs.directory { process.directory = directory }
        for completion in outputs.completions { completions[completion.number] = completion.result }
        for event in outputs.events {
            if case .unreadable(let what) = event { failures.append("node \(i): \(what)") }
            events.append((time, i, event))
        }
    }

    private func send(_ message: PeerMessage, from i: Int, to j: Int) {
        var isCoordination = false
        if case .coordination = message { isCoordination = true }
        nodes[i].countMessage(isCoordination: isCoordination)
        var copies = random.chance(permille: lossPermille) ? 0 : 1
        if random.chance(permille: options.duplicatePermille) { copies += 1 }
        for _ in 0..<copies {
            var delay = random.within(options.delay)
            if random.chance(permille: options.latePermille) { delay *= random.within(1...50) }
            push(.message(message, from: NodeID(UInt32(i + 1)), to: j), at: time + delay)
        }
    }

    private func isCut(_ i: Int, _ j: Int, _ message: PeerMessage) -> Bool {
        if case .raft = message, nodes[i].isCutFromLog || nodes[j].isCutFromLog { return true }
        return cutLinks.contains([i, j])
    }

    // MARK: Requests

    /// One node's view of a bucket; nil before it knows the rule.
    package func bucket(_ i: Int, rule: String, key: String) -> Bucket? {
        let (name, key) = (Array(rule.utf8), Array(key.utf8))
        return nodes[i].process?.directory?.bucket(rule: name.span.bytes, key: key.span.bytes)
    }

    /// A bucket whose limit the caller brings.
    package func bucket(_ i: Int, limit: Limit, key: String) -> Bucket? {
        let key = Array(key.utf8)
        return nodes[i].process?.directory?.bucket(limit: limit, key: key.span.bytes)
    }

    /// A request at a node's front door: decided from its allowances if possible, by the owner if not. Returns its number; nil
    /// if the node is down or does not know the rule.
    @discardableResult
    package func request(_ i: Int, rule: String, key: String, cost: Int64 = 1, wait: Int64 = 0) -> UInt64? {
        guard let bucket = bucket(i, rule: rule, key: key) else { return nil }
        return request(i, bucket, key: key, cost: cost, wait: wait)
    }

    @discardableResult
    package func request(_ i: Int, _ bucket: Bucket, key: String, cost: Int64, wait: Int64 = 0) -> UInt64? {
        guard let process = nodes[i].process else { return nil }
        let token = nextToken
        nextToken += 1
        if nodes[i].pausedUntil > time {
            after(nodes[i].pausedUntil - time) { $0.ask(i, bucket, key: key, cost: cost, wait: wait, token: token) }
        } else {
            ask(i, bucket, key: key, cost: cost, wait: wait, token: token, process)
        }
        return token
    }

    private func ask(_ i: Int, _ bucket: Bucket, key: String, cost: Int64, wait: Int64, token: UInt64) {
        guard let process = nodes[i].process else { return }
        ask(i, bucket, key: key, cost: cost, wait: wait, token: token, process)
    }

    private func ask(
        _ i: Int, _ bucket: Bucket, key: String, cost: Int64, wait: Int64, token: UInt64,
        _ process: SimulatedNode.Process
    ) {
        if ledgers[bucket.id] == nil { ledgers[bucket.id] = Ledger(limit: bucket.limit) }
        ledgers[bucket.id]!.offer(cost: cost, at: time)
        if wait > ledgers[bucket.id]!.longestWait { ledgers[bucket.id]!.longestWait = wait }
        // As DecisionPath.decide does it.
        let now = nodes[i].clock(at: time)
        if let span = bucket.limit.time(of: cost) {
            let scaled = options.parameters.drift.longest(now.ns)
            let verdict = process.store.table.decide(
                bucket.id, time: span, tokens: cost, tolerance: bucket.limit.tolerance, scaled: scaled)
            switch verdict {
            case .allowed(let tat, let axis):
                ledgers[bucket.id]!.spentLocally(cost: cost, node: i, at: time)
                if keepsDecisions {
                    decisions[token] = .settled(allowed: true, limit: bucket.limit, tat: tat, cost: cost, at: axis)
                }
                return
            case .limited(let tat, let axis) where bucket.longestWait == 0:
                ledgers[bucket.id]!.refusedLocally()
                if keepsDecisions {
                    decisions[token] = .settled(allowed: false, limit: bucket.limit, tat: tat, cost: cost, at: axis)
                }
                return
            case .limited, .unknown:
                break
            }
        }
        asked[token] = Asked(id: bucket.id, node: i, cost: cost, incarnation: process.incarnation)
        let pending = PendingRequest(
            bucket: bucket, key: Array(key.utf8), cost: cost, longestWait: min(wait, bucket.longestWait), token: token)
        act(i) { runtime, now in runtime.submit([pending], sink: i, now: now) }
    }

    private func settle(_ settled: Holder.Settled, at i: Int) {
        guard let request = asked.removeValue(forKey: settled.token) else {
            failures.append("request \(settled.token) was settled twice, the second time at node \(i)")
            return
        }
        guard request.node == i, settled.sink == i else {
            failures.append("request \(settled.token) of node \(request.node) was settled at node \(i)")
            return
        }
        if keepsDecisions { decisions[settled.token] = settled.decision }
        ledgers[request.id]!.settled(settled.decision, cost: request.cost, node: i, at: time)
    }

    /// Requests that wait for their decision.
    package var unsettled: Int { asked.count }

    /// Keeps asking at a node, in random intervals of the given mean, until `end`.
    package func load(
        _ i: Int, rule: String, key: String, perSecond: Double, cost: Int64 = 1, wait: Int64 = 0, until end: Int64
    ) {
        let mean = Int64(1e9 / perSecond)
        after(random.within(0...2 * mean)) { cluster in
            guard cluster.time < end else { return }
            cluster.request(i, rule: rule, key: key, cost: cost, wait: wait)
            cluster.load(i, rule: rule, key: key, perSecond: perSecond, cost: cost, wait: wait, until: end)
        }
    }

    /// The ledger of a key under the rule's version that any node knows of.
    package func ledger(rule: String, key: String) -> Ledger {
        for i in nodes.indices {
            if let bucket = bucket(i, rule: rule, key: key), let ledger = ledgers[bucket.id] { return ledger }
        }
        preconditionFailure("nobody asked for \(key) under \(rule)")
    }

    // MARK: Faults

    /// Starts a new process on a machine whose process is dead.
    package func start(_ i: Int) {
        precondition(nodes[i].process == nil, "node \(i) is up")
        let incarnation = nextIncarnation
        nextIncarnation += 1
        var configuration = NodeConfiguration(
            node: NodeID(UInt32(i + 1)),
            voters: nodes.isEmpty ? [] : (0..<options.nodes).map { NodeID(UInt32($0 + 1)) },
            incarnation: incarnation, seed: random.next(), genesis: genesis, timing: options.timing)
        configuration.compactAfterEntries = options.compactAfterEntries
        let store = TableStore(capacity: options.tableCapacity)
        do {
            var runtime = try NodeRuntime(
                configuration, restored: nodes[i].disk.durable, store: store, now: nodes[i].clock(at: time))
            runtime.traceAdmissions()
            nodes[i].process = SimulatedNode.Process(runtime: runtime, store: store, incarnation: incarnation)
        } catch {
            preconditionFailure("node \(i) does not start: \(error)")
        }
        nodes[i].pausedUntil = 0
        push(.tick(node: i, incarnation: incarnation), at: time + random.within(0...options.timing.tick))
        act(i) { _, _ in }
    }

    /// The process dies; what it had not synced is lost, or happens to be on the disk.
    package func crash(_ i: Int) {
        guard let process = nodes[i].process else { return }
        nodes[i].process = nil
        nodes[i].disk.crash(parts: random.below(3))
        // Its callers lost their connections.
        asked = asked.filter { $0.value.incarnation != process.incarnation }
    }

    package func crash(_ i: Int, restartingAfter delay: Int64) {
        crash(i)
        after(delay) { if $0.nodes[i].process == nil { $0.start(i) } }
    }

    /// No event reaches the process for so long, while its clock goes on.
    package func pause(_ i: Int, for duration: Int64) {
        nodes[i].pausedUntil = max(nodes[i].pausedUntil, time + duration)
    }

    /// Messages pass only within each group.
    package func partition(_ groups: [[Int]]) {
        cutLinks = []
        for (k, group) in groups.enumerated() {
            for (l, other) in groups.enumerated() where l != k {
                for i in group { for j in other { cutLinks.insert([i, j]) } }
            }
        }
    }

    /// Cuts one direction of one link.
    package func cut(from i: Int, to j: Int) { cutLinks.insert([i, j]) }

    /// All links carry again, and nobody is cut off from the log.
    package func heal() {
        cutLinks = []
        for node in nodes { node.isCutFromLog = false }
    }

    // MARK: Looking

    package var living: [Int] { nodes.indices.filter { nodes[$0].process != nil } }

    /// The node that leads in the latest term.
    package var leader: Int? {
        living.filter { nodes[$0].process!.runtime.view.raft.role == .leader }
            .max { nodes[$0].process!.runtime.view.raft.term < nodes[$1].process!.runtime.view.raft.term }
    }

    package func view(_ i: Int) -> NodeView { nodes[i].process!.runtime.view }

    /// The process that serves a range and has the latest epoch of it.
    package func owner(of range: RangeID) -> Int? {
        let bit = UInt64(1) << UInt64(range.rawValue)
        let serving = living.filter { view($0).served & bit != 0 }
        return serving.max { view($0).ranges[range.index].epoch < view($1).ranges[range.index].epoch }
    }

    /// How many ranges each living node serves.
    package var servedCounts: [Int] { living.map { view($0).served.nonzeroBitCount } }

    /// Whether each range is served by exactly one process.
    package var isServedOnce: Bool {
        let masks = living.map { view($0).served }
        return masks.reduce(0) { $0 | $1 } == .max && masks.reduce(0) { $0 + $1.nonzeroBitCount } == RangeID.count
    }

    /// Proposes rules at a node and runs until all living nodes that can be reached have them, for at most five seconds.
    @discardableResult
    package func change(_ i: Int, _ changes: [RuleChange]) -> Completion.Result? {
        let number = act(i) { runtime, _ in runtime.change(rules: changes) }
        _ = run(atMost: 5_000_000_000) { $0.completions[number] != nil }
        run(for: 100_000_000)
        return completions[number]
    }

    /// Forms the cluster, with its rules in force and all ranges served; traps if that takes more than ten seconds.
    package func form() {
        precondition(run(atMost: 10_000_000_000) { $0.leader != nil && $0.isServedOnce }, "the cluster does not form")
        if !options.rules.isEmpty {
            let result = change(leader!, options.rules.map { .put($0) })
            guard case .applied = result else {
                preconditionFailure("the rules were not applied: \(String(describing: result))")
            }
        }
    }

    /// What has gone wrong so far, judged by all oracles that hold at any time.
    package func problems() -> [String] {
        var found = failures
        for (id, ledger) in ledgers.sorted(by: { $0.key < $1.key }) {
            let excess = ledger.worstExcess(rho: options.parameters.rho)
            if excess > 0 {
                found.append(
                    "seed \(seed): \(id) (\(ledger.limit.tokens) per \(ledger.limit.period) ns, burst \(ledger.limit.burst)) "
                        + "admitted \(Double(excess) / Double(ledger.limit.emissionInterval)) tokens too many")
            }
            if ledger.heardFromOwners > ledger.spentByOwners {
                found.append("seed \(seed): \(id): callers heard of more admissions than owners made")
            }
        }
        return found
    }
}

extension SimulatedCluster {
    /// How a key stands at each living node, for people.
    package func describe(rule: String, key: String) -> String {
        var lines: [String] = []
        for i in living {
            guard let bucket = bucket(i, rule: rule, key: key) else { continue }
            let now = nodes[i].clock(at: time)
            let view = view(i)
            let owner = view.ranges[bucket.range.index]
            let held = nodes[i].process!.store.table.held(
                bucket.id, scaled: options.parameters.drift.longest(now.ns))
            var line =
                "node \(i): range \(bucket.range) owner \(owner.owner.map { Int($0.rawValue) - 1 } ?? -1) epoch \(owner.epoch) "
            line += "role \(view.raft.role) term \(view.raft.term) applied \(view.raft.appliedIndex) held \(held) ns "
            line += "waiting \(view.waitingAtHolder) at owner \(view.waitingAtOwner)"
            if let known = nodes[i].process!.runtime.inspect(bucket, now: now) { line += " tat is \(known) ns ahead" }
            lines.append(line)
        }
        return lines.joined(separator: "\n")
    }
}

package import Coordination
package import LimiterCore
package import NodeRuntime
import Raft
import WriteAheadLog

/// A whole cluster of ``NodeRuntime`` values in virtual time: one thread, one seed, every run the same.
///
/// Nodes are numbered from 0; node `i` has the identity `i + 1`. Times are true time in nanoseconds since the start; what a
/// node reads is its own clock, which starts anywhere and runs at its own rate.
package final class SimulatedCluster {
    package struct Options: Sendable {
        package var nodes = 3
        package var rules: [Rule] = []
        package var parameters = ClusterParameters()
        package var timing = NodeConfiguration.Timing()
        /// Whether clocks drift, each within half of `rho`.
        package var drifts = true
        /// How far clocks are off at the most, in parts in 10^9; nil: half of `rho`.
        package var mostDrift: Int64?
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
        package var retainedBytes: Int?
        package var tinyBatches = false
        package var boundsPerCommand = 8_192
        /// Raft's two switches.
        package var preVote = true
        package var checkQuorum = true
        /// Whether disks are files, which the production log writes and recovers.
        package var logsInFiles = false
        /// Keep every event, not only their hash.
        package var keepsTrace = false

        package init() {}
    }

    enum Event {
        case tick(node: Int, incarnation: UInt64)
        // An object: events are moved more often than they are looked at.
        case message(Delivery)
        case written(UInt64, node: Int, incarnation: UInt64)
        indirect case saved(Snapshot, node: Int, incarnation: UInt64)
        indirect case release([Outgoing], node: Int, incarnation: UInt64)
        case action((SimulatedCluster) -> Void)
    }

    /// A message on its way.
    final class Delivery {
        let message: PeerMessage
        let from: NodeID
        let to: Int

        init(_ message: PeerMessage, from: NodeID, to: Int) {
            self.message = message
            self.from = from
            self.to = to
        }
    }

    /// A moment that a fault waits for.
    enum Occasion {
        /// A node has been elected.
        case elected
        /// A node's vote for another one is on its way to the disk.
        case voting
        /// A leader commits something.
        case committing
    }

    private struct Asked {
        var ledger: Int
        var key: String
        var node: Int
        var cost: Int64
        var priority: Priority
        var incarnation: UInt64
    }

    /// A key as a node knows it under the rules it has: what is asked for again and again is looked up once.
    package struct KnownKey {
        fileprivate let directory: RuleDirectory
        fileprivate let bucket: Bucket
        fileprivate let ledger: Int
        fileprivate let key: String
        fileprivate let bytes: [UInt8]

        /// Whether the node is up and still has the rules by which this was looked up.
        package func isValid(at i: Int, _ cluster: SimulatedCluster) -> Bool {
            cluster.nodes[i].process?.directory === directory
        }
    }

    // Everything happens on one thread, and nothing calls back while a property is changed: that is checked where it costs nothing, and
    // not for what is touched at every event.
    package let options: Options
    package let seed: UInt64
    @exclusivity(unchecked) package private(set) var time: Int64 = 0
    @exclusivity(unchecked) package private(set) var nodes: [SimulatedNode] = []
    /// The ledgers in the order of the first requests, and where each bucket's is.
    @exclusivity(unchecked) private var books: [Ledger] = []
    @exclusivity(unchecked) private var bookOf: [BucketID: Int] = [:]
    /// What broke a rule of the simulation: a request settled twice, an admission that no owner made, a refused message.
    @exclusivity(unchecked) package internal(set) var failures: [String] = []
    @exclusivity(unchecked) package private(set) var decisions: [UInt64: Decision] = [:]
    package private(set) var completions: [UInt64: Completion.Result] = [:]
    package private(set) var events: [(time: Int64, node: Int, event: NodeEvent)] = []
    /// A clock was set without anybody's knowing, which is outside the promise: a message that is refused is no mistake of ours.
    package var toleratesRefusals = false
    /// Keep the decision of each request in ``decisions``.
    @exclusivity(unchecked) package var keepsDecisions = false
    @exclusivity(unchecked) package var draws: Draws
    @exclusivity(unchecked) package var trace: Trace
    /// Who judges; asked at every event.
    package var invariants: [Invariant] = [] {
        didSet {
            ofActions = invariants.filter(\.wantsActions)
            ofMessages = invariants.filter(\.wantsMessages)
            ofAdmissions = invariants.filter(\.wantsAdmissions)
        }
    }
    @exclusivity(unchecked) private var ofActions: [Invariant] = []
    @exclusivity(unchecked) private(set) var ofMessages: [Invariant] = []
    @exclusivity(unchecked) private(set) var ofAdmissions: [Invariant] = []
    /// Embedded clients, in the order in which they came.
    @exclusivity(unchecked) package internal(set) var clients: [SimulatedClient] = []
    var nextConnection: UInt64 = 1
    @exclusivity(unchecked) package var marks = Marks()
    @exclusivity(unchecked)
    private var awaited: [(occasion: Occasion, until: Int64, action: (SimulatedCluster, Int) -> Void)] = []
    @exclusivity(unchecked) package var lossPermille: Int
    @exclusivity(unchecked) package var duplicatePermille: Int
    @exclusivity(unchecked) package var latePermille: Int
    /// Directed links that carry nothing, and how often each was cut: several faults may cut one.
    @exclusivity(unchecked) private var cutLinks: [Int]
    @exclusivity(unchecked) private var heap = EventHeap<Event>()
    @exclusivity(unchecked) private var asked: [UInt64: Asked] = [:]
    /// Nothing happens any more: the events would never come to an end.
    @exclusivity(unchecked) private var isRunaway = false
    @exclusivity(unchecked) private var nextToken: UInt64 = 1
    @exclusivity(unchecked) private var admissions = 0
    private var nextIncarnation: UInt64 = 1
    private var loads = 0
    private let genesis: Genesis

    /// A cluster whose nodes all start at time 0. With `options.rules` they are proposed as soon as there is a leader.
    package init(seed: UInt64, options: Options = Options()) {
        self.seed = seed
        self.options = options
        lossPermille = options.lossPermille
        duplicatePermille = options.duplicatePermille
        latePermille = options.latePermille
        cutLinks = Array(repeating: 0, count: options.nodes * options.nodes)
        draws = Draws(seed: seed)
        trace = Trace(keeps: options.keepsTrace)
        genesis = Genesis(
            secretHigh: draws.next(.secrets), secretLow: draws.next(.secrets), cluster: draws.next(.secrets),
            parameters: options.parameters)
        let most = options.drifts ? options.mostDrift ?? options.parameters.rho / 2 : 0
        for i in 0..<options.nodes {
            // The ends are the interesting places.
            let isAtEnd = draws.chance(permille: 600, .clock, i)
            let isFast = draws.chance(permille: 500, .clock, i)
            let drift = isAtEnd ? (isFast ? most : -most) : draws.within(-most...most, .clock, i)
            let clock = SimulatedClock(start: draws.within(0...1_000_000_000_000_000, .clock, i), drift: drift)
            nodes.append(SimulatedNode(index: i, clock: clock, disk: SimulatedDisk(inFiles: options.logsInFiles)))
        }
        for i in 0..<options.nodes { start(i) }
    }

    /// The most events under way at a time; some hundreds are the rule.
    package static let mostEvents = 200_000

    // MARK: Running

    package func run(for duration: Int64) { run(until: time + duration) }

    package func run(until end: Int64) {
        while !isRunaway, let next = heap.firstTime, next <= end {
            time = next
            handle(heap.pop())
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

    /// Does something at the next `occasion`, right after the event that it is, with the node it happens to; nothing if there is none for
    /// half a second.
    func atNext(_ occasion: Occasion, _ action: @escaping (SimulatedCluster, Int) -> Void) {
        awaited.removeAll { $0.until < time }
        awaited.append((occasion, time + 500_000_000, action))
    }

    private func happened(_ occasion: Occasion, to node: Int) {
        guard let at = awaited.firstIndex(where: { $0.occasion == occasion && $0.until >= time }) else { return }
        let action = awaited.remove(at: at).action
        after(0) { action($0, node) }
    }

    private func push(_ event: Event, at time: Int64) {
        heap.push(event, at: time)
        if heap.count > SimulatedCluster.mostEvents, !isRunaway {
            isRunaway = true
            failures.append("\(heap.count) events are under way: each message is answered by more than one, for ever")
        }
    }

    private func handle(_ event: Event) {
        switch event {
        case .tick(let i, let incarnation):
            guard let process = nodes[i].process, process.incarnation == incarnation else { return }
            guard !isPaused(i, event) else { return }
            // Not all in step.
            push(
                .tick(node: i, incarnation: incarnation),
                at: time + options.timing.tick + draws.within(-200_000...200_000, .tick, i))
            act(i) { runtime, now in runtime.tick(now: now) }
        case .message(let delivery):
            let (message, from, i) = (delivery.message, delivery.from, delivery.to)
            guard nodes[i].process != nil, !isPaused(i, event), !isCut(Int(from.rawValue) - 1, i, message) else {
                return
            }
            act(i) { runtime, now in
                do throws(PeerViolation) { try runtime.receive(message, from: from, now: now) } catch {
                    if self.toleratesRefusals { return }
                    self.failures.append("node \(i + 1) refused a message of node \(from): \(error)")
                }
            }
            if case .coordination(.answer(let answer)) = message {
                for invariant in ofMessages { invariant.heard(answer, by: i, self) }
            }
        case .written(let number, let i, let incarnation):
            guard let process = nodes[i].process, process.incarnation == incarnation, !isPaused(i, event) else {
                return
            }
            guard nodes[i].disk.complete(number) else { return diskRefused(i) }
            act(i) { runtime, now in runtime.written(number, now: now) }
        case .saved(let snapshot, let i, let incarnation):
            guard let process = nodes[i].process, process.incarnation == incarnation else { return }
            guard nodes[i].disk.save(snapshot) else { return diskRefused(i) }
        case .release(let messages, let i, let incarnation):
            guard let process = nodes[i].process, process.incarnation == incarnation, !isPaused(i, event) else {
                return
            }
            for next in messages { send(next.message, from: i, to: Int(next.to.rawValue) - 1) }
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
        precondition(!process.isCarryingOut, "an event of node \(i + 1) within another one of its events")
        process.isCarryingOut = true
        process.runtime.finish(now: now, into: &process.outputs)
        carryOut(of: i, process)
        process.isCarryingOut = false
        let vitals = process.runtime.vitals
        if vitals != process.vitals {
            if !awaited.isEmpty, vitals.role == .leader, vitals.commitIndex > process.vitals.commitIndex {
                happened(.committing, to: i)
            }
            process.vitals = vitals
            for invariant in ofActions { invariant.acted(i, self) }
        }
        return result
    }

    /// Carries out what the process's last event led to.
    private func carryOut(of i: Int, _ process: SimulatedNode.Process) {
        for write in process.outputs.writes {
            let duration = draws.within(options.syncTime, .sync, i) + nodes[i].extraSync
            if !awaited.isEmpty, let state = write.hardState, let vote = state.vote, vote.rawValue != UInt32(i + 1),
                state.term > nodes[i].disk.durable.hardState.term || nodes[i].disk.durable.hardState.vote == nil
            {
                happened(.voting, to: i)
            }
            let done = nodes[i].disk.enqueue(write, at: time, taking: duration)
            push(.written(write.number, node: i, incarnation: process.incarnation), at: done)
        }
        if let snapshot = process.outputs.snapshot {
            push(
                .saved(snapshot, node: i, incarnation: process.incarnation),
                at: time + draws.within(0...20_000_000, .snapshot, i))
        }
        for loan in process.outputs.loans {
            for invariant in ofAdmissions { invariant.ownerLent(loan, by: i, self) }
        }
        let isStalled = nodes[i].stall > 0
        if isStalled, !process.outputs.messages.isEmpty {
            push(
                .release(process.outputs.messages, node: i, incarnation: process.incarnation), at: time + nodes[i].stall
            )
        }
        for next in process.outputs.messages {
            let (target, message) = (Int(next.to.rawValue) - 1, next.message)
            if !isStalled { send(message, from: i, to: target) }
            for invariant in ofMessages { invariant.said(message, by: i, to: target, self) }
        }
        for admission in process.outputs.admissions {
            // `at` may lie ahead of the reading it was decided at: then it is due only then.
            let due = nodes[i].trueTime(of: admission.at - nodes[i].clock(at: time))
            if let book = bookOf[admission.id] {
                books[book].spentByOwner(admission.time, at: time + due, number: nextAdmission())
            }
            trace.fold(UInt64(bitPattern: admission.time))
            for invariant in ofAdmissions { invariant.ownerAdmitted(admission, at: time + due, by: i, self) }
        }
        carryOutForClients(of: i, process)
        for settled in process.outputs.settled { settle(settled, at: i) }
        if let directory = process.outputs.directory { process.directory = directory }
        for completion in process.outputs.completions {
            completions[completion.number] = completion.result
            if case .applied(let index) = completion.result, process.runtime.commitIndex < index {
                failures.append("node \(i + 1) said that change \(index) is applied, which is not committed")
            }
        }
        for event in process.outputs.events {
            if case .unreadable(let what) = event { failures.append("node \(i + 1): \(what)") }
            events.append((time, i, event))
            note(event, of: i)
        }
    }

    private func send(_ message: PeerMessage, from i: Int, to j: Int) {
        var isCoordination = false
        if case .coordination = message { isCoordination = true }
        nodes[i].countMessage(isCoordination: isCoordination)
        let link = i * nodes.count + j
        var copies = draws.chance(permille: lossPermille, .loss, link) ? 0 : 1
        if draws.chance(permille: duplicatePermille, .duplication, link) { copies += 1 }
        for _ in 0..<copies {
            var delay = draws.within(options.delay, .delay, link)
            if draws.chance(permille: latePermille, .lateness, link) { delay *= draws.within(1...50, .lateness, link) }
            delay += nodes[i].extraDelay + nodes[j].extraDelay
            if nodes[i].lag > 0, draws.chance(permille: 300, .lateness, 1_000 + link) { delay += nodes[i].lag }
            push(.message(Delivery(message, from: NodeID(UInt32(i + 1)), to: j)), at: time + delay)
        }
    }

    private func isCut(_ i: Int, _ j: Int, _ message: PeerMessage) -> Bool {
        if case .raft = message, nodes[i].isCutFromLog || nodes[j].isCutFromLog { return true }
        return cutLinks[i * nodes.count + j] > 0
    }

    private func note(_ event: NodeEvent, of i: Int) {
        switch event {
        case .roleChanged(let role, let term):
            if role == .leader {
                marks.reach(.election)
                if !awaited.isEmpty { happened(.elected, to: i) }
                trace.note("leader", at: time, node: i, [("term", .int(Int64(term)))])
            } else {
                trace.note("role", at: time, node: i, [("role", .text("\(role)")), ("term", .int(Int64(term)))])
            }
        case .tookOver(let ranges):
            marks.reach(.takeover)
            trace.note("takeover", at: time, node: i, [("ranges", .int(Int64(ranges.count)))])
        case .lost(let ranges):
            trace.note("lost", at: time, node: i, [("ranges", .int(Int64(ranges.count)))])
        case .adoptedSnapshot(let index):
            marks.reach(.snapshotAdopted)
            trace.note("snapshot", at: time, node: i, [("index", .int(Int64(index)))])
        case .compacted(let index, _):
            marks.reach(.compaction)
            trace.note("compacted", at: time, node: i, [("index", .int(Int64(index)))])
        case .rulesChanged(let count, let index):
            trace.note("rules", at: time, node: i, [("count", .int(Int64(count))), ("index", .int(Int64(index)))])
        case .leaderChanged, .formed, .assigning, .unreadable:
            break
        }
    }

    // MARK: Requests

    /// Numbers what is admitted, in the order of the decisions.
    func nextAdmission() -> Int {
        admissions += 1
        return admissions
    }

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
    package func request(
        _ i: Int, rule: String, key: String, cost: Int64 = 1, wait: Int64 = 0, priority: Priority = .normal
    ) -> UInt64? {
        guard let known = known(i, rule: rule, key: key) else { return nil }
        return request(i, known, cost: cost, wait: wait, priority: priority)
    }

    @discardableResult
    package func request(_ i: Int, _ bucket: Bucket, key: String, cost: Int64, wait: Int64 = 0) -> UInt64? {
        guard let directory = nodes[i].process?.directory else { return nil }
        return request(i, known(bucket, key, directory), cost: cost, wait: wait)
    }

    @discardableResult
    package func request(
        _ i: Int, _ known: KnownKey, cost: Int64, wait: Int64 = 0, priority: Priority = .normal
    ) -> UInt64? {
        guard let process = nodes[i].process else { return nil }
        let token = nextToken
        nextToken += 1
        if nodes[i].pausedUntil > time {
            after(nodes[i].pausedUntil - time) { cluster in
                guard let process = cluster.nodes[i].process else { return }
                cluster.ask(i, known, cost: cost, wait: wait, priority: priority, token: token, process)
            }
        } else {
            ask(i, known, cost: cost, wait: wait, priority: priority, token: token, process)
        }
        return token
    }

    /// Looks a key up under the rules that a node has.
    package func known(_ i: Int, rule: String, key: String) -> KnownKey? {
        guard let directory = nodes[i].process?.directory, let bucket = bucket(i, rule: rule, key: key) else {
            return nil
        }
        return known(bucket, key, directory)
    }

    private func known(_ bucket: Bucket, _ key: String, _ directory: RuleDirectory) -> KnownKey {
        let book = book(of: bucket)
        if books[book].key == nil {
            books[book].key = key
            books[book].predecessors = directory.predecessors(of: bucket, key: Array(key.utf8)).map(\.id)
        }
        return KnownKey(directory: directory, bucket: bucket, ledger: book, key: key, bytes: Array(key.utf8))
    }

    /// Where a bucket's ledger stands; it is begun if there is none.
    private func book(of bucket: Bucket) -> Int {
        if let found = bookOf[bucket.id] { return found }
        books.append(Ledger(limit: bucket.wholeLimit, range: bucket.range))
        bookOf[bucket.id] = books.count - 1
        return books.count - 1
    }

    /// The range of a bucket that was asked for.
    func range(of id: BucketID) -> RangeID? { bookOf[id].flatMap { books[$0].range } }

    /// Writes into a bucket's ledger, which is begun if there is none.
    func note(_ bucket: Bucket, _ body: (inout Ledger) -> Void) { body(&books[book(of: bucket)]) }

    /// Writes into a bucket's ledger, if there is one; returns its limit.
    func noteKnown(_ id: BucketID, _ body: (inout Ledger) -> Void) -> Limit? {
        guard let book = bookOf[id] else { return nil }
        body(&books[book])
        return books[book].limit
    }

    private func ask(
        _ i: Int, _ known: KnownKey, cost: Int64, wait: Int64, priority: Priority, token: UInt64,
        _ process: SimulatedNode.Process
    ) {
        let bucket = known.bucket.with(priority)
        books[known.ledger].offer(cost: cost, wait: wait, at: time)
        // As DecisionPath.decide does it.
        let now = nodes[i].clock(at: time)
        if let span = bucket.limit.time(of: cost) {
            let scaled = options.parameters.drift.longest(now.ns)
            let verdict = process.store.table.decide(
                bucket.id, time: span, tokens: cost, tolerance: bucket.limit.tolerance, scaled: scaled)
            switch verdict {
            case .allowed(let tat, let axis):
                books[known.ledger].spentLocally(
                    cost: cost, priority: priority, node: i, at: time, number: nextAdmission())
                for invariant in ofAdmissions { invariant.holderAdmitted(bucket, span, by: i, self) }
                trace.note("admit", at: time, node: i, [("key", .text(known.key)), ("cost", .int(cost))])
                if keepsDecisions {
                    decisions[token] = .settled(allowed: true, limit: bucket.limit, tat: tat, cost: cost, at: axis)
                }
                return
            case .limited(let tat, let axis) where bucket.longestWait == 0:
                books[known.ledger].refusedLocally()
                trace.fold(token)
                if keepsDecisions {
                    decisions[token] = .settled(allowed: false, limit: bucket.limit, tat: tat, cost: cost, at: axis)
                }
                return
            case .limited, .unknown:
                break
            }
        }
        asked[token] = Asked(
            ledger: known.ledger, key: known.key, node: i, cost: cost, priority: priority,
            incarnation: process.incarnation)
        let pending = PendingRequest(
            bucket: bucket, key: known.bytes, cost: cost, longestWait: min(wait, bucket.longestWait), token: token)
        act(i) { runtime, now in runtime.submit([pending], sink: i, now: now) }
    }

    private func settle(_ settled: Holder.Settled, at i: Int) {
        guard let request = asked.removeValue(forKey: settled.token) else {
            failures.append("request \(settled.token) was settled twice, the second time at node \(i + 1)")
            return
        }
        guard request.node == i, settled.sink == i else {
            failures.append("request \(settled.token) of node \(request.node + 1) was settled at node \(i + 1)")
            return
        }
        if keepsDecisions { decisions[settled.token] = settled.decision }
        books[request.ledger].settled(
            settled.decision, cost: request.cost, priority: request.priority, node: i, at: time)
        let key = ("key", Trace.Value.text(request.key))
        switch settled.decision.outcome {
        case .allowed:
            if settled.decision.isIsolated { marks.reach(.isolation) }
            if settled.decision.dueIn > 0 { marks.reach(.delayed) }
            trace.note("admit", at: time, node: i, [key, ("cost", .int(request.cost))])
        case .limited: trace.note("refuse", at: time, node: i, [key])
        case .unavailable:
            marks.reach(.denied)
            trace.note("unavailable", at: time, node: i, [key])
        }
    }

    /// What happened to each bucket that was asked for, by its identity.
    package var ledgers: [(id: BucketID, ledger: Ledger)] {
        bookOf.sorted { $0.key < $1.key }.map { ($0.key, books[$0.value]) }
    }

    /// How many buckets have been asked for.
    package var bucketsAsked: Int { books.count }

    /// Requests that wait for their decision.
    package var unsettled: Int { asked.count }

    /// Keeps asking at a node, in random intervals of the given mean, until `end`.
    package func load(
        _ i: Int, rule: String, key: String, perSecond: Double, cost: Int64 = 1, wait: Int64 = 0, until end: Int64
    ) {
        loads += 1
        askOn(i, rule: rule, key: key, mean: Int64(1e9 / perSecond), cost: cost, wait: wait, load: loads, until: end)
    }

    private func askOn(
        _ i: Int, rule: String, key: String, mean: Int64, cost: Int64, wait: Int64, load: Int, until end: Int64
    ) {
        after(draws.within(0...2 * mean, .load, load)) { cluster in
            guard cluster.time < end else { return }
            cluster.request(i, rule: rule, key: key, cost: cost, wait: wait)
            cluster.askOn(i, rule: rule, key: key, mean: mean, cost: cost, wait: wait, load: load, until: end)
        }
    }

    /// The ledger of a key under the rule's version that any node knows of.
    package func ledger(rule: String, key: String) -> Ledger {
        guard let ledger = knownLedger(rule: rule, key: key) else {
            preconditionFailure("nobody asked for \(key) under \(rule)")
        }
        return ledger
    }

    package func knownLedger(rule: String, key: String) -> Ledger? {
        for i in nodes.indices {
            if let bucket = bucket(i, rule: rule, key: key), let book = bookOf[bucket.id] { return books[book] }
        }
        return nil
    }

    // MARK: Faults

    /// Starts a new process on a machine whose process is dead.
    package func start(_ i: Int) {
        precondition(nodes[i].process == nil, "node \(i + 1) is up")
        let restored: PersistedState
        do {
            restored = try nodes[i].disk.open(node: i, folder: draws.next(.process, i))
        } catch {
            return refusesToStart(i, error)
        }
        let incarnation = nextIncarnation
        nextIncarnation += 1
        var configuration = NodeConfiguration(
            node: NodeID(UInt32(i + 1)), voters: (0..<options.nodes).map { NodeID(UInt32($0 + 1)) },
            incarnation: incarnation, seed: draws.next(.process, i), genesis: genesis, timing: options.timing)
        configuration.compactAfterEntries = options.compactAfterEntries
        if let bytes = options.retainedBytes { configuration.raft.maxRetainedBytes = bytes }
        configuration.raft.preVote = options.preVote
        configuration.raft.checkQuorum = options.checkQuorum
        if options.tinyBatches {
            configuration.raft.maxBytesPerAppend = 1
            configuration.raft.maxInflightAppends = 2
            configuration.raft.maxSnapshotChunk = 700
            configuration.raft.maxCommittedPerReady = 2
        }
        let store = TableStore(capacity: options.tableCapacity)
        do {
            var runtime = try NodeRuntime(
                configuration, restored: restored, store: store, now: nodes[i].clock(at: time))
            runtime.traceAdmissions()
            runtime.limitCommands(toBounds: options.boundsPerCommand)
            nodes[i].process = SimulatedNode.Process(runtime: runtime, store: store, incarnation: incarnation)
        } catch {
            preconditionFailure("node \(i + 1) does not start: \(error)")
        }
        nodes[i].pausedUntil = 0
        nodes[i].starts += 1
        trace.note("start", at: time, node: i, [("incarnation", .int(Int64(nodes[i].starts)))])
        for invariant in invariants { invariant.started(i, self) }
        push(.tick(node: i, incarnation: incarnation), at: time + draws.within(0...options.timing.tick, .tick, i))
        act(i) { _, _ in }
        // What its disk held is new to the judges, whether or not the first event changed anything.
        for invariant in ofActions { invariant.acted(i, self) }
    }

    /// A write failed: the process ends, and is started again and again until the disk is well.
    private func diskRefused(_ i: Int) {
        trace.note("refused", at: time, node: i, [("what", .text("the disk refuses to write"))])
        marks.reach(.diskRefused)
        crash(i, restartingAfter: 100_000_000, parts: 0)
    }

    /// The log on the disk cannot be opened: what a process ends with 74 or 79 for.
    private func refusesToStart(_ i: Int, _ error: WALError) {
        trace.note("refused", at: time, node: i, [("what", .text("does not start"))])
        switch error {
        case .corrupted(let damage):
            marks.reach(.damageFound)
            nodes[i].refusesToStart = true
            if !nodes[i].isDamaged {
                failures.append("node \(i + 1) refuses a disk that nothing was done to: \(damage)")
            }
        case .disk:
            after(100_000_000) { if $0.nodes[i].process == nil { $0.start(i) } }
        case .identity, .entryTooLarge, .queueFull:
            failures.append("node \(i + 1) does not start: \(error)")
        }
    }

    /// Another disk is put into a machine whose process is dead: an empty one, or an older copy.
    package func replaceDisk(_ i: Int, with copy: SimulatedDisk? = nil) {
        precondition(nodes[i].process == nil, "node \(i + 1) is up")
        if let copy { nodes[i].disk = copy } else { nodes[i].disk.wipe() }
        nodes[i].refusesToStart = false
        nodes[i].isDamaged = false
        for invariant in invariants { invariant.replacedDisk(i, self) }
        trace.note("disk", at: time, node: i, [("what", .text(copy == nil ? "an empty disk" : "an older copy"))])
    }

    /// Whether all is well but for one node: the others are up, meet each other, and have all that any of them has on their disks.
    /// Only then may an operator replace a disk (operations.md).
    package func isWell(without i: Int) -> Bool {
        guard let leader, leader != i, cutLinks.allSatisfy({ $0 == 0 }) else { return false }
        let (term, last) = (nodes[leader].process!.vitals.term, nodes[leader].process!.vitals.lastIndex)
        return nodes.indices.allSatisfy { other in
            guard other != i else { return true }
            guard let process = nodes[other].process, nodes[other].pausedUntil <= time, !nodes[other].isCutFromLog
            else {
                return false
            }
            let disk = nodes[other].disk.durable
            return process.vitals.term == term && process.vitals.lastIndex == last
                && (disk.entries.last?.index ?? disk.snapshot?.index ?? 0) == last
        }
    }

    /// The process dies; the first `parts` parts of what it had not synced happen to be on the disk. With 3, only the process dies, and
    /// all that it had begun to write is there.
    package func crash(_ i: Int, parts: Int? = nil) {
        guard let process = nodes[i].process else { return }
        if process.runtime.coversInFlight > 0 { marks.reach(.crashWithCoversInFlight) }
        if process.runtime.waitingAtOwner > 0 { marks.reach(.crashWithWaitersAtOwner) }
        if process.vitals.role == .leader { marks.reach(.crashOfLeader) }
        nodes[i].process = nil
        if nodes[i].disk.isBusy { marks.reach(.crashDuringWrite) }
        let parts = parts ?? draws.below(4, .crash, i)
        let survives = { self.draws.chance(permille: 500, .crash, i) }
        if nodes[i].disk.crash(parts < 3 ? .parts(parts) : .processOnly, survives: survives) { marks.reach(.tornWrite) }
        trace.note("crash", at: time, node: i)
        // Its callers lost their connections.
        asked = asked.filter { $0.value.incarnation != process.incarnation }
    }

    package func crash(_ i: Int, restartingAfter delay: Int64, parts: Int? = nil) {
        crash(i, parts: parts)
        after(delay) { if $0.nodes[i].process == nil, !$0.nodes[i].refusesToStart { $0.start(i) } }
    }

    /// No event reaches the process for so long, while its clock goes on.
    package func pause(_ i: Int, for duration: Int64) {
        nodes[i].pausedUntil = max(nodes[i].pausedUntil, time + duration)
        trace.note("pause", at: time, node: i, [("for", .int(duration))])
    }

    /// Cuts (or joins again) one direction of one link. As many joins as cuts make it carry.
    package func setCut(from i: Int, to j: Int, _ isCut: Bool) {
        let link = i * nodes.count + j
        cutLinks[link] = max(0, cutLinks[link] + (isCut ? 1 : -1))
    }

    /// Cuts one direction of one link.
    package func cut(from i: Int, to j: Int) { setCut(from: i, to: j, true) }

    /// Messages pass only within each group.
    package func partition(_ groups: [[Int]]) {
        for (k, group) in groups.enumerated() {
            for (l, other) in groups.enumerated() where l != k {
                for i in group { for j in other { setCut(from: i, to: j, true) } }
            }
        }
    }

    /// All links carry again, at their usual speed, and nobody is cut off from the log.
    package func heal() {
        cutLinks = Array(repeating: 0, count: cutLinks.count)
        awaited = []
        for node in nodes {
            node.lag = 0
            node.isCutFromLog = false
            node.extraDelay = 0
            node.extraSync = 0
            node.stall = 0
        }
        trace.note("heal", at: time)
    }

    // MARK: Looking

    package var living: [Int] { nodes.indices.filter { nodes[$0].process != nil } }

    /// The node that leads in the latest term.
    package var leader: Int? {
        living.filter { nodes[$0].process!.vitals.role == .leader }
            .max { nodes[$0].process!.vitals.term < nodes[$1].process!.vitals.term }
    }

    package func view(_ i: Int) -> NodeView { nodes[i].process!.runtime.view }

    /// The process that serves a range and has the latest epoch of it.
    package func owner(of range: RangeID) -> Int? {
        let bit = UInt64(1) << UInt64(range.rawValue)
        let serving = living.filter { nodes[$0].process!.vitals.served & bit != 0 }
        return serving.max {
            nodes[$0].process!.runtime.epoch(of: range) < nodes[$1].process!.runtime.epoch(of: range)
        }
    }

    /// How many ranges each living node serves.
    package var servedCounts: [Int] { living.map { nodes[$0].process!.vitals.served.nonzeroBitCount } }

    /// Whether each range is served by exactly one process.
    package var isServedOnce: Bool {
        let masks = living.map { nodes[$0].process!.vitals.served }
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
        for (id, ledger) in ledgers {
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

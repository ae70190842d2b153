import Coordination
import LimiterCore
import Logging
import NIOCore
import NodeRuntime
import PeerCodec
import PeerTransport
import Raft
import Synchronization
import SystemTime
import WriteAheadLog

/// Drives one ``NodeRuntime`` on one event loop: brings it messages, requests, durable writes and ticks, and carries out what it
/// asks for. It decides nothing itself.
///
/// Other threads reach it through the inbox only; everything else is touched on the loop alone, which makes it `Sendable`.
final class NodeDriver: @unchecked Sendable {
    /// What other threads left for the loop.
    private struct Inbox {
        var batches: [(requests: [PendingRequest], sink: any DecisionSink)] = []
        var durable: UInt64 = 0
        var isScheduled = false
    }

    let loop: any EventLoop
    let path: DecisionPath
    private let wal: WriteAheadLog
    private let logger: Logger
    private let inbox = Mutex(Inbox())
    private let decisionLog: DecisionLog?
    private let readinessBox = Mutex<String?>("the node is starting")
    private let onFatal: @Sendable (StartFailure) -> Void

    // Only on the loop.
    private var runtime: NodeRuntime<DecisionPath>
    private var transport: PeerTransport!
    private var sinks: [Int: (sink: any DecisionSink, left: Int)] = [:]
    private var nextSink = 0
    private var changes: [UInt64: EventLoopPromise<Completion.Result>] = [:]
    private var ticker: RepeatedTask?
    private var clockJump = ClockJump()
    private var drained: EventLoopPromise<Void>?
    private var isStopped = false

    init(
        runtime: consuming NodeRuntime<DecisionPath>, loop: any EventLoop, path: DecisionPath, wal: WriteAheadLog,
        decisionLog: DecisionLog?, logger: Logger, onFatal: @escaping @Sendable (StartFailure) -> Void
    ) {
        self.loop = loop
        self.path = path
        self.wal = wal
        self.logger = logger
        self.decisionLog = decisionLog
        self.onFatal = onFatal
        self.runtime = runtime
        if decisionLog != nil { self.runtime.traceAdmissions() }
    }

    // MARK: Life, on the loop

    func start(_ configuration: PeerTransport.Configuration) -> EventLoopFuture<Void> {
        loop.preconditionInEventLoop()
        transport = PeerTransport(configuration: configuration, loop: loop, delegate: self, logger: logger)
        wal.start(
            onDurable: { [weak self] number in self?.durable(number) },
            onFatal: { [onFatal] error in
                onFatal(
                    StartFailure(
                        .disk, "the log cannot be written any more, so this node must not answer for it: \(error)"))
            })
        let tick = TimeAmount.nanoseconds(runtime.configuration.timing.tick)
        return transport.start().map { [self] in
            ticker = loop.scheduleRepeatedTask(initialDelay: tick, delay: tick) { [weak self] _ in self?.tick() }
        }
    }

    /// Gives all ranges away; completes when that is in the log.
    func drain() -> EventLoopFuture<Void> {
        loop.preconditionInEventLoop()
        let promise = loop.makePromise(of: Void.self)
        drained = promise
        let now = SystemClock.now()
        runtime.drain()
        finish(now)
        return promise.futureResult
    }

    func stop() -> EventLoopFuture<Void> {
        loop.preconditionInEventLoop()
        isStopped = true
        ticker?.cancel()
        drained?.fail(ChannelError.eof)
        drained = nil
        for (_, promise) in changes { promise.succeed(.unknown) }
        changes = [:]
        return transport.stop()
    }

    // MARK: Events

    private func tick() {
        let now = SystemClock.now()
        if let step = clockJump.step(now: now, wall: SystemClock.wall()) {
            logger.warning(
                "the wall clock and the monotonic clock have jumped against each other: giving up what was computed with them",
                metadata: ["step_ms": "\(step / 1_000_000)"])
            runtime.distrustClock()
        }
        runtime.tick(now: now)
        finish(now)
        noteReadiness(now)
    }

    /// Why the node is not able to decide; nil if it is. As of the last tick.
    var readiness: String? { readinessBox.withLock { $0 } }

    private func noteReadiness(_ now: ClockTime) {
        let new = drained == nil ? runtime.unreadiness(now: now) : "the node is stopping"
        readinessBox.withLock { $0 = new }
    }

    /// On the log's thread.
    private func durable(_ number: UInt64) {
        schedule { $0.durable = max($0.durable, number) }
    }

    /// Notes something in the inbox and wakes the loop, unless it is about to look anyway.
    private func schedule(_ note: (inout Inbox) -> Void) {
        let mustWake = inbox.withLock { inbox in
            note(&inbox)
            defer { inbox.isScheduled = true }
            return !inbox.isScheduled
        }
        if mustWake { loop.execute { self.readInbox() } }
    }

    private func readInbox() {
        guard !isStopped else { return }
        let (batches, durable) = inbox.withLock { inbox in
            inbox.isScheduled = false
            defer { inbox.batches.removeAll(keepingCapacity: true) }
            return (inbox.batches, inbox.durable)
        }
        // Read after the requests were: a decision is dated not before its request.
        let now = SystemClock.now()
        runtime.written(durable, now: now)
        for (requests, sink) in batches {
            nextSink &+= 1
            sinks[nextSink] = (sink, requests.count)
            runtime.submit(requests, sink: nextSink, now: now)
        }
        finish(now)
    }

    // MARK: Carrying out

    private func finish(_ now: ClockTime) {
        guard !isStopped else { return }
        let outputs = runtime.finish(now: now)
        // Before anybody hears of them: a process that is killed in between has noted all that was answered.
        for admission in outputs.admissions { decisionLog?.note(admission) }
        for admission in outputs.clientAdmissions { decisionLog?.note(admission) }
        for write in outputs.writes { submit(write) }
        if let snapshot = outputs.snapshot { wal.saveSnapshot(snapshot) }
        if !outputs.messages.isEmpty {
            for next in outputs.messages { _ = transport.send(PeerCodec.encode(next.message), to: next.to) }
            transport.flush()
        }
        sendToClients(outputs)
        if let directory = outputs.directory { path.setDirectory(directory) }
        deliver(outputs.settled)
        for completion in outputs.completions {
            // A change whose caller is gone already has no promise.
            changes.removeValue(forKey: completion.number)?.succeed(completion.result)
        }
        for event in outputs.events { log(event) }
        if let drained, runtime.hasDrained {
            self.drained = nil
            drained.succeed()
        }
    }

    private func sendToClients(_ outputs: Outputs) {
        guard !outputs.clientMessages.isEmpty || !outputs.clientRules.isEmpty || outputs.sendsGoodbye else { return }
        for (client, message) in outputs.clientMessages {
            transport.send(ClientCodec.encode(message), toClient: client.rawValue)
        }
        let toAll =
            outputs.clientRules.map { ClientCodec.encode(.rules($0)) }
            + (outputs.sendsGoodbye ? [ClientCodec.encode(.goodbye)] : [])
        if !toAll.isEmpty {
            for client in transport.clientIDs { for message in toAll { transport.send(message, toClient: client) } }
        }
        transport.flush()
    }

    private func submit(_ write: Write) {
        do {
            try wal.submit(
                LogBatch(
                    number: write.number, snapshot: write.snapshot,
                    entriesKeptAfterSnapshot: write.entriesKeptAfterSnapshot, hardState: write.hardState,
                    entries: write.entries, mustSync: write.mustSync))
        } catch {
            // Raft keeps at most maxWritesInFlight under way and its entries are within the log's limits: this is a bug.
            onFatal(StartFailure(.bug, "the log refused a write: \(error)"))
        }
    }

    private func deliver(_ settled: [Holder.Settled]) {
        var start = 0
        while start < settled.count {
            let id = settled[start].sink
            var batch: [(token: UInt64, decision: Decision)] = []
            var pieces: [(token: UInt64, piece: Piece)] = []
            while start < settled.count, settled[start].sink == id {
                batch.append((settled[start].token, settled[start].decision))
                if let piece = settled[start].piece { pieces.append((settled[start].token, piece)) }
                start += 1
            }
            guard let entry = sinks[id] else { preconditionFailure("a decision for a batch that was settled") }
            if entry.left == batch.count { sinks[id] = nil } else { sinks[id]!.left -= batch.count }
            if !pieces.isEmpty { entry.sink.deliver(pieces: pieces) }
            entry.sink.deliver(batch)
        }
    }

    private func log(_ event: NodeEvent) {
        switch event {
        case .roleChanged(let role, let term):
            logger.info("role changed", metadata: ["role": "\(role)", "term": "\(term)"])
        case .leaderChanged(let leader, let term):
            if let leader {
                logger.info("following a leader", metadata: ["leader": "\(leader)", "term": "\(term)"])
            } else {
                logger.warning("no leader is known", metadata: ["term": "\(term)"])
            }
        case .formed(let cluster):
            logger.info("the cluster exists", metadata: ["cluster": "\(String(cluster, radix: 16))"])
        case .rulesChanged(let count, let index):
            logger.info("rules in force", metadata: ["rules": "\(count)", "index": "\(index)"])
        case .tookOver(let ranges):
            logger.info("took over ranges", metadata: ["count": "\(ranges.count)", "ranges": "\(ranges.summary)"])
        case .lost(let ranges):
            logger.info(
                "ranges are no longer ours", metadata: ["count": "\(ranges.count)", "ranges": "\(ranges.summary)"])
        case .assigning(let assignments):
            let counts = Dictionary(grouping: assignments, by: \.node).map { "\($0.key):\($0.value.count)" }.sorted()
            logger.info("assigning ranges", metadata: ["nodes": "\(counts.joined(separator: " "))"])
        case .compacted(let index, let bytes):
            logger.info("log compacted", metadata: ["index": "\(index)", "bytes": "\(bytes)"])
        case .adoptedSnapshot(let index):
            logger.info("adopted the leader's snapshot", metadata: ["index": "\(index)"])
        case .unreadable(let what):
            logger.critical(
                "cannot read what the cluster has committed", metadata: ["what": "\(what)"])
            onFatal(StartFailure(.configuration, "cannot read what the cluster has committed: \(what)"))
        }
    }

    // MARK: Control, from anywhere

    /// Runs `body` on the loop with the runtime.
    func withRuntime<Result: Sendable>(
        _ body: @escaping @Sendable (inout NodeRuntime<DecisionPath>, ClockTime) -> Result
    ) async throws -> Result {
        try await loop.submit { body(&self.runtime, SystemClock.now()) }.get()
    }

    func transportStatistics() async throws -> (PeerTransportStatistics, connected: Set<NodeID>) {
        try await loop.submit { [self] in
            let connected = runtime.configuration.voters.filter { transport.isConnected($0) }
            return (transport.statistics, connected: Set(connected))
        }.get()
    }

    var logStatistics: LogStatistics { wal.statistics }

    /// Changes rules, all or none; answers when the change is in force here, or was refused.
    func change(_ rules: [RuleChange]) async throws -> Completion.Result {
        try await loop.flatSubmit { [self] in
            let promise = loop.makePromise(of: Completion.Result.self)
            guard !isStopped else {
                promise.succeed(.notProposed("this node is stopping: ask another one"))
                return promise.futureResult
            }
            let number = runtime.change(rules: rules)
            changes[number] = promise
            finish(SystemClock.now())
            return promise.futureResult
        }.get()
    }
}

extension NodeDriver: PendingRequestHandler {
    func submit(_ requests: [PendingRequest], to sink: any DecisionSink) {
        schedule { $0.batches.append((requests, sink)) }
    }
}

extension NodeDriver: PeerTransportDelegate {
    func received(_ message: ArraySlice<UInt8>, from peer: NodeID) {
        do {
            // The bytes are here: a clock read now is after them.
            try runtime.receive(PeerCodec.decode(message), from: peer, now: SystemClock.now())
        } catch {
            logger.error(
                "a peer sent what no correct node can send", metadata: ["peer": "\(peer)", "what": "\(error)"])
        }
    }

    func readBurstEnded() { finish(SystemClock.now()) }

    func peerConnected(_ peer: NodeID) {
        logger.info("connected", metadata: ["peer": "\(peer)"])
    }

    func peerDisconnected(_ peer: NodeID) {
        logger.info("connection lost", metadata: ["peer": "\(peer)"])
        runtime.unreachable(peer)
    }

    func clientConnected(_ client: UInt64) { runtime.clientConnected(ClientID(client)) }

    func received(_ message: ArraySlice<UInt8>, fromClient client: UInt64) -> String? {
        do {
            try runtime.receive(ClientCodec.decode(message), from: ClientID(client), now: SystemClock.now())
            return nil
        } catch {
            return "\(error)"
        }
    }

    func fatal(_ error: PeerTransportError) { onFatal(StartFailure(.configuration, error.description)) }
}

extension [RangeID] {
    /// For people: "0-20 42".
    var summary: String {
        var parts: [String] = []
        var i = 0
        while i < count {
            var j = i
            while j + 1 < count, self[j + 1].index == self[j].index + 1 { j += 1 }
            parts.append(i == j ? "\(self[i])" : "\(self[i])-\(self[j])")
            i = j + 1
        }
        return parts.joined(separator: " ")
    }
}

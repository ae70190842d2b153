import ClientRuntime
import Coordination
import Glibc
import LimiterCore
import Logging
import NIOCore
import NIOPosix
import PeerCodec
import PeerTransport
import Raft
import Synchronization
import SystemTime

/// Drives one ``ClientRuntime`` on one event loop: brings it messages, requests and ticks, carries out what it asks for, and keeps a
/// connection to some node. It decides nothing itself.
///
/// Other threads reach it through the inbox only; everything else is touched on the loop alone, which makes it `Sendable`.
final class ClientDriver: @unchecked Sendable {
    private struct Inbox {
        var requests: [PendingRequest] = []
        var isScheduled = false
    }

    let loop: any EventLoop
    private let configuration: MillraceClient.Configuration
    private let path: DecisionPath
    private let lookup: RuleLookup
    private let waiters: Waiters
    private let metrics: ClientMetrics
    private let logger: Logger
    private let inbox = Mutex(Inbox())
    private let lastTrouble = Mutex<String?>(nil)

    // Only on the loop.
    private var runtime: ClientRuntime<DecisionPath>
    private var link: NodeLink?
    private var isLookingUp = false
    private var addresses: [NodeAddress] = []
    private var nextAddress = 0
    private var failures = 0
    private var generator: SplitMix64
    private var ticker: RepeatedTask?
    private var clockJump = ClockJump()
    private var left: EventLoopPromise<Void>?
    private var isStopped = false
    /// Those that wait for the first rules.
    private var awaitingRules: [EventLoopPromise<Void>] = []

    /// Attempt `n` to connect (from 0) waits a random time up to `min(most, base * 2^n)` milliseconds.
    private static let reconnectBase: Int64 = 10
    private static let reconnectMost: Int64 = 1_000
    private static let connectTime = TimeAmount.seconds(1)
    /// How long sent bytes may stay unacknowledged before the kernel gives the connection up, in milliseconds.
    private static let unacknowledgedTime: Int = 3_000

    init(
        _ configuration: MillraceClient.Configuration, path: DecisionPath, lookup: RuleLookup, waiters: Waiters,
        metrics: ClientMetrics, logger: Logger
    ) {
        self.configuration = configuration
        self.path = path
        self.lookup = lookup
        self.waiters = waiters
        self.metrics = metrics
        self.logger = logger
        loop = configuration.eventLoopGroup.next()
        var random = SystemRandomNumberGenerator()
        generator = SplitMix64(seed: random.next())
        var settings = ClientConfiguration()
        settings.patience = configuration.patience.nanoseconds
        settings.isolation = max(settings.isolation, settings.patience)
        settings.weight = UInt32(configuration.weight)
        runtime = ClientRuntime(settings, seed: random.next(), store: path)
    }

    // MARK: Life

    func start() {
        loop.preconditionInEventLoop()
        let tick = TimeAmount.nanoseconds(runtime.configuration.tick)
        ticker = loop.scheduleRepeatedTask(initialDelay: tick, delay: tick) { [weak self] _ in self?.tick() }
        dial()
    }

    /// Tells the last usage; completes when the node has heard of it.
    func leave() -> EventLoopFuture<Void> {
        loop.preconditionInEventLoop()
        let promise = loop.makePromise(of: Void.self)
        left = promise
        let now = SystemClock.now()
        runtime.leave(now: now)
        finish(now)
        return promise.futureResult
    }

    func stop() {
        loop.preconditionInEventLoop()
        isStopped = true
        ticker?.cancel()
        left?.succeed()
        left = nil
        let link = link
        self.link = nil
        link?.end(why: "the client stops")
        for promise in awaitingRules { promise.succeed() }
        awaitingRules = []
        waiters.close()
    }

    // MARK: Requests, from anywhere

    func submit(_ request: PendingRequest) {
        let mustWake = inbox.withLock { inbox in
            inbox.requests.append(request)
            defer { inbox.isScheduled = true }
            return !inbox.isScheduled
        }
        if mustWake { loop.execute { self.readInbox() } }
    }

    private func readInbox() {
        let requests = inbox.withLock { inbox in
            inbox.isScheduled = false
            defer { inbox.requests = [] }
            return inbox.requests
        }
        guard !isStopped else { return }
        // Read after the requests were.
        let now = SystemClock.now()
        runtime.submit(requests, sink: 0, now: now)
        finish(now)
    }

    /// Completes when the rules are known, when the time is up, or when the client stops.
    func rules(within time: TimeAmount) -> EventLoopFuture<Void> {
        loop.flatSubmit { [self] in
            let promise = loop.makePromise(of: Void.self)
            guard runtime.directory == nil, !isStopped else {
                promise.succeed()
                return promise.futureResult
            }
            awaitingRules.append(promise)
            let timeout = loop.assumeIsolated().scheduleTask(in: time) { [weak self] in
                guard let self, let at = awaitingRules.firstIndex(where: { $0.futureResult === promise.futureResult })
                else { return }
                awaitingRules.remove(at: at).succeed()
            }
            promise.futureResult.whenComplete { _ in timeout.cancel() }
            return promise.futureResult
        }
    }

    /// What kept the client from connecting the last time.
    var trouble: String? { lastTrouble.withLock { $0 } }

    /// Runs `body` on the loop with the runtime.
    func withRuntime<Result: Sendable>(
        _ body: @escaping @Sendable (borrowing ClientRuntime<DecisionPath>) -> Result
    ) async throws -> Result {
        try await loop.submit { body(self.runtime) }.get()
    }

    // MARK: Events

    private func tick() {
        let now = SystemClock.now()
        if let step = clockJump.step(now: now, wall: SystemClock.wall()) {
            logger.warning(
                "the wall clock and the monotonic clock have jumped against each other: giving up the allowances",
                metadata: ["step_ms": "\(step / 1_000_000)"])
            runtime.distrustClock()
        }
        runtime.tick(now: now)
        finish(now)
        if runtime.isNodeSilent(now: now) { link?.end(why: "the node has fallen silent") }
    }

    private func finish(_ now: ClockTime) {
        let outputs = runtime.finish(now: now)
        if let directory = outputs.directory {
            path.setDirectory(directory)
            lookup.set(directory)
            for promise in awaitingRules { promise.succeed() }
            awaitingRules = []
        }
        for message in outputs.messages { link?.send(ClientCodec.encode(message)) }
        metrics.messages(outputs.messages.count)
        link?.flush()
        for settled in outputs.settled {
            metrics.count(settled.decision)
            // A caller that has been cancelled is not there any more: its tokens are lost, which is safe.
            _ = waiters.answer(
                settled.token, Waiters.Answer(decision: settled.decision, piece: settled.piece))
        }
        if outputs.isToldToGo { link?.end(why: "the node is about to stop") }
        if let left, runtime.hasLeft {
            self.left = nil
            left.succeed()
        }
    }

    // MARK: Connecting

    private func dial() {
        guard !isStopped, link == nil, !isLookingUp else { return }
        isLookingUp = true
        let nodes = configuration.nodes
        // A name is looked up and a file read on a thread that may block.
        NIOThreadPool.singleton.runIfActive(eventLoop: loop) { try nodes.addresses() }
            .assumeIsolated().whenComplete { [self] result in
                isLookingUp = false
                switch result {
                case .success(let found) where !found.isEmpty: connect(found)
                case .success: missed("\(nodes) names no node")
                case .failure(let error): missed("\(error)")
                }
            }
    }

    private func connect(_ found: [NodeAddress]) {
        guard !isStopped else { return }
        if found != addresses {
            addresses = found
            // Many clients with one list should not all begin with the same node.
            nextAddress = Int(generator.next() % UInt64(found.count))
        }
        let address = addresses[nextAddress % addresses.count]
        nextAddress += 1
        let target: SocketAddress
        do { target = try SocketAddress(ipAddress: address.host, port: address.port) } catch {
            return missed("\(address) is no address: \(error)")
        }
        let link = NodeLink(
            address: address, hello: ClientHello(name: configuration.name, token: configuration.token ?? ""),
            delegate: self)
        self.link = link
        let bound = NIOLoopBound(link, eventLoop: loop)
        ClientBootstrap(group: loop)
            .connectTimeout(Self.connectTime)
            .channelOption(.tcpOption(.tcp_nodelay), value: 1)
            .channelOption(.tcpOption(.init(rawValue: TCP_USER_TIMEOUT)), value: Self.unacknowledgedTime)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture { try channel.pipeline.syncOperations.addHandler(bound.value) }
            }
            .connect(to: target)
            .assumeIsolated().whenFailure { error in link.end(why: "no answer: \(error)") }
    }

    /// An attempt has failed, or a connection was lost: the next one follows, sooner or later.
    private func missed(_ why: String) {
        link = nil
        lastTrouble.withLock { $0 = why }
        guard !isStopped else { return }
        logger.debug("no node", metadata: ["why": "\(why)"])
        // The first attempts go to the other nodes at once.
        let round = max(0, failures - addresses.count)
        let ceiling = failures == 0 ? 1 : min(Self.reconnectMost, Self.reconnectBase << Int64(min(round, 12)))
        failures += 1
        let delay = TimeAmount.milliseconds(Int64(generator.next() % UInt64(ceiling + 1)))
        loop.assumeIsolated().scheduleTask(in: delay) { [weak self] in self?.dial() }
    }
}

extension ClientDriver: NodeLink.Delegate {
    func linkIsUp(_ link: NodeLink, _ welcome: ClientWelcome) {
        failures = 0
        metrics.connected()
        logger.info("connected", metadata: ["node": "\(welcome.node)", "address": "\(link.address)"])
        runtime.connected()
    }

    func link(_ link: NodeLink, received message: ArraySlice<UInt8>) {
        do {
            // The bytes are here: a clock read now is after them.
            try runtime.receive(ClientCodec.decode(message), now: SystemClock.now())
        } catch {
            logger.error("a node said what no correct node says", metadata: ["what": "\(error)"])
            link.end(why: "\(error)")
        }
    }

    func linkBurstEnded(_ link: NodeLink) { finish(SystemClock.now()) }

    func linkIsDown(_ link: NodeLink, why: String) {
        guard link === self.link else { return }
        if link.wasUp { logger.info("connection lost", metadata: ["address": "\(link.address)", "why": "\(why)"]) }
        runtime.disconnected()
        missed("\(link.address): \(why)")
    }
}

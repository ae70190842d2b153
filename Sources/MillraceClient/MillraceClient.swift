package import LimiterCore
public import Logging
import NIOCore
public import ServiceLifecycle
import Synchronization
import SystemTime

/// An embedded rate limiter: the promise of the whole cluster, decided in this process.
///
/// The client holds *allowances*, parts of each key's limit that it may spend without asking anybody, and renews them in the background.
/// While one lasts, a decision takes well under a microsecond; else it is one round trip to a node. Whatever happens to this process, to
/// the nodes or to the network, all clients and nodes together never admit more than `burst + rate * time`.
///
/// ```swift
/// let client = try MillraceClient(.init(nodes: .list(["127.0.0.1:7101", "127.0.0.1:7102", "127.0.0.1:7103"])))
/// // Beside the application's other services:
/// let group = ServiceGroup(services: [client, server], gracefulShutdownSignals: [.sigterm], logger: logger)
/// // Wherever a request comes in:
/// let decision = try await client.tryAcquire("api", key: "user:42")
/// ```
///
/// It is a `Service`: ``run()`` keeps the connection, and a graceful shutdown reports the last usage. All methods are safe from any
/// thread and task.
public final class MillraceClient: Service {
    let configuration: Configuration
    let path: DecisionPath
    let lookup = RuleLookup()
    let waiters = Waiters()
    let driver: ClientDriver
    private let life = Mutex(Life.made)
    let openReservations = Atomic<Int>(0)
    private let logger: Logger

    private enum Life { case made, running, stopped }

    /// The most permits in one ``acquireAll(_:priority:)``.
    public static let mostPermits = 16

    /// A client for a cluster; it connects when it is run. Throws if the configuration cannot work.
    public convenience init(
        _ configuration: Configuration, logger: Logger = Logger(label: "millrace.client")
    ) throws(MillraceClientError) {
        try self.init(configuration, logger: logger, observer: nil)
    }

    /// For tests that write down each admission.
    package init(
        _ configuration: Configuration, logger: Logger, observer: (any AdmissionObserver)?
    ) throws(MillraceClientError) {
        try configuration.check()
        self.configuration = configuration
        self.logger = logger
        path = DecisionPath(capacity: configuration.capacity, clock: SystemClock.quick, observer: observer)
        driver = ClientDriver(
            configuration, path: path, lookup: lookup, waiters: waiters,
            metrics: ClientMetrics(name: configuration.name),
            logger: logger)
    }

    // MARK: Life

    /// Keeps the client connected until it is shut down gracefully, or cancelled; then reports the last usage. Call it once.
    public func run() async throws {
        let canRun = life.withLock { life in
            defer { if life == .made { life = .running } }
            return life == .made
        }
        guard canRun else { throw MillraceClientError(.stopped, "a client is run once: make a new one") }
        try await driver.loop.submit { self.driver.start() }.get()
        // Nothing of it throws but the cancellation, which is a way to end it like the other.
        try? await gracefulShutdown()
        await shutDown()
    }

    private func shutDown() async {
        let driver = driver
        let left = driver.loop.flatSubmit { driver.leave() }
        let timeout = driver.loop.scheduleTask(in: .nanoseconds(configuration.shutdownTimeout.nanoseconds)) {
            driver.stop()
        }
        // Stopping completes it, too.
        try? await left.get()
        timeout.cancel()
        life.withLock { $0 = .stopped }
        try? await driver.loop.submit { driver.stop() }.get()
    }

    /// Waits until the client knows the rules, so that a first request need not. Throws after `startTimeout`.
    public func waitUntilReady() async throws {
        guard lookup.directory == nil else { return }
        switch life.withLock({ $0 }) {
        case .stopped: throw MillraceClientError.stopped
        case .made: break  // somebody is about to run it
        case .running: break
        }
        let time = TimeAmount.nanoseconds(configuration.startTimeout.nanoseconds)
        try await driver.rules(within: time).get()
        try Task.checkCancellation()
        guard lookup.directory == nil else { return }
        switch life.withLock({ $0 }) {
        case .made: throw MillraceClientError.notRunning
        case .running: throw MillraceClientError.notConnected("\(configuration.nodes)", last: driver.trouble)
        case .stopped: throw MillraceClientError.stopped
        }
    }

    // MARK: Asking

    /// Decides now if that is possible without asking anybody; nil means "only the cluster can tell".
    ///
    /// Does not suspend, allocate or wait for a contended lock. Decided here are requests that an allowance covers, and those that surely
    /// cannot pass; for the others ask ``tryAcquire(_:key:cost:)``. A `cost` of 0 is never decided here.
    ///
    /// ```swift
    /// if let decision = try client.tryAcquireNow("api", key: "user:42") { return decision.isAllowed }
    /// ```
    ///
    /// Throws what is wrong with the request: an unknown rule, a key or a cost that cannot be. Before the rules are known it returns nil.
    @inline(__always)
    public func tryAcquireNow(
        _ rule: String, key: String, cost: Int = 1
    ) throws(MillraceClientError) -> Decision? {
        guard case .found(let bucket, let drift) = lookup.bucket(rule: rule, key: key) else {
            try check(rule, key: key)
            return nil
        }
        return try decide(bucket, drift, rule, key: key, cost: Int64(cost))
    }

    @inline(__always)
    func decide(
        _ bucket: LimiterCore.Bucket, _ drift: DriftBound, _ rule: String, key: String, cost: Int64
    ) throws(MillraceClientError) -> Decision? {
        guard cost > 0, cost <= bucket.limit.burst, key.utf8.count &- 1 < Rule.longestKey else {
            try check(bucket, rule, key: key, cost: cost)
            return nil
        }
        return path.decide(bucket, cost: cost, drift: drift, now: path.clock()).map { Decision(rule: rule, core: $0) }
    }

    /// Asks for `cost` tokens, now or never.
    ///
    /// Decided here while an allowance lasts, else by the cluster in one round trip. At the client's start it waits for the first rules.
    ///
    /// ```swift
    /// let decision = try await client.tryAcquire("api", key: user.id, cost: 3)
    /// switch decision.outcome {
    /// case .allowed: break
    /// case .limited: response.headers[.retryAfter] = "\(decision.retryAfter ?? .seconds(1))"
    /// case .unavailable: break  // the rule said deny, and the cluster is away: this caller lets it pass
    /// }
    /// ```
    ///
    /// Throws a ``MillraceClientError`` that says what to do, and `CancellationError` if the task is cancelled; its tokens may then have
    /// been spent.
    public func tryAcquire(_ rule: String, key: String, cost: Int = 1) async throws -> Decision {
        if let decision = try tryAcquireNow(rule, key: key, cost: cost) { return decision }
        return try await ask(rule, key: key, cost: Int64(cost), longestWait: nil).decision
    }

    /// Asks for `cost` tokens and waits for its turn, for at most `time`.
    ///
    /// The owner of the key spends for it at once and says when it is due, so the waits are fair, exact, and cost no polling. Returns when
    /// the turn has come; or at once with a decision that is not allowed, if it would not come in time.
    ///
    /// ```swift
    /// let decision = try await client.acquire("partner-api", key: "global", within: .seconds(2))
    /// ```
    ///
    /// If the task is cancelled while it waits, `CancellationError` is thrown and the tokens are lost: they would have been somebody
    /// else's turn.
    public func acquire(
        _ rule: String, key: String, cost: Int = 1, within time: Duration
    ) async throws -> Decision {
        try await acquire(rule, key: key, cost: cost, priority: .normal, within: time)
    }

    /// What the bucket of a key holds now, without spending anything.
    ///
    /// ```swift
    /// let left = try await client.peek("api", key: "user:42").remaining
    /// ```
    public func peek(_ rule: String, key: String) async throws -> Decision {
        try await ask(rule, key: key, cost: 0, longestWait: 0).decision
    }

    // MARK: The way to the cluster

    /// Asks the cluster, through the event loop. `longestWait` replaces the rule's own.
    func ask(
        _ rule: String, key: String, cost: Int64, priority: Priority = .normal, longestWait: Int64?,
        gathers: Bool = false
    ) async throws -> (decision: Decision, piece: Piece?, bucket: LimiterCore.Bucket) {
        try Task.checkCancellation()
        if lookup.directory == nil { try await waitUntilReady() }
        guard case .found(let found, _) = lookup.bucket(rule: rule, key: key) else {
            try check(rule, key: key)
            throw MillraceClientError.stopped
        }
        let bucket = found.with(priority.core)
        try check(bucket, rule, key: key, cost: cost)
        let token = waiters.makeToken()
        let request = PendingRequest(
            bucket: bucket, key: Array(key.utf8), cost: cost, longestWait: longestWait ?? bucket.longestWait,
            gathers: gathers, token: token)
        let answer = await waiters.wait(for: token, submit: { driver.submit(request) })
        // A cancellation that came too late must not be remembered.
        waiters.forget(token)
        guard let answer else {
            try Task.checkCancellation()
            throw MillraceClientError.stopped
        }
        if longestWait == nil, answer.decision.isAllowed, answer.decision.dueIn > 0 {
            // The rule says `onLimit: delay`: its turn has to be waited for.
            try await Task.sleep(for: .nanoseconds(answer.decision.dueIn))
        }
        return (Decision(rule: rule, core: answer.decision), answer.piece, bucket)
    }

    /// Throws if there is no such rule, or if the key cannot be; returns if the rules are not known.
    @inline(never)
    func check(_ rule: String, key: String) throws(MillraceClientError) {
        try check(key)
        if life.withLock({ $0 == .stopped }) { throw .stopped }
        guard let directory = lookup.directory else { return }
        if !directory.rules.contains(where: { $0.rule.name == rule }) {
            throw .unknownRule(rule, known: directory.rules.map(\.rule.name))
        }
    }

    /// Throws if the request can never pass.
    @inline(never)
    func check(
        _ bucket: LimiterCore.Bucket, _ rule: String, key: String, cost: Int64
    ) throws(MillraceClientError) {
        try check(key)
        if cost < 0 { throw .invalidCost(cost) }
        if bucket.limit.time(of: cost) == nil { throw .costAboveBurst(cost, bucket, rule: rule) }
    }

    private func check(_ key: String) throws(MillraceClientError) {
        let bytes = key.utf8.count
        if !(1...Rule.longestKey).contains(bytes) { throw .invalidKey(bytes) }
    }
}

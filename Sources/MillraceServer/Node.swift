import Coordination
import Foundation
public import HTTPFrontend
import LimiterCore
public import Logging
public import NIOCore
import NIOPosix
import NodeRuntime
import PeerTransport
import RESPFrontend
import Raft
import RuleFiles
import Synchronization
import SystemTime
import WriteAheadLog

/// A running node: the composition root. Starts in the order disk, runtime, peers, front doors; stops in the opposite one.
public final class Node: Sendable {
    public let options: NodeOptions
    let driver: NodeDriver
    private let wal: WriteAheadLog
    private let runtimeGroup: MultiThreadedEventLoopGroup
    private let resp: RESPServer?
    private let logger: Logger
    let incarnation: UInt64
    let path: DecisionPath
    private let rulesAtStart: [Rule]

    /// How long a stopping node tries to hand its ranges over before it just stops.
    private static let drainTime = TimeAmount.seconds(3)

    /// Starts a node. Front doors run on `group`; the runtime gets a thread of its own.
    ///
    /// - Parameter onFatal: told once when the node must not go on; the process should end with the code.
    public static func start(
        _ options: NodeOptions, group: any EventLoopGroup, logger: Logger,
        onFatal: @escaping @Sendable (StartFailure) -> Void
    ) async throws -> Node {
        try options.check()
        let rulesAtStart = try options.rulesFile.map { file throws(StartFailure) in try readRules(file) } ?? []
        var logger = logger
        logger[metadataKey: "node"] = "\(options.node)"
        let decisionLog = try options.decisionLog.map { try DecisionLog(path: $0) }
        let (wal, restored) = try openLog(options, logger: logger)
        var random = SystemRandomNumberGenerator()
        let incarnation = random.next() | 1
        let path = DecisionPath(
            capacity: options.allowanceCapacity, clock: SystemClock.now, observer: decisionLog)
        let timing = NodeConfiguration.Timing(percent: options.timescale)
        let configuration = NodeConfiguration(
            node: NodeID(options.node), voters: options.members.map { NodeID($0.id) }, incarnation: incarnation,
            seed: random.next(),
            genesis: Genesis(
                secretHigh: random.next(), secretLow: random.next(), cluster: random.next(),
                parameters: parameters(timescale: options.timescale)),
            timing: timing)
        let runtime: NodeRuntime<DecisionPath>
        do {
            runtime = try NodeRuntime(configuration, restored: restored, store: path, now: SystemClock.now())
        } catch {
            wal.close()
            throw StartFailure(.corrupted, "\(error)")
        }
        let runtimeGroup = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        let driver = NodeDriver(
            runtime: runtime, loop: runtimeGroup.next(), path: path, wal: wal, decisionLog: decisionLog, logger: logger,
            onFatal: onFatal)
        let own = options.members.first { $0.id == options.node }!
        let others = options.members.filter { $0.id != options.node }
        var peers = PeerTransport.Configuration(
            node: NodeID(options.node), cluster: options.members.map(\.description).joined(separator: ","),
            incarnation: incarnation, listen: PeerAddress(host: own.address.host, port: own.address.port),
            peers: Dictionary(
                uniqueKeysWithValues: others.map {
                    (NodeID($0.id), PeerAddress(host: $0.address.host, port: $0.address.port))
                }), seed: random.next())
        peers.clientToken = options.token
        peers.maxClients = options.mostClients
        do {
            try await driver.loop.flatSubmit { [peers] in driver.start(peers) }.get()
        } catch {
            wal.close()
            try? await runtimeGroup.shutdownGracefully()
            throw StartFailure(.configuration, "\(error)")
        }
        var resp: RESPServer?
        do {
            if let address = options.resp {
                resp = try await RESPServer.start(
                    RESPServer.Options(host: address.host, port: address.port, password: options.respPassword),
                    group: group,
                    path: path, handler: driver, logger: logger)
            }
        } catch {
            try? await driver.loop.flatSubmit { driver.stop() }.get()
            wal.close()
            try? await runtimeGroup.shutdownGracefully()
            throw StartFailure(.configuration, "\(error)")
        }
        let node = Node(
            options: options, driver: driver, wal: wal, runtimeGroup: runtimeGroup, resp: resp, logger: logger,
            incarnation: incarnation, path: path, rulesAtStart: rulesAtStart)
        logger.info(
            "node started",
            metadata: [
                "members": "\(options.members.map(\.description).joined(separator: ","))",
                "data": "\(options.dataFolder)",
                "incarnation": "\(String(incarnation, radix: 16))", "log_entries": "\(restored.entries.count)",
                "term": "\(restored.hardState.term)",
            ])
        return node
    }

    private init(
        options: NodeOptions, driver: NodeDriver, wal: WriteAheadLog, runtimeGroup: MultiThreadedEventLoopGroup,
        resp: RESPServer?, logger: Logger, incarnation: UInt64, path: DecisionPath, rulesAtStart: [Rule]
    ) {
        self.path = path
        self.rulesAtStart = rulesAtStart
        self.options = options
        self.driver = driver
        self.wal = wal
        self.runtimeGroup = runtimeGroup
        self.resp = resp
        self.logger = logger
        self.incarnation = incarnation
    }

    private static func readRules(_ file: String) throws(StartFailure) -> [Rule] {
        guard let data = FileManager.default.contents(atPath: file) else {
            throw StartFailure(
                .configuration, "cannot read the rules file '\(file)': check the path given with --rules")
        }
        do { return try RuleFile.parse(String(decoding: data, as: UTF8.self), file: file) } catch {
            throw StartFailure(.configuration, "\(error)")
        }
    }

    private static func parameters(timescale: Int64) -> ClusterParameters {
        var parameters = ClusterParameters()
        parameters.horizon = parameters.horizon * timescale / 100
        return parameters
    }

    private static func openLog(
        _ options: NodeOptions, logger: Logger
    ) throws(StartFailure) -> (WriteAheadLog, PersistedState) {
        let identity = DataIdentity(
            node: options.node, cluster: options.members.map(\.description).joined(separator: ","))
        do {
            return try WriteAheadLog.open(directory: options.dataFolder, identity: identity) { notice in
                logger.warning("log repaired", metadata: ["what": "\(notice)"])
            }
        } catch {
            switch error {
            case .corrupted: throw StartFailure(.corrupted, "\(error)")
            case .identity: throw StartFailure(.configuration, "\(error)")
            case .disk(let cause) where cause.code == .locked || cause.code == .notPermitted:
                // The operator's mistake, not the disk's.
                throw StartFailure(.configuration, "\(error)")
            case .disk, .entryTooLarge, .queueFull: throw StartFailure(.disk, "\(error)")
            }
        }
    }

    /// Hands the ranges over, closes the front doors, says goodbye to the peers and closes the log.
    ///
    /// - Parameter handingOver: false where nobody will be left to take the ranges.
    public func stop(handingOver: Bool = true) async {
        if handingOver { await handOver() }
        await resp?.stop()
        try? await driver.loop.flatSubmit { self.driver.stop() }.get()
        wal.close()
        try? await runtimeGroup.shutdownGracefully()
        logger.info("stopped")
    }

    private func handOver() async {
        logger.info("stopping: handing the ranges over")
        let drained = driver.loop.flatSubmit { self.driver.drain() }
        let timeout = driver.loop.scheduleTask(in: Node.drainTime) { [logger] in
            logger.warning("could not hand all ranges over in time: the others take them when they miss this node")
        }
        _ = try? await drained.or(timeout.futureResult, on: driver.loop).get()
        timeout.cancel()
    }

    /// Waits until the node can decide; false if the task is cancelled before.
    public func waitUntilReady() async -> Bool {
        while true {
            if driver.readiness == nil { return true }
            do { try await Task.sleep(for: .milliseconds(20)) } catch { return false }
        }
    }

    /// Applies the rules file of the options, if the cluster has no rules yet.
    public func applyRulesFile() async {
        guard !rulesAtStart.isEmpty, let known = path.directory?.rules, known.isEmpty else { return }
        let result = try? await driver.change(rulesAtStart.map { .put($0) })
        switch result {
        case .applied(let index): logger.info("rules file applied", metadata: ["index": "\(index)"])
        default: logger.warning("the rules file could not be applied", metadata: ["why": "\(result as Any)"])
        }
    }

    /// The HTTP front door as a service to run beside the node; nil if it has none.
    public func httpService(group: any EventLoopGroup) -> HTTPServer? {
        options.http.map { address in
            HTTPServer(
                HTTPServer.Configuration(host: address.host, port: address.port, token: options.token), path: path,
                handler: driver, control: self, group: group, logger: logger)
        }
    }

    public var respAddress: SocketAddress? { resp?.address }
}

extension EventLoopFuture where Value == Void {
    /// Completes when either does.
    func or(_ other: EventLoopFuture<Void>, on loop: any EventLoop) -> EventLoopFuture<Void> {
        let promise = loop.makePromise(of: Void.self)
        let isDone = ManagedOnce()
        for future in [self, other] { future.whenComplete { _ in if isDone.first() { promise.succeed() } } }
        return promise.futureResult
    }
}

/// True once.
private final class ManagedOnce: Sendable {
    private let done = Atomic<Bool>(false)
    func first() -> Bool { done.compareExchange(expected: false, desired: true, ordering: .relaxed).exchanged }
}

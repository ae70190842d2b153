@testable import HTTPFrontend
import LimiterCore
import Logging
import NIOPosix
import ServiceLifecycle
import Synchronization

/// A server on a free port with stand-ins behind it, for as long as a test's body runs.
struct Bench: Sendable {
    let clock = ManualClock()
    let path: DecisionPath
    let handler: PlainHandler
    let control: PlainControl
    let pending = PendingDecisions()
    let sleeper = Sleeper()
    /// Begins a graceful shutdown of the server.
    var shutDown: @Sendable () async -> Void = {}
    var port = 0

    init() {
        let clock = clock
        path = DecisionPath(capacity: 1024, shards: 1) { clock.now }
        handler = PlainHandler(clock: clock)
        control = PlainControl(path: path)
    }

    /// Rules: `api` 2/s burst 4; `slow` the same, waiting up to 2 s; `shadow` the same, refusing nothing.
    static func run<Result: Sendable>(
        _ configuration: HTTPServer.Configuration = .init(port: 0), _ body: (Bench) async throws -> Result
    ) async throws -> Result {
        var bench = Bench()
        let limit = try Limit(tokens: 2, per: 1_000_000_000, burst: 4)
        _ = try await bench.control.apply([
            Rule(name: "api", limit: limit),
            Rule(name: "slow", limit: limit, onLimit: .delay(2_000_000_000)),
            Rule(name: "shadow", limit: limit, shadow: true),
        ])
        let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        let server = HTTPServer(
            configuration, path: bench.path, handler: bench.handler, control: bench.control,
            group: MultiThreadedEventLoopGroup.singleton, logger: logger, pending: bench.pending,
            turn: bench.sleeper.turn)
        let group = ServiceGroup(configuration: .init(services: [.init(service: server)], logger: logger))
        let running = Task { try await group.run() }
        bench.shutDown = {
            await group.triggerGracefulShutdown()
            try? await running.value
        }
        bench.port = try await server.listeningPort()
        do {
            let result = try await body(bench)
            await bench.shutDown()
            return result
        } catch {
            await bench.shutDown()
            throw error
        }
    }

    /// One call on a connection of its own.
    func call(
        _ method: String, _ path: String, _ body: String = "", headers: [String] = []
    ) async throws -> Answer {
        try await Client.connect(port: port) { try await $0.call(method, path, body, headers: headers) }
    }

    func acquire(_ body: String) async throws -> Answer { try await call("POST", "/v1/acquire", body) }
}

/// Sleeps until the test says so; notes how long it was asked to sleep, and whether it was woken.
final class Sleeper: Sendable {
    private struct State {
        var asked: [Int64] = []
        var woken = 0
        var isInstant = true
    }

    private let state = Mutex(State())

    var asked: [Int64] { state.withLock { $0.asked } }
    var woken: Int { state.withLock { $0.woken } }

    /// From now on sleepers sleep until they are cancelled.
    func sleepForEver() { state.withLock { $0.isInstant = false } }

    var turn: Turn {
        Turn { ns in
            let isInstant = self.state.withLock { state in
                state.asked.append(ns)
                return state.isInstant
            }
            if isInstant { return }
            defer { self.state.withLock { $0.woken += 1 } }
            try await Task.sleep(nanoseconds: 3_600_000_000_000)
        }
    }

    /// Waits until so many have begun to sleep.
    func wait(for count: Int) async throws {
        while asked.count < count { try await Task.sleep(nanoseconds: 1_000_000) }
    }

    /// Waits until so many were woken.
    func wait(forWoken count: Int) async throws {
        while woken < count { try await Task.sleep(nanoseconds: 1_000_000) }
    }
}

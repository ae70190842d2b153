public import ArgumentParser
import Foundation
import HTTPFrontend
public import Logging
import MillraceServer
import NIOCore
import NIOPosix
import ServiceLifecycle
import UnixSignals

/// Runs nodes until a signal or a failure ends the process.
struct NodeProcess {
    let nodes: [NodeOptions]
    /// Called once all nodes answer.
    let whenReady: @Sendable () -> Void

    init(nodes: [NodeOptions], whenReady: @escaping @Sendable () -> Void) {
        self.nodes = nodes
        self.whenReady = whenReady
    }

    func run() async throws {
        let logger = Logger(label: "millrace")
        let group = MultiThreadedEventLoopGroup(numberOfThreads: max(1, min(System.coreCount, 8)))
        var started: [Node] = []
        do {
            for options in nodes {
                started.append(
                    try await Node.start(options, group: group, logger: logger) { failure in
                        // Whatever this process still says could be wrong: it ends at once, like a machine that lost power.
                        _ = fail(failure)
                        _exit(failure.code.exitCode)
                    })
            }
        } catch {
            for node in started.reversed() { await node.stop() }
            throw error
        }
        let doors = started.compactMap { $0.httpService(group: group) }
        // Services stop in the opposite order: HTTP first, then the nodes.
        let services: [any Service] = [Running(nodes: started, doors: doors, whenReady: whenReady)] + doors
        // The group's own account of signals and services is of no interest to operators.
        var quiet = logger
        quiet.logLevel = max(logger.logLevel, .error)
        do {
            try await ServiceGroup(
                services: services, gracefulShutdownSignals: [.sigterm, .sigint], logger: quiet
            ).run()
        } catch let error as HTTPServerError {
            throw StartFailure(.configuration, error.description)
        }
        try await group.shutdownGracefully()
    }
}

/// The nodes as a service: there until asked to stop, then stopped one after the other.
private struct Running: Service {
    let nodes: [Node]
    let doors: [HTTPServer]
    let whenReady: @Sendable () -> Void

    func run() async throws {
        // A signal ends the wait for a majority, too.
        let isReady = await cancelWhenGracefulShutdown {
            for node in nodes where !(await node.waitUntilReady()) { return false }
            for node in nodes { await node.applyRulesFile() }
            for door in doors { _ = try? await door.listeningPort() }
            return true
        }
        if isReady {
            whenReady()
            try? await gracefulShutdown()
        }
        // More than one: the whole cluster is in this process, and ends with it.
        for node in nodes { await node.stop(handingOver: nodes.count == 1) }
    }
}

/// Structured log lines on standard error.
func setUpLogging(_ level: Logger.Level) {
    LoggingSystem.bootstrap { label in
        var handler = StreamLogHandler.standardError(label: label)
        handler.logLevel = level
        return handler
    }
}

extension Logger.Level: @retroactive ExpressibleByArgument {}

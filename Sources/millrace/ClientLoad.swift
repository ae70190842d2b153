import ArgumentParser
import LimiterCore
import Logging
import MillraceClient
import MillraceServer
import ServiceLifecycle
import SystemTime
import UnixSignals

/// `millrace client-load`: an embedded client that asks steadily, for tests and trials. It runs until it is stopped.
struct ClientLoad: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "client-load", abstract: "Ask a cluster steadily through an embedded client.", shouldDisplay: false
    )

    @Option(help: "The nodes' addresses, as in --cluster, with commas between them.")
    var nodes: String

    @Option(help: "RULE:KEY:PER-SECOND[:COST]; may be given several times.")
    var stream: [String]

    @Option(help: "Where to note each admission.")
    var decisionLog: String?

    func run() async throws {
        try await withExitCodes {
            var logger = Logger(label: "client-load")
            logger.logLevel = .warning
            let streams = try stream.map { try Stream($0) }
            let log = try decisionLog.map { try DecisionLog(path: $0) }
            var configuration = MillraceClient.Configuration(nodes: .list(nodes.split(separator: ",").map(String.init)))
            configuration.startTimeout = .seconds(60)
            let client = try MillraceClient(configuration, logger: logger, observer: log)
            let service = LoadService(client: client, streams: streams)
            try await ServiceGroup(
                configuration: .init(
                    services: [.init(service: client), .init(service: service)], gracefulShutdownSignals: [.sigterm],
                    logger: logger)
            ).run()
        }
    }

    /// One key that is asked for again and again.
    struct Stream: Sendable {
        var rule: String
        var key: String
        var perSecond: Double
        var cost = 1

        init(_ text: String) throws {
            let parts = text.split(separator: ":")
            guard (3...4).contains(parts.count), let perSecond = Double(parts[2]), perSecond > 0 else {
                throw ValidationError("'\(text)' is no stream: write RULE:KEY:PER-SECOND[:COST]")
            }
            rule = String(parts[0])
            key = String(parts[1])
            self.perSecond = perSecond
            if parts.count == 4 {
                guard let cost = Int(parts[3]), cost > 0 else { throw ValidationError("'\(parts[3])' is no cost") }
                self.cost = cost
            }
        }
    }

    /// All streams, each in a task of its own.
    struct LoadService: Service {
        let client: MillraceClient
        let streams: [Stream]

        func run() async throws {
            await cancelWhenGracefulShutdown {
                await withTaskGroup(of: Void.self) { group in
                    for stream in streams { group.addTask { await ask(stream) } }
                }
            }
        }

        private func ask(_ stream: Stream) async {
            let start = SystemClock.now()
            var asked = 0
            while !Task.isCancelled {
                // As many as are due by now, so that a slow machine asks as much as a fast one.
                let due = Int(Double(SystemClock.now() - start) / 1e9 * stream.perSecond)
                // After a pause, not all that was missed at once.
                asked = max(asked, due - 200)
                while asked < due, !Task.isCancelled {
                    asked += 1
                    _ = try? await client.tryAcquire(stream.rule, key: stream.key, cost: stream.cost)
                }
                try? await Task.sleep(for: .milliseconds(2))
            }
        }
    }
}

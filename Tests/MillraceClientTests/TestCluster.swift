import Foundation
import HTTPFrontend
import LimiterCore
import Logging
import MillraceServer
import NIOCore
import NIOPosix

@testable import MillraceClient

let second: Int64 = 1_000_000_000

/// Real nodes in this process, on ports of their own, with their logs in a temporary folder.
final class TestCluster {
    private(set) var nodes: [Node] = []
    let addresses: [String]
    private let members: [Member]
    private let folder: URL
    private let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
    private var stopped: Set<Int> = []

    /// Runs `body` with a cluster that has these rules, and stops it afterwards, whatever happens.
    static func with(
        nodes count: Int = 3, _ rules: [Rule] = [], options change: (inout NodeOptions) -> Void = { _ in },
        _ body: (TestCluster) async throws -> Void
    ) async throws {
        let cluster = try await TestCluster(nodes: count, rules, change)
        do {
            try await body(cluster)
        } catch {
            await cluster.stop()
            throw error
        }
        await cluster.stop()
    }

    private init(nodes count: Int, _ rules: [Rule], _ change: (inout NodeOptions) -> Void) async throws {
        folder = FileManager.default.temporaryDirectory.appendingPathComponent("millrace-client-\(UUID())")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        let ports = try await TestCluster.freePorts(count, group)
        members = ports.enumerated().map { Member(id: UInt32($0 + 1), address: Address(host: "127.0.0.1", port: $1)) }
        addresses = ports.map { "127.0.0.1:\($0)" }
        for member in members {
            var options = NodeOptions(
                node: member.id, members: members, dataFolder: folder.appendingPathComponent("\(member.id)").path)
            // Tests share a machine with others: nobody should be taken for dead because it is slow.
            options.timescale = 300
            change(&options)
            nodes.append(try await Node.start(options, group: group, logger: quiet) { fatalError("\($0)") })
        }
        for node in nodes { _ = await node.waitUntilReady() }
        if !rules.isEmpty { try await put(rules) }
    }

    /// Applies rules, once more where the leader has just changed.
    func put(_ rules: [Rule]) async throws {
        for _ in 0..<20 {
            if (try? await nodes[0].apply(rules)) != nil { break }
            try await Task.sleep(for: .milliseconds(200))
        }
        for node in nodes {
            let isKnown = try await eventually {
                let known = await node.rules().map(\.rule)
                return rules.allSatisfy { known.contains($0) }
            }
            guard isKnown else { throw CancellationError() }
        }
    }

    /// Stops one node for good.
    func stopNode(_ i: Int) async {
        guard stopped.insert(i).inserted else { return }
        await nodes[i].stop()
    }

    private func stop() async {
        for i in nodes.indices { await stopNode(i) }
        try? await group.shutdownGracefully()
        try? FileManager.default.removeItem(at: folder)
    }

    private static func freePorts(_ count: Int, _ group: MultiThreadedEventLoopGroup) async throws -> [Int] {
        var channels: [any Channel] = []
        for _ in 0..<count {
            channels.append(try await ServerBootstrap(group: group).bind(host: "127.0.0.1", port: 0).get())
        }
        defer { for channel in channels { channel.close(promise: nil) } }
        return channels.map { $0.localAddress!.port! }
    }
}

let quiet: Logger = {
    var logger = Logger(label: "test")
    logger.logLevel = .critical
    return logger
}()

/// Runs `body` with a running client, and shuts it down afterwards.
func withClient<Result>(
    of cluster: TestCluster, _ change: (inout MillraceClient.Configuration) -> Void = { _ in },
    _ body: (MillraceClient) async throws -> Result
) async throws -> Result {
    var configuration = MillraceClient.Configuration(nodes: .list(cluster.addresses))
    configuration.startTimeout = .seconds(20)
    // Generous: the machine may be busy with other things.
    configuration.patience = .seconds(8)
    configuration.capacity = 4_096
    change(&configuration)
    let client = try MillraceClient(configuration, logger: quiet)
    let running = Task { try await client.run() }
    do {
        let result = try await body(client)
        running.cancel()
        _ = await running.result
        return result
    } catch {
        running.cancel()
        _ = await running.result
        throw error
    }
}

func rule(
    _ name: String, _ tokens: Int64, per period: Int64 = second, burst: Int64, onLimit: OnLimit = .reject,
    onIsolation: OnIsolation = .deny, shadow: Bool = false
) throws -> Rule {
    try Rule(
        name: name, limit: Limit(tokens: tokens, per: period, burst: burst), onLimit: onLimit, onIsolation: onIsolation,
        shadow: shadow)
}

/// Looks every 10 ms until `condition` holds; false if it does not within a minute.
func eventually(_ condition: () async throws -> Bool) async throws -> Bool {
    for _ in 0..<6_000 {
        if try await condition() { return true }
        try await Task.sleep(for: .milliseconds(10))
    }
    return false
}

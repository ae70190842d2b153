import Foundation
import Testing

/// Real `millrace serve` processes on this machine, with folders and ports of their own.
final class ClusterHarness {
    final class Node {
        let id: Int
        let peerPort: Int
        let respPort: Int
        let httpPort: Int
        let dataFolder: String
        let log: String
        fileprivate(set) var process: ChildProcess?
        /// One for each start.
        fileprivate(set) var decisionLogs: [String] = []
        fileprivate(set) var isPaused = false

        fileprivate init(id: Int, ports: ArraySlice<Int>, folder: TemporaryFolder) {
            self.id = id
            peerPort = ports.first!
            respPort = ports.dropFirst().first!
            httpPort = ports.last!
            dataFolder = folder.file("data-\(id)")
            log = folder.file("log-\(id)")
        }

        var isRunning: Bool { process.map { $0.ended == nil } ?? false }

        func get(_ path: String, timeout: Double = 5) throws -> HTTPAnswer {
            try HTTPCall.send("GET", path, port: httpPort, timeout: timeout)
        }

        func client(timeout: Double = 10) throws -> RESPClient { try RESPClient(port: respPort, timeout: timeout) }

        /// The end of what the node has logged, for a failing test's message.
        var logTail: String { Binary.text(of: log).split(separator: "\n").suffix(25).joined(separator: "\n") }
    }

    let folder: TemporaryFolder
    let nodes: [Node]
    private let binary: String
    private var probes: Int64 = 0

    private init(nodes count: Int) throws {
        binary = try Binary.path()
        let folder = try TemporaryFolder()
        self.folder = folder
        let ports = try FreePorts.take(3 * count)
        nodes = (0..<count).map { Node(id: $0 + 1, ports: ports[(3 * $0)..<(3 * $0 + 3)], folder: folder) }
    }

    /// Runs `body` with a cluster that has formed; whatever happens, no process is left behind.
    static func run<Result>(nodes count: Int, _ body: (ClusterHarness) throws -> Result) throws -> Result {
        let cluster = try ClusterHarness(nodes: count)
        defer { cluster.destroy() }
        for node in cluster.nodes { try cluster.start(node) }
        try cluster.waitUntilWhole()
        return try body(cluster)
    }

    private func destroy() {
        for node in nodes { node.process?.send(SIGKILL) }
        for node in nodes { node.process?.destroy() }
    }

    // MARK: Processes

    /// `--cluster`.
    var members: String { nodes.map { "\($0.id)=127.0.0.1:\($0.peerPort)" }.joined(separator: ",") }

    func arguments(of node: Node) -> [String] {
        [
            "serve", "--node", "\(node.id)", "--cluster", members, "--data", node.dataFolder, "--resp",
            "127.0.0.1:\(node.respPort)", "--http", "127.0.0.1:\(node.httpPort)",
        ]
    }

    func start(_ node: Node) throws {
        precondition(!node.isRunning, "node \(node.id) runs already")
        let decisions = folder.file("decisions-\(node.id)-\(node.decisionLogs.count)")
        node.decisionLogs.append(decisions)
        node.isPaused = false
        node.process = try ChildProcess(
            binary, arguments(of: node) + ["--decision-log", decisions], output: node.log, errors: node.log)
    }

    /// `kill -9`: nothing is said or saved any more.
    func kill(_ node: Node) {
        node.process?.send(SIGKILL)
        _ = node.process?.wait(upTo: 30)
    }

    /// SIGSTOP: the process stands still and its connections stay open.
    func freeze(_ node: Node) {
        node.isPaused = true
        node.process?.send(SIGSTOP)
    }

    func thaw(_ node: Node) {
        node.process?.send(SIGCONT)
        node.isPaused = false
    }

    /// SIGTERM; how the process ended, nil if it did not in time.
    func terminate(_ node: Node, within seconds: Double = 20) -> ChildProcess.End? {
        node.process?.send(SIGTERM)
        return node.process?.wait(upTo: seconds)
    }

    /// Processes that ended without being told to, with the end of their logs.
    var fallen: [String] {
        nodes.filter { !$0.isRunning }.map { "node \($0.id): \($0.process?.ended as Any)\n\($0.logTail)" }
    }

    // MARK: What the cluster says

    /// Waits until all running nodes can decide and every range has a running owner.
    func waitUntilWhole(within seconds: Double = 60) throws {
        let running = nodes.filter { $0.isRunning && !$0.isPaused }
        let isWhole = eventually(within: seconds, every: 0.05) {
            running.allSatisfy { node in
                guard (try? node.get("/readyz"))?.status == 200, let status = try? node.get("/v1/cluster").json,
                    let ranges = status["ranges"] as? [[String: Any]], ranges.count == 64
                else { return false }
                return ranges.allSatisfy { range in running.contains { $0.id == range["owner"] as? Int } }
            }
        }
        if !isWhole {
            let logs = nodes.map { "--- node \($0.id), \($0.process?.ended as Any)\n\($0.logTail)" }.joined(
                separator: "\n")
            throw HarnessError("the cluster did not become whole within \(seconds) s\n\(logs)")
        }
    }

    /// The leader that a majority's nodes name.
    func leader(within seconds: Double = 20) throws -> Node {
        var found: Node?
        _ = eventually(within: seconds) {
            let running = nodes.filter { $0.isRunning && !$0.isPaused }
            let named = running.compactMap { (try? $0.get("/v1/cluster").json)?["leader"] as? Int }
            found = running.first { node in named.count(where: { $0 == node.id }) * 2 > nodes.count }
            return found != nil
        }
        guard let found else { throw HarnessError("no leader within \(seconds) s") }
        return found
    }

    /// The node that owns a key's range, for keys of `CL.THROTTLE`.
    ///
    /// The first request on a bucket is decided, and noted, by its owner; a range is chosen by the key alone. So a request with a limit
    /// that nobody else uses shows the owner.
    func owner(ofKey key: String, askedAt node: Node) throws -> Node {
        probes += 1
        // One token each 2 minutes; the burst tells this probe from others.
        let burst = 10_000 + probes
        // A machine that others have, too, may keep the node from its log for a while.
        let client = try node.client()
        var reply = try client.ask("CL.THROTTLE", key, "\(burst - 1)", "1", "120")
        _ = try eventually(within: 20) {
            if reply.integers?.first != 0 { reply = try client.ask("CL.THROTTLE", key, "\(burst - 1)", "1", "120") }
            return reply.integers?.first == 0
        }
        guard reply.integers?.first == 0 else { throw HarnessError("a probe for the owner of \(key) got \(reply)") }
        var owner: Node?
        _ = try eventually(within: 5) {
            owner = try nodes.first { node in
                try DecisionLogReader.all(node.decisionLogs).contains { $0.tolerance == burst * 120_000_000_000 }
            }
            return owner != nil
        }
        guard let owner else { throw HarnessError("nobody noted the probe for \(key)") }
        return owner
    }

    /// A key for each node that it owns: `name-0`, `name-1`, … are tried.
    func keys(_ name: String) throws -> [Int: String] {
        var found: [Int: String] = [:]
        for i in 0..<200 where found.count < nodes.count {
            let key = "\(name)-\(i)"
            let owner = try owner(ofKey: key, askedAt: nodes[0])
            if found[owner.id] == nil { found[owner.id] = key }
        }
        guard found.count == nodes.count else { throw HarnessError("no key of \(name) for some node: \(found)") }
        return found
    }

    /// Every admission of every process so far.
    func admissions() throws -> [Admission] { try DecisionLogReader.all(nodes.flatMap(\.decisionLogs)) }
}

import Foundation
import Testing

extension IntegrationTests {
    /// Embedded clients in processes of their own, killed and frozen at random, while nodes are killed and frozen too.
    @Suite(.timeLimit(.minutes(10)))
    struct ClientsUnderFireTests {
        @Test("Clients and nodes together keep the promise while both are killed, restarted and frozen")
        func clients() throws {
            try ClusterHarness.run(nodes: 3) { cluster in try ClientOrdeal(cluster, clients: 8).run() }
        }
    }
}

/// One run: eight clients that ask for more than there is, and a random misfortune each third of a second.
private struct ClientOrdeal {
    /// One client program; a new process writes a new log.
    private final class Client {
        var process: ChildProcess
        var logs: [String]

        init(_ process: ChildProcess, _ log: String) {
            self.process = process
            logs = [log]
        }
    }

    let cluster: ClusterHarness
    private let clients: [Client]
    private let binary: String
    private let addresses: String

    private static let rules = """
        rules:
          - name: fast
            rate: {tokens: 1000, per: 1s}
            burst: 500
          - name: slow
            rate: {tokens: 20, per: 1s}
            burst: 30
          - name: one
            rate: {tokens: 2, per: 1s}
            burst: 1

        """
    /// Per client; in all about twice what there is.
    private static let streams = ["fast:a:250", "fast:b:30", "slow:c:5", "one:d:1", "slow:e:3:5"]

    init(_ cluster: ClusterHarness, clients count: Int) throws {
        self.cluster = cluster
        binary = try Binary.path()
        let file = try cluster.folder.write("rules.yaml", Self.rules)
        let applied = try Binary.run("rules", "apply", "-f", file, "--http", "127.0.0.1:\(cluster.nodes[0].httpPort)")
        guard applied.code == 0 else { throw HarnessError("the rules were not applied: \(applied)") }
        addresses = cluster.nodes.map { "127.0.0.1:\($0.peerPort)" }.joined(separator: ",")
        var clients: [Client] = []
        for i in 0..<count {
            let log = cluster.folder.file("client-\(i)-0")
            clients.append(Client(try Self.start(binary, addresses, cluster.folder, log), log))
        }
        self.clients = clients
    }

    private static func start(
        _ binary: String, _ addresses: String, _ folder: TemporaryFolder, _ log: String
    ) throws -> ChildProcess {
        try ChildProcess(
            binary,
            ["client-load", "--nodes", addresses, "--decision-log", log] + streams.flatMap { ["--stream", $0] },
            output: folder.file("client-output"), errors: folder.file("client-output"))
    }

    func run() throws {
        defer { for client in clients { client.process.destroy() } }
        // Calm first: everybody has connected and is served.
        let isServed = try eventually(within: 60) { try admissions(of: clients).count > 2_000 }
        #expect(
            isServed,
            "the clients are not served: \(Binary.text(of: cluster.folder.file("client-output")).suffix(2_000))")
        let calm = MachineClock.now()
        pause(seconds: 4)
        let calmEnd = MachineClock.now()

        var frozen: [Int: Double] = [:]
        for step in 0..<36 {
            let i = Int.random(in: clients.indices)
            switch Int.random(in: 0..<6) {
            case 0, 1, 2:
                // kill -9, with allowances in hand, and another process in its place at once.
                clients[i].process.destroy()
                frozen[i] = nil
                let log = cluster.folder.file("client-\(i)-\(clients[i].logs.count)")
                clients[i].logs.append(log)
                clients[i].process = try Self.start(binary, addresses, cluster.folder, log)
            case 3, 4:
                clients[i].process.send(SIGSTOP)
                frozen[i] = Double(step) + Double.random(in: 0.5...8)
            default: break
            }
            switch step {
            case 8: cluster.kill(cluster.nodes[0])
            case 14: try cluster.start(cluster.nodes[0])
            case 20: cluster.freeze(cluster.nodes[1])
            case 25: cluster.thaw(cluster.nodes[1])
            case 29:
                cluster.kill(cluster.nodes[2])
                try cluster.start(cluster.nodes[2])
            default: break
            }
            pause(seconds: 0.33)
            for (i, until) in frozen where until <= Double(step) {
                clients[i].process.send(SIGCONT)
                frozen[i] = nil
            }
        }
        for i in frozen.keys { clients[i].process.send(SIGCONT) }
        try cluster.waitUntilWhole()
        pause(seconds: 2)
        let before = try admissions(of: clients).count
        pause(seconds: 3)
        #expect(try admissions(of: clients).count > before + 200, "clients are served again")
        // A polite end reports the last usage and leaves no error.
        clients[0].process.send(SIGTERM)
        #expect(clients[0].process.wait(upTo: 30) == .exited(0))
        for client in clients { client.process.destroy() }

        let noted = try cluster.admissions() + admissions(of: clients)
        let violations = PromiseChecker.violations(noted)
        #expect(violations.isEmpty, "\(violations.prefix(10))")
        #expect(cluster.fallen.isEmpty)
        // Use in the calm phase, where the machine is not judged by: half of the limit is a weak word, but nobody is refused for nothing.
        // The same is judged exactly in virtual time by EmbeddedClientTests.
        let fast = noted.filter { $0.tolerance == 500_000_000 && $0.emissionInterval == 1_000_000 }
        let byKey = Dictionary(grouping: fast.filter { calm <= $0.at && $0.at < calmEnd }, by: \.bucket)
        let used = Double(byKey.values.map(\.count).max() ?? 0)
        let possible = Double(calmEnd - calm) / 1e6
        #expect(used > 0.5 * possible, "\(used) of \(possible)")
        print(
            "  \(noted.count) admissions, of which \(try admissions(of: clients).count) by clients alone; in the calm phase "
                + String(format: "%.3f of the limit was used", used / possible))
    }

    private func admissions(of clients: [Client]) throws -> [Admission] {
        try DecisionLogReader.all(clients.flatMap(\.logs))
    }
}

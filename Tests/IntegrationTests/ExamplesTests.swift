import Foundation
import Glibc
import Testing

extension IntegrationTests {
    /// The examples of docs/client.md, as their readers run them.
    @Suite(.timeLimit(.minutes(5)))
    struct ExamplesTests {
        /// A cluster of three with the example's own rules, and the environment that leads to it.
        private static func run(_ example: String, _ body: (ClusterHarness, [String: String]) throws -> Void) throws {
            try ClusterHarness.run(nodes: 3) { cluster in
                let rules = URL(filePath: #filePath).deletingLastPathComponent()
                    .appending(path: "../../docs/examples/\(example)/rules.yaml").standardizedFileURL.path
                let applied = try Binary.run(
                    "rules", "apply", "-f", rules, "--http", "127.0.0.1:\(cluster.nodes[0].httpPort)")
                #expect(applied.code == 0, "\(applied)")
                try body(
                    cluster,
                    ["MILLRACE_NODES": cluster.nodes.map { "127.0.0.1:\($0.peerPort)" }.joined(separator: ",")])
                #expect(cluster.fallen.isEmpty)
            }
        }

        @Test("Two instances of the web service share their users' limits")
        func limitedService() throws {
            try Self.run("limited-service") { cluster, environment in
                let program = try Binary.path(of: "limited-service")
                let ports = try FreePorts.take(2)
                let instances = try ports.map { port in
                    let log = cluster.folder.file("service-\(port)")
                    return try ChildProcess(
                        program, [], environment: environment.merging(["PORT": "\(port)"]) { $1 }, output: log,
                        errors: log)
                }
                for port in ports {
                    #expect(
                        eventually(within: 20) {
                            (try? HTTPCall.send("GET", "/quotes", port: port, headers: ["x-user": "\(port)"]))?.status
                                == 200
                        })
                }
                // Three times of what ann may have: ten at once, and five a second. The clock starts before the first request.
                let start = MachineClock.now()
                var statuses: [Int: Int] = [:]
                var refused: HTTPAnswer?
                while MachineClock.now() - start < 4_000_000_000 {
                    for port in ports {
                        let answer = try HTTPCall.send("GET", "/quotes", port: port, headers: ["x-user": "ann"])
                        statuses[answer.status, default: 0] += 1
                        if answer.status == 429 { refused = answer }
                    }
                    usleep(50_000)
                }
                let seconds = Double(MachineClock.now() - start) / 1e9
                let admitted = statuses[200] ?? 0
                #expect(Double(admitted) <= 10 + 5 * seconds * 1.001, "\(statuses) in \(seconds) s")
                #expect(Double(admitted) >= 0.7 * (10 + 5 * seconds), "\(statuses) in \(seconds) s")
                #expect(Set(statuses.keys) == [200, 429], "\(statuses)")
                let answer = try #require(refused)
                #expect(answer.headers["retry-after"] != nil && answer.headers["ratelimit"] != nil, "\(answer)")
                #expect(answer.headers["content-type"] == "application/problem+json", "\(answer)")
                print("  two instances admitted \(admitted) of \(10 + 5 * seconds) in \(seconds) s")

                // All or nothing: two reports a minute for acme, whoever asks.
                let reports = try ["bob", "eve", "joe"].map {
                    try HTTPCall.send("GET", "/reports/acme", port: ports[0], headers: ["x-user": $0]).status
                }
                #expect(reports == [200, 200, 429])

                for instance in instances { instance.send(SIGTERM) }
                for instance in instances { #expect(instance.wait(upTo: 20) == .exited(0)) }
                #expect(try PromiseChecker.violations(cluster.admissions()).isEmpty)
            }
        }

        @Test("A fleet of two keeps a partner's quota, and does all its jobs")
        func workerFleet() throws {
            try Self.run("worker-fleet") { cluster, environment in
                let program = try Binary.path(of: "worker-fleet")
                let start = MachineClock.now()
                let fleet = try (0..<2).map { i in
                    let output = cluster.folder.file("fleet-\(i)")
                    return (
                        output,
                        try ChildProcess(program, ["20"], environment: environment, output: output, errors: output)
                    )
                }
                for (output, process) in fleet {
                    #expect(process.wait(upTo: 60) == .exited(0), "\(Binary.text(of: output))")
                    #expect(Binary.text(of: output).contains("all 20 calls after"), "\(Binary.text(of: output))")
                }
                // Forty calls, ten at once and ten a second.
                let seconds = Double(MachineClock.now() - start) / 1e9
                #expect(seconds >= 3 * 0.999, "\(seconds) s")
                print("  forty calls of a fleet of two took \(seconds) s, at least 3")
                #expect(try PromiseChecker.violations(cluster.admissions()).isEmpty)
            }
        }
    }
}

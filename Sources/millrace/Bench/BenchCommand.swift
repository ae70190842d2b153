import ArgumentParser
import Foundation
import LimiterBench
import LimiterCore
import MillraceServer
import NIOCore
import NIOPosix

/// `millrace bench`: figures, each with a reference measured in the same run.
struct Bench: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Measure, each figure beside a reference in the same run.",
        discussion: """
            Machines differ and are noisy, so what counts are the ratios. Measure a release build: \
            swift run -c release millrace bench local. All load goes to 127.0.0.1 and ends by itself.
            """,
        subcommands: [Local.self, RESP.self, HTTP.self, Reserve.self, Idle.self, Client.self])

    /// One line of a table.
    static func row(_ what: String, _ figure: String, _ reference: String, ratio: Double, bound: String) {
        let columns = [
            what.padding(toLength: 44, withPad: " ", startingAt: 0),
            figure.padding(toLength: 16, withPad: " ", startingAt: 0),
            reference.padding(toLength: 26, withPad: " ", startingAt: 0), String(format: "%.2fx", ratio),
            "(bound \(bound))",
        ]
        say("  " + columns.joined(separator: " "))
    }

    static func perSecond(_ value: Double) -> String {
        value >= 1e6 ? String(format: "%.2fM/s", value / 1e6) : String(format: "%.1fk/s", value / 1e3)
    }

    struct Local: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Decisions from an allowance, in this process.",
            discussion: """
                Hot key: rule look-up, keyed hash and decision, against one clock reading, one uncontended lock and the same \
                hash. A million keys: the decision for identities that are hashed already, against a walk over the same table \
                in C with a lock; in both, each step depends on the one before, as requests do that arrive one by one.
                """)

        @Option(help: "Rounds, of which the median counts.")
        var rounds = 15

        func run() async throws {
            try await withExitCodes {
                do { say(try LocalBench.run(rounds: rounds).description) } catch {
                    throw StartFailure(.failed, "\(error)")
                }
            }
        }
    }

    struct Client: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Decisions of the embedded client, and many clients against three nodes.",
            discussion: """
                First what a decision costs in this process, at one and two threads, by name and prehashed, against one clock \
                reading, one uncontended lock and the keyed hash. Then many clients that ask for more than there is, die and \
                pause at random: messages, the nodes' processor time, use of the limit, and whether any window admitted too much.
                """)

        @Option(help: "Rounds, of which the median counts.")
        var rounds = 7

        @Option(help: "Keys, where there are many.")
        var keys = 1_000_000

        @Option(help: "Clients against three nodes; 0 leaves them out.")
        var clients = 200

        @Option(help: "Seconds for which the clients are watched.")
        var seconds = 20.0

        func validate() throws {
            guard (1...100).contains(rounds), (1_000...10_000_000).contains(keys), (0...2_000).contains(clients),
                seconds > 0, seconds <= 600
            else {
                throw ValidationError(
                    "rounds from 1 to 100, keys from 1,000 to 10,000,000, clients up to 2,000, seconds up to 600")
            }
        }

        func run() async throws {
            try await withExitCodes {
                try BenchClientLocal(keys: keys).run(rounds: rounds, operations: 1_000_000)
                if clients > 0 { try await BenchClientFleet(clients: clients, seconds: seconds).run() }
            }
        }
    }

    struct Load: ParsableArguments {
        @Option(help: "Seconds for each measurement; at most 60.")
        var seconds = 3.0

        @Option(help: "Rounds, of which the median counts.")
        var rounds = 3

        @Option(help: "Connections.")
        var connections = 50

        func validate() throws {
            guard seconds > 0, seconds <= LoadGenerator.longest, (1...100).contains(rounds),
                (1...1000).contains(connections)
            else { throw ValidationError("seconds from 0 to 60, rounds from 1 to 100, connections from 1 to 1000") }
        }
    }

    struct RESP: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "resp", abstract: "CL.THROTTLE against a GCRA Lua script in redis-server.",
            discussion:
                "Starts three nodes and, if it is installed, a redis-server; the same load goes to both in turn.")

        @OptionGroup var load: Load

        func run() async throws {
            try await withExitCodes {
                let cluster = try await BenchCluster.start()
                let clients = MultiThreadedEventLoopGroup(numberOfThreads: 1)
                let redis = BenchRedis(port: 16_379)
                if redis == nil { say("redis-server is not installed (apt install redis-server): no reference") }
                try await Task.sleep(for: .milliseconds(500))
                // One bucket that is never empty, and a hundred thousand that are asked in turn.
                let shapes: [(name: String, keys: Int)] = [("one hot key", 1), ("100,000 keys", 100_000)]
                say(
                    "  \(load.connections) connections, one node of three driven, \(load.seconds) s, \(load.rounds) rounds\n"
                )
                for (name, keys) in shapes {
                    for (pipeline, bound) in [(1, "1x"), (16, "4x")] {
                        var (ours, theirs, ping): ([Double], [Double], [Double]) = ([], [], [])
                        var errors = 0
                        for _ in 0..<load.rounds {
                            let mine = try await generator(cluster.respPorts[0], pipeline) { n in
                                ["CL.THROTTLE", "k\(n % keys)", "999999", "1000000", "1", "1"]
                            }.run(seconds: load.seconds, group: clients)
                            ours.append(mine.perSecond)
                            errors += mine.errors
                            guard let redis else { continue }
                            theirs.append(
                                try await generator(redis.port, pipeline) { n in
                                    ["EVAL", BenchRedis.script, "1", "k\(n % keys)", "999999", "1000000", "1", "1"]
                                }.run(seconds: load.seconds, group: clients).perSecond)
                            var pings = generator(redis.port, pipeline) { _ in ["PING"] }
                            pings.framing = .lines(1)
                            ping.append(try await pings.run(seconds: min(load.seconds, 1), group: clients).perSecond)
                        }
                        let reference =
                            redis == nil ? "-" : "Lua \(perSecond(median(theirs))) PING \(perSecond(median(ping)))"
                        row(
                            "CL.THROTTLE, \(name), \(pipeline) deep", perSecond(median(ours)), reference,
                            ratio: median(ours) / median(theirs), bound: bound)
                        if errors > 0 { say("    \(errors) error answers") }
                    }
                }
                redis?.stop()
                await cluster.stop()
                try? await clients.shutdownGracefully()
            }
        }

        private func generator(
            _ port: Int, _ pipeline: Int, _ words: @escaping @Sendable (Int) -> [String]
        ) -> LoadGenerator {
            LoadGenerator(port: port, connections: load.connections, pipeline: pipeline, framing: .lines(6)) {
                respCommand(words($0))
            }
        }
    }

    struct HTTP: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "http", abstract: "/v1/acquire against the same server answering a constant.")

        @OptionGroup var load: Load

        func run() async throws {
            try await withExitCodes {
                let rules = "rules: [{name: bench, rate: {tokens: 1000000, per: 1s}, burst: 1000000}]"
                let cluster = try await BenchCluster.start(rules: rules)
                let clients = MultiThreadedEventLoopGroup(numberOfThreads: 1)
                let constant = ConstantServer(group: cluster.group)
                let port = try await constant.start()
                let body = #"{"rule":"bench","key":"hot","cost":1}"#
                let request = Array(
                    "POST /v1/acquire HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: \(body.utf8.count)\r\n\r\n\(body)"
                        .utf8)
                var (ours, theirs): ([Double], [Double]) = ([], [])
                for _ in 0..<load.rounds {
                    ours.append(try await run(cluster.httpPorts[0], request, clients))
                    theirs.append(try await run(port, request, clients))
                }
                row(
                    "POST /v1/acquire, \(load.connections) connections", perSecond(median(ours)),
                    "constant \(perSecond(median(theirs)))", ratio: median(ours) / median(theirs), bound: "0.8x")
                constant.stop()
                await cluster.stop()
                try? await clients.shutdownGracefully()
            }
        }

        private func run(_ port: Int, _ request: [UInt8], _ group: any EventLoopGroup) async throws -> Double {
            try await LoadGenerator(
                port: port, connections: load.connections, pipeline: 1, framing: .http, request: { _ in request }
            ).run(seconds: load.seconds, group: group).perSecond
        }
    }

    struct Reserve: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "reserve",
            abstract: "Requests that need a record in the log: reservations a second, with fdatasync.")

        @OptionGroup var load: Load

        func run() async throws {
            try await withExitCodes {
                let cluster = try await BenchCluster.start()
                let clients = MultiThreadedEventLoopGroup(numberOfThreads: 1)
                // A bucket of one token that refills once a minute: every first request needs a record of its own.
                let run = UInt32.random(in: 0 ... .max)
                try await latencies(cluster, run)
                say(
                    "  buckets of one token, each asked once; \(load.connections) connections, one node of three driven\n"
                )
                for pipeline in [1, 16, 128] {
                    var (rates, errors): ([Double], Int) = ([], 0)
                    for round in 0..<load.rounds {
                        let before = try await bounds(cluster)
                        let began = Date()
                        let result = try await LoadGenerator(
                            port: cluster.respPorts[0], connections: load.connections, pipeline: pipeline,
                            framing: .lines(6)
                        ) { respCommand(["CL.THROTTLE", "r\(run)-\(pipeline)-\(round)-\($0)", "0", "1", "60", "1"]) }
                        .run(seconds: load.seconds, group: clients)
                        errors += result.errors
                        rates.append(Double(try await bounds(cluster) - before) / Date().timeIntervalSince(began))
                    }
                    say(
                        "  \(pipeline) deep: \(Bench.perSecond(median(rates))) reservations\(errors > 0 ? ", \(errors) errors" : "")"
                    )
                }
                say(
                    "  (bound 100k/s on nodes with a disk of their own; here three nodes and the load share this machine)"
                )
                await cluster.stop()
                try? await clients.shutdownGracefully()
            }
        }

        /// What one caller waits for the first request on a cold key, one request at a time.
        private func latencies(_ cluster: BenchCluster, _ run: UInt32) async throws {
            // A full bucket of 1,000 is inside its slack; one of one token has none.
            let kinds: [(name: String, burst: Int64, period: Int64, isHere: Bool, bound: String)] = [
                ("owned here, inside slack", 1_000, 1, true, "-"),
                ("owned elsewhere, inside slack", 1_000, 1, false, "one peer round trip; 150 us wanted"),
                ("owned elsewhere, logged", 1, 60, false, "two round trips and a sync; 350 us wanted"),
            ]
            say("  the first request on a cold key, one caller, median:\n")
            let port = cluster.respPorts[0]
            let pings = Array(repeating: respCommand(["PING"]), count: 2_000)
            let ping = try await Task.detached { try LatencyProbe(port: port).median(of: pings, lines: 1) }.value
            say(String(format: "  PING: %.0f us", ping))
            for (i, (name, burst, period, isHere, bound)) in kinds.enumerated() {
                let limit = try Limit(tokens: burst, per: period * 1_000_000_000, burst: burst)
                var commands: [[UInt8]] = []
                for n in 0..<20_000 where commands.count < 1_000 {
                    let key = "l\(run)-\(i)-\(n)"
                    guard let owner = await cluster.nodes[0].owner(ofKey: key, limit: limit), (owner == 1) == isHere
                    else {
                        continue
                    }
                    commands.append(
                        respCommand(["CL.THROTTLE", key, "\(burst - 1)", "\(burst)", "\(period)", "1"]))
                }
                let chosen = commands
                let time = try await Task.detached { try LatencyProbe(port: port).median(of: chosen, lines: 6) }.value
                say(String(format: "  %@: %.0f us (%@)", name, time, bound))
            }
            say("")
        }

        private func bounds(_ cluster: BenchCluster) async throws -> Int {
            var sum = 0
            for node in cluster.nodes { sum += await node.counter("millrace_owner_bounds_proposed_total") }
            return sum
        }
    }

    struct Idle: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "What a cluster costs that nobody asks: CPU, messages, syncs.")

        @Option(help: "Seconds to watch; at most 600.")
        var seconds = 20.0

        func run() async throws {
            try await withExitCodes {
                let cluster = try await BenchCluster.start()
                try await Task.sleep(for: .seconds(3))
                let names = ["millrace_peer_messages_sent_total", "millrace_log_syncs_total"]
                var before: [[Int]] = []
                for node in cluster.nodes { before.append(await counters(node, names)) }
                let cpu = cpuSeconds()
                try await Task.sleep(for: .seconds(min(seconds, 600)))
                let used = cpuSeconds() - cpu
                say(
                    String(
                        format: "  CPU: %.2f %% of a core a node (bound 1 %%)",
                        used / seconds / Double(cluster.nodes.count) * 100))
                for (i, node) in cluster.nodes.enumerated() {
                    let after = await counters(node, names)
                    say(
                        String(
                            format: "  node %d: %.0f peer messages a second sent (bound 100), %d syncs", i + 1,
                            Double(after[0] - before[i][0]) / seconds, after[1] - before[i][1]))
                }
                await cluster.stop()
            }
        }

        private func counters(_ node: Node, _ names: [String]) async -> [Int] {
            var values: [Int] = []
            for name in names { values.append(await node.counter(name)) }
            return values
        }

        private func cpuSeconds() -> Double {
            var usage = rusage()
            getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage)
            func seconds(_ time: timeval) -> Double { Double(time.tv_sec) + Double(time.tv_usec) / 1e6 }
            return seconds(usage.ru_utime) + seconds(usage.ru_stime)
        }
    }
}

extension Node {
    /// The sum of a metric's values, as operators read it.
    func counter(_ name: String) async -> Int {
        await metricsText().split(separator: "\n").filter { $0.hasPrefix(name + " ") || $0.hasPrefix(name + "{") }
            .compactMap { $0.split(separator: " ").last.flatMap { Int($0) } }.reduce(0, +)
    }
}

import Foundation
import LimiterCore
import Logging
import MillraceClient
import MillraceServer
import SystemTime
import Synchronization

/// Many embedded clients in this process against three nodes in processes of their own; clients die and pause at random.
struct BenchClientFleet {
    let clients: Int
    let seconds: Double

    private static let rules = """
        rules:
          - name: shared
            rate: {tokens: 5000, per: 1s}
            burst: 5000

        """
    /// What all clients together ask for, as a part of the limit.
    private static let demand = 1.5

    func run() async throws {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("millrace-fleet-\(getpid())")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let nodes = try startNodes(folder)
        defer { for node in nodes { kill(node.processIdentifier, SIGKILL) } }
        let addresses = (1...3).map { "127.0.0.1:\(17_100 + $0)" }
        let notes = Notes()
        // The first client waits until the cluster is there.
        try await withClient(addresses, notes) { client in try await client.waitUntilReady() }
        let fleet = Fleet()
        let running = Task {
            await withTaskGroup(of: Void.self) { group in
                for i in 0..<clients {
                    group.addTask { await live(i, addresses, notes, fleet) }
                }
            }
        }
        // Everybody connects, and the first burst is over.
        try await Task.sleep(for: .seconds(4))
        let (cpu, start, messages) = (nodes.map(Self.cpuTime), SystemClock.now(), try await Self.messages())
        try await Task.sleep(for: .seconds(seconds))
        let (cpuAfter, end, messagesAfter) = (nodes.map(Self.cpuTime), SystemClock.now(), try await Self.messages())
        fleet.stop()
        await running.value
        try await Task.sleep(for: .milliseconds(300))
        for node in nodes { node.terminate() }
        for node in nodes { node.waitUntilExit() }
        report(
            folder, notes, from: start, to: end, zip(cpu, cpuAfter).map { $1 - $0 }, messages: messagesAfter - messages,
            fleet)
    }

    private func startNodes(_ folder: URL) throws -> [Process] {
        let file = folder.appendingPathComponent("rules.yaml").path
        try Self.rules.write(toFile: file, atomically: true, encoding: .utf8)
        let members = (1...3).map { "\($0)=127.0.0.1:\(17_100 + $0)" }.joined(separator: ",")
        return try (1...3).map { i in
            let process = Process()
            process.executableURL = URL(
                filePath: CommandLine.arguments[0].hasPrefix("/")
                    ? CommandLine.arguments[0] : "/proc/self/exe"
            ).resolvingSymlinksInPath()
            process.arguments = [
                "serve", "--node", "\(i)", "--cluster", members, "--data", folder.appendingPathComponent("\(i)").path,
                "--http", "127.0.0.1:\(18_080 + i)", "--rules", file, "--decision-log",
                folder.appendingPathComponent("decisions-\(i)").path, "--log-level",
                "critical",
            ]
            try process.run()
            return process
        }
    }

    /// One client's life: it asks, pauses now and then with its allowances in hand, dies now and then, and comes again.
    private func live(_ i: Int, _ addresses: [String], _ notes: Notes, _ fleet: Fleet) async {
        var generator = SystemRandomNumberGenerator()
        let interval = Double(clients) / (5_000 * Self.demand)
        while !fleet.isStopped {
            try? await withClient(addresses, notes) { client in
                let end = ContinuousClock.now + .milliseconds(Int.random(in: 3_000...20_000, using: &generator))
                var next = ContinuousClock.now
                while !fleet.isStopped, ContinuousClock.now < end {
                    next += .seconds(interval * Double.random(in: 0...2, using: &generator))
                    if Int.random(in: 0..<600, using: &generator) == 0 {
                        try await Task.sleep(for: .milliseconds(Int.random(in: 50...800, using: &generator)))
                        next = ContinuousClock.now
                    }
                    try await Task.sleep(until: next)
                    let decision = try await client.tryAcquire("shared", key: "everybody")
                    fleet.count(decision)
                }
            }
        }
    }

    /// A client for the time of `body`; then it dies without a word.
    private func withClient(
        _ addresses: [String], _ notes: Notes, _ body: (MillraceClient) async throws -> Void
    ) async throws {
        var configuration = MillraceClient.Configuration(nodes: .list(addresses))
        configuration.capacity = 256
        configuration.startTimeout = .seconds(30)
        configuration.shutdownTimeout = .zero
        var logger = Logger(label: "fleet")
        logger.logLevel = .critical
        let client = try MillraceClient(configuration, logger: logger, observer: notes)
        let running = Task { try await client.run() }
        defer { running.cancel() }
        try await body(client)
    }

    // MARK: What came of it

    private func report(
        _ folder: URL, _ notes: Notes, from start: ClockTime, to end: ClockTime, _ cpu: [Double], messages: Int,
        _ fleet: Fleet
    ) {
        var all = notes.take()
        let local = all.count { start <= $0.at && $0.at < end }
        for i in 1...3 { all += Self.read(folder.appendingPathComponent("decisions-\(i)").path) }
        let limit = all.first.map { ($0.interval, $0.tolerance) } ?? (1, 1)
        all.sort { $0.at < $1.at }
        let elapsed = Double(end - start) / 1e9
        let admitted = all.count { start <= $0.at && $0.at < end }
        let possible = elapsed * 1e9 / Double(limit.0)
        say(
            "  \(clients) clients, \(String(format: "%.1f", elapsed)) s, a limit of 5000/s asked for \(Self.demand) times"
        )
        say(
            String(
                format: "  admitted %.0f/s, utilisation %.3f (bound 0.97); %.0f %% decided by clients alone",
                Double(admitted) / elapsed, Double(admitted) / possible, 100 * Double(local) / Double(max(1, admitted)))
        )
        say("  over-admission: \(max(0, Self.worstExcess(all, tolerance: limit.1))) ns of virtual time (bound 0)")
        let perNode = cpu.map { String(format: "%.3f", $0 / elapsed) }.joined(separator: ", ")
        say(
            String(format: "  messages between clients and nodes: %.0f/s", Double(messages) / elapsed)
                + "; CPU of the nodes: \(perNode) of a core")
        say("  callers saw \(fleet.summary)")
    }

    /// The most that any window admits beyond the promise, in nanoseconds of virtual time; `admissions` by time.
    private static func worstExcess(_ admissions: [Note], tolerance: Int64) -> Int64 {
        guard let first = admissions.first else { return 0 }
        var (sum, least, worst): (Int64, Int64, Int64) = (0, .max, .min)
        for admission in admissions {
            let passed = admission.at - first.at
            let stretched = passed + passed / 2_000 + 1
            least = min(least, sum - stretched)
            sum += admission.time
            worst = max(worst, sum - stretched - least - tolerance)
        }
        // Rounding of the two stretched times.
        return worst - 2
    }

    struct Note: Sendable {
        var at: ClockTime
        var time: Int64
        var interval: Int64
        var tolerance: Int64
    }

    /// What nodes noted: records of 48 bytes (see ``DecisionLog``).
    private static func read(_ path: String) -> [Note] {
        guard let data = try? Data(contentsOf: URL(filePath: path), options: .alwaysMapped) else { return [] }
        return data.withUnsafeBytes { raw in
            var found: [Note] = []
            var empty = 0
            for place in stride(from: 0, to: raw.count - 47, by: 48) {
                func word(_ k: Int) -> Int64 { raw.loadUnaligned(fromByteOffset: place + 8 * k, as: Int64.self) }
                guard word(5) != 0 else {
                    empty += 1
                    if empty > 64 { break }
                    continue
                }
                found.append(Note(at: ClockTime(ns: word(2)), time: word(3), interval: word(4), tolerance: word(5)))
            }
            return found
        }
    }

    /// Messages between the nodes and their clients so far, as the nodes count them.
    private static func messages() async throws -> Int {
        var sum = 0
        for i in 1...3 {
            let text = String(
                decoding: try await HTTPClient("127.0.0.1:\(18_080 + i)").get("GET", "/metrics"), as: UTF8.self)
            for line in text.split(separator: "\n") where line.hasPrefix("millrace_client_messages_total ") {
                sum += Int(line.split(separator: " ")[1]) ?? 0
            }
        }
        return sum
    }

    /// User and system time of a process, in seconds.
    private static func cpuTime(_ process: Process) -> Double {
        guard let text = try? String(contentsOfFile: "/proc/\(process.processIdentifier)/stat", encoding: .utf8),
            let close = text.lastIndex(of: ")")
        else { return 0 }
        let fields = text[close...].split(separator: " ")
        guard fields.count > 13, let user = Double(fields[12]), let system = Double(fields[13]) else { return 0 }
        return (user + system) / Double(sysconf(Int32(_SC_CLK_TCK)))
    }

    /// What clients decide alone.
    final class Notes: AdmissionObserver {
        private let notes = Mutex<[Note]>([])

        func admitted(_ bucket: BucketID, limit: Limit, cost: Int64, at clock: ClockTime) {
            let note = Note(
                at: clock, time: limit.time(of: cost) ?? 0, interval: limit.emissionInterval, tolerance: limit.tolerance
            )
            notes.withLock { $0.append(note) }
        }

        func take() -> [Note] { notes.withLock { $0 } }
    }

    /// What callers see, and when to stop.
    final class Fleet: Sendable {
        private let counts = Mutex((allowed: 0, limited: 0, unavailable: 0))
        private let stopped = Atomic<Bool>(false)

        var isStopped: Bool { stopped.load(ordering: .relaxed) }
        func stop() { stopped.store(true, ordering: .relaxed) }

        func count(_ decision: MillraceClient.Decision) {
            counts.withLock { counts in
                switch decision.outcome {
                case .allowed: counts.allowed += 1
                case .limited: counts.limited += 1
                case .unavailable: counts.unavailable += 1
                }
            }
        }

        var summary: String {
            counts.withLock { "\($0.allowed) allowed, \($0.limited) limited, \($0.unavailable) unavailable" }
        }
    }
}

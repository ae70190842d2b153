import Foundation
import HTTPFrontend
import Logging
import MillraceServer
import NIOCore
import NIOPosix

/// Three nodes in this process on ports of their own, for a measurement.
struct BenchCluster {
    let nodes: [Node]
    let group: MultiThreadedEventLoopGroup
    private let folder: URL
    private var doors: [Task<Void, any Error>] = []
    let respPorts: [Int]
    let httpPorts: [Int]

    static func start(nodes count: Int = 3, rules: String? = nil) async throws -> BenchCluster {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("millrace-bench-\(getpid())")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        var rulesFile: String?
        if let rules {
            rulesFile = folder.appendingPathComponent("rules.yaml").path
            try rules.write(toFile: rulesFile!, atomically: true, encoding: .utf8)
        }
        let members = (1...count).map { Member(id: UInt32($0), address: Address(host: "127.0.0.1", port: 17_100 + $0)) }
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 2)
        var logger = Logger(label: "millrace")
        // What a measurement ends, it ends at once: that is no error.
        logger.logLevel = .critical
        var started: [Node] = []
        var doors: [Task<Void, any Error>] = []
        for member in members {
            var options = NodeOptions(
                node: member.id, members: members, dataFolder: folder.appendingPathComponent("\(member.id)").path)
            options.resp = Address(host: "127.0.0.1", port: 16_380 + Int(member.id))
            options.http = Address(host: "127.0.0.1", port: 18_080 + Int(member.id))
            options.rulesFile = rulesFile
            let node = try await Node.start(options, group: group, logger: logger) { failure in
                _ = fail(failure)
                _exit(failure.code.exitCode)
            }
            started.append(node)
            if let door = node.httpService(group: group) { doors.append(Task { try await door.run() }) }
        }
        for node in started { _ = await node.waitUntilReady() }
        for node in started { await node.applyRulesFile() }
        // The rules have to reach every node.
        try await Task.sleep(for: .milliseconds(500))
        return BenchCluster(
            nodes: started, group: group, folder: folder, doors: doors, respPorts: members.map { 16_380 + Int($0.id) },
            httpPorts: members.map { 18_080 + Int($0.id) })
    }

    private init(
        nodes: [Node], group: MultiThreadedEventLoopGroup, folder: URL, doors: [Task<Void, any Error>],
        respPorts: [Int],
        httpPorts: [Int]
    ) {
        self.nodes = nodes
        self.group = group
        self.folder = folder
        self.doors = doors
        self.respPorts = respPorts
        self.httpPorts = httpPorts
    }

    func stop() async {
        for door in doors { door.cancel() }
        for node in nodes { await node.stop() }
        try? await group.shutdownGracefully()
        try? FileManager.default.removeItem(at: folder)
    }
}

/// A redis-server of our own, without persistence, if one is installed.
final class BenchRedis {
    let port: Int
    private let process: Process

    /// GCRA as a Lua script: the reference for `CL.THROTTLE`, with the same five integers.
    static let script = """
        local burst, count, period, quantity = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
        local t = redis.call('TIME')
        local now = t[1] * 1000000 + t[2]
        local interval = period * 1000000 / count
        local tolerance = interval * (burst + 1)
        local tat = tonumber(redis.call('GET', KEYS[1]) or now)
        if tat < now then tat = now end
        local new = tat + interval * quantity
        if new - tolerance > now then
          return {1, burst + 1, math.floor((tolerance - (tat - now)) / interval), math.ceil((new - tolerance - now) / 1000000), \
        math.ceil((tat - now) / 1000000)}
        end
        redis.call('SET', KEYS[1], string.format('%.0f', new), 'PX', math.ceil((new - now) / 1000) + 1)
        return {0, burst + 1, math.floor((tolerance - (new - now)) / interval), -1, math.ceil((new - now) / 1000000)}
        """

    init?(port: Int) {
        let paths = ["/usr/bin/redis-server", "/usr/local/bin/redis-server"]
        guard let path = paths.first(where: { FileManager.default.isExecutableFile(atPath: $0) }) else { return nil }
        self.port = port
        process = Process()
        process.executableURL = URL(filePath: path)
        process.arguments = [
            "--port", String(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--daemonize", "no",
        ]
        process.standardOutput = FileHandle.nullDevice
        process.standardError = FileHandle.nullDevice
        do { try process.run() } catch { return nil }
    }

    func stop() {
        // It keeps nothing; and it may have inherited a signal mask with which it would not hear a polite request.
        kill(process.processIdentifier, SIGKILL)
        process.waitUntilExit()
    }
}

/// The bytes of a RESP command.
func respCommand(_ words: [String]) -> [UInt8] {
    Array(("*\(words.count)\r\n" + words.map { "$\($0.utf8.count)\r\n\($0)\r\n" }.joined()).utf8)
}

/// The middle one.
func median(_ values: [Double]) -> Double {
    let sorted = values.sorted()
    return sorted.isEmpty ? .nan : sorted[sorted.count / 2]
}

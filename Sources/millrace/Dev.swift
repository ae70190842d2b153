import ArgumentParser
import Foundation
import Logging
import MillraceServer
import NIOPosix
import ServiceLifecycle

/// `millrace dev`: a whole cluster in one process, to try things out.
struct Dev: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Run a whole cluster in this process, with data in a temporary folder.",
        discussion: """
            Node i answers Redis clients on port 6380+i and HTTP on 8080+i, all on 127.0.0.1; the nodes talk to each other on \
            7100+i. Ctrl-C stops it cleanly and removes the data.
            """)

    @Option(help: "How many nodes: 1, 3 or 5.")
    var nodes = 3

    @Option(help: ArgumentHelp("Rules to start with, YAML or JSON.", valueName: "file"))
    var rules: String?

    @Option(help: "How much to log: trace, debug, info, notice, warning, error or critical.")
    var logLevel: Logger.Level = .warning

    @Option(help: .hidden)
    var portOffset = 0

    func validate() throws {
        guard [1, 3, 5].contains(nodes) else {
            throw ValidationError("--nodes \(nodes): a cluster has 1, 3 or 5 nodes (a majority must be able to agree)")
        }
    }

    func run() async throws {
        try await withExitCodes {
            setUpLogging(logLevel)
            let data = FileManager.default.temporaryDirectory.appendingPathComponent("millrace-dev-\(getpid())")
            defer { try? FileManager.default.removeItem(at: data) }
            let members = (1...nodes).map {
                Member(id: UInt32($0), address: Address(host: "127.0.0.1", port: 7100 + portOffset + $0))
            }
            let all = members.map { member in
                var options = NodeOptions(
                    node: member.id, members: members, dataFolder: data.appendingPathComponent("\(member.id)").path)
                options.resp = Address(host: "127.0.0.1", port: 6380 + portOffset + Int(member.id))
                options.http = Address(host: "127.0.0.1", port: 8080 + portOffset + Int(member.id))
                options.rulesFile = rules
                return options
            }
            try await NodeProcess(nodes: all) { say(welcome(all)) }.run()
        }
    }

    private func welcome(_ nodes: [NodeOptions]) -> String {
        let resp = nodes.map { "\($0.resp!.port)" }
        let http = nodes.map { "\($0.http!.port)" }
        return """

            Millrace is up: \(nodes.count) node\(nodes.count == 1 ? "" : "s") on 127.0.0.1, \
            Redis protocol on \(resp.joined(separator: ", ")), HTTP on \(http.joined(separator: ", ")).

            Try, in another terminal:

              redis-cli -p \(resp[0]) CL.THROTTLE user:1 15 30 60      # 16 at once, then 30 a minute
              redis-cli -p \(resp.last!) CL.THROTTLE user:1 15 30 60      # another node, the same bucket

              echo '{"rules":[{"name":"api","rate":{"tokens":100,"per":"1s"},"burst":200}]}' > rules.json
              millrace rules apply -f rules.json --http 127.0.0.1:\(http[0])
              curl -s 127.0.0.1:\(http.last!)/v1/acquire -d '{"rule":"api","key":"user:42","cost":1}'

              millrace status --http 127.0.0.1:\(http[0])

            Ctrl-C stops it.
            """
    }
}

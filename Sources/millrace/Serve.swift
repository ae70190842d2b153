import ArgumentParser
import Foundation
import Logging
import MillraceServer

/// `millrace serve`: one node of a cluster.
struct Serve: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Run one node of a cluster.",
        discussion: """
            Start the same command on each machine with its own --node and --data. Flags may also come from a YAML file \
            (--config, with the flags' names as keys) and from the environment (MILLRACE_NODE, MILLRACE_CLUSTER, …); the \
            command line wins, then the environment. SIGTERM stops the node cleanly: it hands its ranges over first.
            """)

    @Option(help: "This node's number in --cluster.")
    var node: UInt32?

    @Option(
        help: ArgumentHelp(
            "All members and where they listen for each other.", valueName: "1=host:port,2=host:port,…"))
    var cluster: String?

    @Option(help: ArgumentHelp("The folder for this node's log. It belongs to this node alone.", valueName: "dir"))
    var data: String?

    @Option(help: ArgumentHelp("Where to answer HTTP.", valueName: "host:port"))
    var http: String?

    @Option(help: ArgumentHelp("Where to answer Redis clients.", valueName: "host:port"))
    var resp: String?

    @Option(help: ArgumentHelp("Rules to apply once the cluster exists, if it has none yet.", valueName: "file"))
    var rules: String?

    @Option(help: ArgumentHelp("A YAML file with any of these settings.", valueName: "file"))
    var config: String?

    @Option(help: ArgumentHelp("What Redis clients must send with AUTH.", valueName: "password"))
    var respPassword: String?

    @Option(help: ArgumentHelp("What HTTP clients must send as a bearer token.", valueName: "token"))
    var token: String?

    @Flag(help: "Permit other addresses than loopback, though nothing is encrypted.")
    var insecure = false

    @Option(help: ArgumentHelp("All of the cluster's times in percent of the defaults.", valueName: "percent"))
    var timescale: Int64?

    @Option(help: "How much to log: trace, debug, info, notice, warning, error or critical.")
    var logLevel: String?

    @Option(help: ArgumentHelp("Note each admission in this file (for tests).", valueName: "file", visibility: .hidden))
    var decisionLog: String?

    func run() async throws {
        try await withExitCodes {
            var settings = try Settings(configFile: config, environment: ProcessInfo.processInfo.environment)
            settings.set("node", node.map(String.init))
            settings.set("cluster", cluster)
            settings.set("data", data)
            settings.set("http", http)
            settings.set("resp", resp)
            settings.set("rules", rules)
            settings.set("resp-password", respPassword)
            settings.set("token", token)
            settings.set("insecure", insecure ? "true" : nil)
            settings.set("timescale", timescale.map(String.init))
            settings.set("log-level", logLevel)
            settings.set("decision-log", decisionLog)
            let options = try settings.nodeOptions()
            setUpLogging(try settings.logLevel())
            try await NodeProcess(nodes: [options]) {}.run()
        }
    }
}

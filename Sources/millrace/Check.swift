import ArgumentParser
import Foundation
import LimiterCore
import MillraceServer

/// `millrace check`: is this file all right?
struct Check: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Validate a rules or configuration file without a cluster.",
        discussion: """
            A file with a 'rules' key is read as rules, any other as the configuration of a node. Every mistake is named with \
            its line. Exits with 78 if there is one.
            """)

    @Argument(help: "The file, YAML or JSON.")
    var file: String

    func run() async throws {
        try await withExitCodes {
            guard let data = FileManager.default.contents(atPath: file) else {
                throw StartFailure(.configuration, "cannot read '\(file)': check the path")
            }
            let text = String(decoding: data, as: UTF8.self)
            let isConfiguration = Settings.names.contains { name in
                text.split(separator: "\n").contains { $0.hasPrefix("\(name):") && name != "rules" }
            }
            if isConfiguration {
                let settings = try Settings(configFile: file, environment: [:])
                _ = try settings.nodeOptions()
                print("\(file): a good configuration")
            } else {
                let rules = try readRules(file)
                print("\(file): \(rules.count) good rule\(rules.count == 1 ? "" : "s")")
                for rule in rules {
                    print(
                        "  \(rule.name): \(rule.limit.tokens) tokens per \(Double(rule.limit.period) / 1e9) s, burst \(rule.limit.burst)"
                    )
                    if rule.reserveForCritical > 0 {
                        print("    of the burst \(rule.reserveForCritical) % are kept for critical requests")
                    }
                    if rule.limit.unit > 1 {
                        print(
                            "    at this rate tokens are counted in units of \(rule.limit.unit): costs are rounded up to a multiple of it"
                        )
                    }
                }
            }
        }
    }
}

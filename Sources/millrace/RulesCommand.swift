import ArgumentParser
import Foundation
import LimiterCore
import MillraceServer
import RuleFiles

/// `millrace rules`: the rules of a running cluster.
struct RulesCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "rules",
        abstract: "Show and change the rules of a running cluster.",
        discussion: """
            A change is answered once a majority has it; all nodes apply it in the same order. A file is applied whole or not \
            at all; rules that it does not name stay as they are.

              rules:
                - name: api
                  rate: {tokens: 100, per: 1s}
                  burst: 200               # default: tokens
                  onLimit: reject          # or {delay: 2s}
                  onIsolation: deny        # deny | share | allow
            """,
        subcommands: [List.self, Get.self, Apply.self, Delete.self])

    struct Target: ParsableArguments {
        @Option(help: ArgumentHelp("The HTTP address of any node.", valueName: "host:port"))
        var http = "127.0.0.1:8081"
    }

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "List all rules.")

        @OptionGroup var target: Target

        @Flag(help: "Print the node's answer as JSON.")
        var json = false

        func run() async throws {
            try await withExitCodes {
                let data = try await HTTPClient(target.http).get("GET", "/v1/rules")
                if json {
                    print(String(decoding: data, as: UTF8.self))
                    return
                }
                guard let object = try? JSONSerialization.jsonObject(with: data) as? [String: Any],
                    let rules = object["rules"] as? [[String: Any]]
                else { throw StartFailure(.failed, "what answers at \(target.http) is no Millrace node") }
                guard !rules.isEmpty else {
                    print("no rules; apply some with: millrace rules apply -f FILE")
                    return
                }
                for rule in rules {
                    let rate = rule["rate"] as? [String: Any]
                    let name = (rule["name"] as? String ?? "").padding(toLength: 24, withPad: " ", startingAt: 0)
                    print(
                        "\(name)  \(rate?["tokens"] ?? "?") per \(rate?["per"] ?? "?"), burst \(rule["burst"] ?? "?")")
                }
            }
        }
    }

    struct Get: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Print one rule as JSON.")

        @Argument(help: "The rule's name.")
        var name: String

        @OptionGroup var target: Target

        func run() async throws {
            try await withExitCodes {
                try checkName(name)
                print(
                    String(decoding: try await HTTPClient(target.http).get("GET", "/v1/rules/\(name)"), as: UTF8.self))
            }
        }
    }

    struct Apply: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Put all rules of a file in force, or none.")

        @Option(name: [.customShort("f"), .customLong("file")], help: "The rules file, YAML or JSON.")
        var file: String

        @OptionGroup var target: Target

        func run() async throws {
            try await withExitCodes {
                let rules = try readRules(file)
                let body = Data(RuleFile.json(rules).utf8)
                _ = try await HTTPClient(target.http).get("PUT", "/v1/rules", body: body)
                print(
                    "\(rules.count) rule\(rules.count == 1 ? "" : "s") in force: \(rules.map(\.name).joined(separator: ", "))"
                )
            }
        }
    }

    struct Delete: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Remove one rule.")

        @Argument(help: "The rule's name.")
        var name: String

        @OptionGroup var target: Target

        func run() async throws {
            try await withExitCodes {
                try checkName(name)
                _ = try await HTTPClient(target.http).get("DELETE", "/v1/rules/\(name)")
                print("rule \(name) deleted")
            }
        }
    }

    private static func checkName(_ name: String) throws {
        guard Rule.isName(name) else {
            throw StartFailure(.failed, "'\(name)' is no rule name: 1 to 64 characters of a-z, 0-9, '.', '_' and '-'")
        }
    }
}

/// The rules of a file; what is wrong with it ends the command with code 78.
func readRules(_ file: String) throws -> [Rule] {
    guard let data = FileManager.default.contents(atPath: file) else {
        throw StartFailure(.configuration, "cannot read '\(file)': check the path")
    }
    do { return try RuleFile.parse(String(decoding: data, as: UTF8.self), file: file) } catch {
        throw StartFailure(.configuration, "\(error)")
    }
}

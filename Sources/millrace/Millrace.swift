import ArgumentParser
import Foundation

/// The command line: `millrace help` teaches it.
@main
struct Millrace: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "millrace",
        abstract: "A distributed rate limiter that never admits more than the limit.",
        discussion: """
            Try it:             millrace dev
            Run one node:       millrace serve --node 1 --cluster 1=HOST:7101,2=HOST:7102,3=HOST:7103 --data DIR
            Look at a cluster:  millrace status
            Change its rules:   millrace rules apply -f rules.yaml

            Exit codes: 0 done; 1 the thing asked for failed; 64 wrong usage; 70 a bug of ours; 74 the disk; \
            78 wrong configuration; 79 the log is corrupt and the node refuses to start.
            """,
        version: "0.1.0",
        subcommands: [
            Dev.self, Serve.self, StatusCommand.self, RulesCommand.self, Check.self, Bench.self, ClientLoad.self,
            StudyCommand.self,
        ])
}

/// Prints at once, also into a file or a pipe: for what somebody waits for.
func say(_ text: String) {
    print(text)
    fflush(nil)
}

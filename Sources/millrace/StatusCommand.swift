import ArgumentParser
import Foundation
import HTTPFrontend
import MillraceServer

/// `millrace status`: members, leader, ranges and health, as one node sees them.
struct StatusCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "status",
        abstract: "Show the cluster as one node sees it.",
        discussion: "Exits with 1 if the node does not answer, or is not able to decide.")

    @Option(help: ArgumentHelp("The HTTP address of any node.", valueName: "host:port"))
    var http = "127.0.0.1:8081"

    @Flag(help: "Print the node's answer as JSON.")
    var json = false

    func run() async throws {
        try await withExitCodes {
            let data = try await HTTPClient(http).get("GET", "/v1/cluster")
            if json {
                FileHandle.standardOutput.write(data + Data("\n".utf8))
                return
            }
            let status: ClusterStatus
            do { status = try JSONDecoder().decode(ClusterStatus.self, from: data) } catch {
                throw StartFailure(.failed, "what answers at \(http) is no Millrace node: \(error)")
            }
            print(StatusCommand.text(status))
            if status.health != "ok" { throw ExitCode(1) }
        }
    }

    static func text(_ status: ClusterStatus) -> String {
        var lines = [
            "node \(status.node): \(status.health)",
            "leader \(status.leader.map(String.init) ?? "none"), term \(status.term), commit index \(status.commitIndex)",
            "",
            "  NODE  ADDRESS                 ROLE        REACHABLE  RANGES",
        ]
        for member in status.members {
            let owned = status.ranges.count { $0.owner == member.id }
            let columns = [
                String(member.id).padding(toLength: 4, withPad: " ", startingAt: 0),
                member.address.padding(toLength: max(22, member.address.count), withPad: " ", startingAt: 0),
                member.role.padding(toLength: 10, withPad: " ", startingAt: 0),
                (member.reachable ? "yes" : "no").padding(toLength: 9, withPad: " ", startingAt: 0), String(owned),
            ]
            lines.append("  " + columns.joined(separator: "  "))
        }
        let ownerless = status.ranges.count { $0.owner == nil }
        if ownerless > 0 { lines += ["", "\(ownerless) of \(status.ranges.count) ranges have no owner"] }
        return lines.joined(separator: "\n")
    }
}

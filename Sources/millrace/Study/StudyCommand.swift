import ArgumentParser
import Foundation

/// `millrace study`: what the cluster does not use, to look at.
struct StudyCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "study", abstract: "Algorithms that the cluster does not use, over real sockets, for study.",
        subcommands: [LCRCommand.self])
}

/// `millrace study lcr`: a ring election on loopback.
struct LCRCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "lcr",
        abstract: "Elect a leader in a ring of small tasks on loopback, by Le Lann, Chang and Roberts.",
        discussion: """
            Every member has a listener and a connection to the next one. It prints who was elected, the messages and the time. \
            With --silent a member takes everything and never answers: a plain ring then elects nobody and says why; with --repair \
            it goes round that member. docs/studies/elections.md has the measurements, and why the cluster elects with Raft.
            """)

    /// Two sockets' ends and a listener each: beyond this, common limits of open files are reached.
    static let mostNodes = 200

    @Option(help: "Members of the ring, 1 to \(LCRCommand.mostNodes).")
    var nodes = 5

    @Option(help: "The order of the UIDs, clockwise: ascending, descending or random.")
    var order = Order.random

    @Option(help: "Decides a random order.")
    var seed: UInt64 = 1

    @Option(help: "This member, counted from 1, never answers.")
    var silent: Int?

    @Flag(help: "Acknowledge each hop, and skip who does not answer.")
    var repair = false

    @Option(help: "Give up after so many seconds, 1 to 600.")
    var timeout = 5

    enum Order: String, ExpressibleByArgument, CaseIterable { case ascending, descending, random }

    func validate() throws {
        guard (1...LCRCommand.mostNodes).contains(nodes) else {
            throw ValidationError("--nodes must be from 1 to \(LCRCommand.mostNodes), not \(nodes)")
        }
        if let silent, !(1...nodes).contains(silent) {
            throw ValidationError("--silent names a member from 1 to \(nodes), not \(silent)")
        }
        if silent != nil, nodes == 1 { throw ValidationError("--silent needs a second member: give more --nodes") }
        guard (1...600).contains(timeout) else {
            throw ValidationError("--timeout must be from 1 to 600 seconds, not \(timeout)")
        }
    }

    private var uids: [UInt64] {
        var uids = (1...nodes).map { UInt64($0) }
        switch order {
        case .ascending: break
        case .descending: uids.reverse()
        case .random:
            var state = seed
            for i in stride(from: nodes - 1, to: 0, by: -1) {
                // SplitMix64 (Steele, Lea and Flood, 2014).
                state &+= 0x9E37_79B9_7F4A_7C15
                var z = state
                z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
                z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
                z ^= z >> 31
                uids.swapAt(i, Int(z.multipliedFullWidth(by: UInt64(i + 1)).high))
            }
        }
        return uids
    }

    func run() async throws {
        let uids = uids
        say("ring of \(nodes) on 127.0.0.1, UIDs clockwise: \(uids.map(String.init).joined(separator: " "))")
        let ring = SocketRing(
            uids: uids, repairs: repair, silent: silent.map { $0 - 1 }, timeout: .seconds(timeout))
        let result: SocketRing.Result
        do { result = try await ring.run() } catch {
            FileHandle.standardError.write(
                Data(
                    "millrace: cannot open the ring's sockets: \(error); allow more open files, or take fewer --nodes\n"
                        .utf8))
            throw ExitCode(1)
        }
        let sent = result.reports.reduce(0) { $0 + $1.sent }
        guard let leader = result.leader else {
            say(excuse(result, uids))
            throw ExitCode(1)
        }
        let answering = nodes - (silent == nil ? 0 : 1)
        say(
            "member \(uids.firstIndex(of: leader)! + 1) (UID \(leader)) leads: known to \(answering) of \(nodes) after "
                + milliseconds(result.took))
        let skipped = Set(result.reports.flatMap(\.suspects)).sorted()
        for place in skipped {
            let by = result.reports.filter { $0.suspects.contains(place) }.map { "\($0.place + 1)" }
            say("member \(place + 1) never answered: skipped by \(by.joined(separator: ", "))")
        }
        say(
            "messages: \(sent)"
                + (repair ? ", receipts and repetitions among them" : ", of which \(nodes) announce the leader"))
        if !repair {
            let mean = (1...nodes).reduce(0) { $0 + Double(nodes) / Double($1) } + Double(nodes)
            say(
                "calculated: at best \(3 * nodes - 1), at worst \(nodes * (nodes + 1) / 2 + nodes), on average over all orders "
                    + String(format: "%.1f", mean))
        }
    }

    /// Why nobody was elected, as far as the members themselves can tell.
    private func excuse(_ result: SocketRing.Result, _ uids: [UInt64]) -> String {
        var lines = ["no leader after \(timeout) s"]
        for report in result.reports where !report.heardPredecessor && nodes > 1 {
            let before = (report.place + nodes - 1) % nodes
            let given = result.reports[before].received
            lines.append(
                "  member \(before + 1) (UID \(uids[before])) never answered: it took \(given) messages, and member \(report.place + 1), "
                    + "which is next to it, heard nothing")
        }
        if lines.count == 1 { lines.append("  all members answered: give it more time with --timeout") }
        lines.append(
            "  a plain ring cannot go round a member that is silent: try --repair, or a cluster with 'millrace dev'")
        return lines.joined(separator: "\n")
    }

    private func milliseconds(_ duration: Duration) -> String {
        let (seconds, attoseconds) = duration.components
        return String(format: "%.2f ms", Double(seconds) * 1e3 + Double(attoseconds) / 1e15)
    }
}

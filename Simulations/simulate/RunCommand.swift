import ArgumentParser
import Foundation
import Simulator
import Telling
import WorkloadFiles

/// What a run is made of.
struct Choice: ParsableArguments {
    @Option(
        help: """
            The faults: calm, lossy, split, disk, clock, raft, elections, takeovers, clients, all; beyond: what is not \
            promised.
            """)
    var profile = "all"

    @Option(help: "Nodes, 3 or 5; by the seed if not given.")
    var nodes: Int?

    @Option(help: "How long faults happen, in simulated seconds, 1 to 3600.")
    var seconds = 6

    @Option(
        help: """
            The load: standard, hot, cold, slow or quiet, or a file of your own (docs/simulation.md has its format); by the seed if not \
            given.
            """)
    var workload: String?

    func validate() throws {
        guard Profile(rawValue: profile) != nil else {
            throw ValidationError(
                "there is no profile '\(profile)': choose one of \(Profile.allCases.map(\.rawValue).joined(separator: ", "))"
            )
        }
        if let nodes, nodes != 3, nodes != 5 { throw ValidationError("a cluster has 3 or 5 nodes, not \(nodes)") }
        guard (1...3600).contains(seconds) else {
            throw ValidationError("--seconds must be from 1 to 3600, not \(seconds)")
        }
        if let workload, Simulator.Workload.named(workload) == nil, !FileManager.default.fileExists(atPath: workload) {
            throw ValidationError(
                "there is no workload '\(workload)': choose one of \(Simulator.Workload.all.map(\.name).joined(separator: ", ")), or name a file"
            )
        }
    }

    /// What makes a schedule of a seed; reads the workload file, if there is one.
    func maker() throws -> @Sendable (UInt64) -> Schedule {
        var (profile, nodes, seconds) = (profile, nodes, Int64(seconds))
        var load = workload.flatMap { Simulator.Workload.named($0) }
        if let workload, load == nil {
            let file = try WorkloadFile.read(workload)
            load = try Simulator.Workload(file, name: workload)
            profile = file.profile ?? profile
            nodes = nodes ?? file.nodes
            seconds = Int64(file.seconds)
        }
        let chosen = Profile(rawValue: profile)!
        return { [nodes, seconds, load] in chosen.schedule(seed: $0, nodes: nodes, seconds: seconds, workload: load) }
    }
}

struct RunCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(commandName: "run", abstract: "One seed.")

    @Option(help: "The seed, from which everything follows.")
    var seed: UInt64

    @OptionGroup var choice: Choice
    @OptionGroup var telling: Telling

    func run() async throws { try telling.tell(choice.maker()(seed)) }
}

struct ReplayCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(commandName: "replay", abstract: "A saved schedule.")

    @Argument(help: "A schedule, as `shrink --save` and `run --save` write it.")
    var file: String

    @OptionGroup var telling: Telling

    func run() async throws { try telling.tell(try ScheduleFile.read(file)) }
}

/// What is said of a run, and where.
struct Telling: ParsableArguments {
    @Option(help: "Write every event to this file, one JSON object a line.")
    var trace: String?

    @Option(help: "Write the schedule to this file, for `replay`.")
    var save: String?

    @Option(help: "Draw the run as a page, complete in this one file.")
    var html: String?

    @Flag(help: "Tell the events that matter, one a line.")
    var story = false

    @Option(help: "Plant this bug first (`simulate mutants --list`; needs a build that has them).")
    var bug: String?

    func validate() throws {
        guard let bug else { return }
        guard Mutants.arePlantable else {
            throw ValidationError(
                "this build has no planted bugs: make one with MILLRACE_MUTANTS=1 and --scratch-path .build-mutants")
        }
        guard Mutants.names.contains(bug) else {
            throw ValidationError("there is no planted bug '\(bug)': see `simulate mutants --list`")
        }
        _ = Mutants.plant(bug)
    }

    func tell(_ schedule: Schedule, tellsAlways: Bool = false) throws {
        say(
            "seed \(schedule.seed), profile \(schedule.profile), \(schedule.nodes) nodes, workload \(schedule.workload.name), "
                + "\(schedule.faults.count) faults" + (schedule.label.map { "; outside the promise: \($0)" } ?? ""))
        if let save { try ScheduleFile.write(schedule, to: save) }
        let began = processorSeconds()
        let result = try Run.run(schedule, keepsTrace: trace != nil || html != nil || story || tellsAlways)
        let took = processorSeconds() - began
        if let trace { try TraceFile.write(result, to: trace) }
        if let html { try TextFile.write(timelineHTML(Story(result)), to: html) }
        if story || tellsAlways { say(narrative(Story(result), most: 60)) }
        for violation in result.violations.prefix(20) {
            say("  \(violation.time / 1_000_000) ms: \(violation.invariant): \(violation.what)")
        }
        let simulated = Double(result.simulatedNanoseconds) / 1e9
        say(
            "\(result.isFine ? "ok" : "FAILED"): hash \(String(result.hash, radix: 16)), \(result.events) events, "
                + String(
                    format: "%.1f simulated seconds in %.2f s of a core (%.0f per second)", simulated, took,
                    simulated / took))
        if !result.isFine { throw ExitCode(1) }
    }
}

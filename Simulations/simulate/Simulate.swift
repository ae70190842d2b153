import ArgumentParser
import Foundation

/// The simulator's command line: `simulate help` teaches it.
@main
struct Simulate: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "simulate",
        abstract: "Whole Millrace clusters in virtual time, with faults, judged at every event.",
        discussion: """
            One seed:           simulate run --seed 7 --profile all
            Many:               simulate sweep --seeds 1..1000 --profile all
            A failing one:      simulate shrink --seed 7 --profile all --save failing.json
            Again:              simulate replay failing.json
            Planted bugs:       simulate mutants
            The studies:        simulate elections, simulate strategies

            The same seed gives the same run, event by event, in every process and on every machine: equal hashes mean equal runs.

            Exit codes: 0 all well; 1 a run failed; 64 wrong usage; 78 a file that cannot be used.
            """,
        subcommands: [
            RunCommand.self, SweepCommand.self, ShrinkCommand.self, ReplayCommand.self, MutantsCommand.self,
            HuntCommand.self, ElectionsCommand.self, StrategiesCommand.self,
        ])
}

/// Prints at once, also into a file or a pipe.
func say(_ text: String) {
    print(text)
    fflush(nil)
}

/// What this process has used of its cores so far: times on a busy machine say little.
func processorSeconds() -> Double {
    var time = timespec()
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time)
    return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
}

/// Says why and ends with this code.
func stop(_ message: String, code: Int32) -> ExitCode {
    FileHandle.standardError.write(Data("simulate: \(message)\n".utf8))
    return ExitCode(code)
}

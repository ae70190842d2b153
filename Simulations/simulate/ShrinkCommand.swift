import ArgumentParser
import Foundation
import Simulator

struct ShrinkCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "shrink", abstract: "The smallest schedule that still fails, and its story.")

    @Option(help: "The seed of a failing run.")
    var seed: UInt64?

    @Option(help: "Or a saved schedule.")
    var file: String?

    @OptionGroup var choice: Choice
    @OptionGroup var telling: Telling

    func validate() throws {
        guard (seed == nil) != (file == nil) else { throw ValidationError("name either --seed N or --file FILE") }
    }

    func run() async throws {
        let schedule = try file.map { try ScheduleFile.read($0) } ?? choice.maker()(seed!)
        say("shrinking \(schedule.faults.count) faults of seed \(schedule.seed)")
        let (smallest, tries) = try Shrink.smallest(of: schedule) {
            say("  \($0.tries) runs: \($0.faults) faults left")
        }
        if tries == 1 {
            say("the run does not fail: there is nothing to shrink")
            return
        }
        say("\(smallest.faults.count) faults are left after \(tries) runs:")
        for fault in smallest.faults { say("  \(fault.at / 1_000_000) ms: \(fault.text)") }
        try telling.tell(smallest, tellsAlways: true)
    }
}

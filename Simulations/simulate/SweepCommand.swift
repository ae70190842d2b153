import ArgumentParser
import Foundation
import Simulator

struct SweepCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "sweep", abstract: "Many seeds: one line a failing seed, a summary, exit code 1 if any failed.")

    @Option(help: "The seeds, as in 1..1000.")
    var seeds: String

    @Option(help: "How many run at a time.")
    var jobs = ProcessInfo.processInfo.activeProcessorCount

    @Flag(help: "Run each seed twice and compare the hashes.")
    var twice = false

    @OptionGroup var choice: Choice

    func validate() throws {
        guard let range = SweepCommand.range(seeds), range.count <= 10_000_000 else {
            throw ValidationError("--seeds wants FIRST..LAST, as in 1..1000, of at most ten million, not '\(seeds)'")
        }
        guard (1...256).contains(jobs) else { throw ValidationError("--jobs must be from 1 to 256, not \(jobs)") }
    }

    static func range(_ text: String) -> ClosedRange<UInt64>? {
        let parts = text.components(separatedBy: "..")
        guard parts.count == 2, let first = UInt64(parts[0]), let last = UInt64(parts[1]), first <= last,
            last < .max
        else { return nil }
        return first...last
    }

    func run() async throws {
        let range = SweepCommand.range(seeds)!
        let began = Date()
        let (schedule, twice, jobs) = (try choice.maker(), twice, UInt64(jobs))
        // Each job takes every jobs-th seed: which seeds ran does not depend on who was faster.
        let progress = SweepProgress(total: range.count, began: began)
        let summary = try await withThrowingTaskGroup(of: Sweep.Summary.self) { group in
            for job in 0..<min(jobs, UInt64(range.count)) {
                group.addTask {
                    var summary = Sweep.Summary()
                    for seed in stride(from: range.lowerBound + job, through: range.upperBound, by: Int(jobs)) {
                        var result = try Run.run(schedule(seed))
                        if twice {
                            let again = try Run.run(schedule(seed)).hash
                            if again != result.hash {
                                result.violations.append(
                                    .init(time: 0, invariant: "Determinism", what: "hash \(result.hash), then \(again)")
                                )
                            }
                        }
                        summary.add(result)
                        await progress.add(result)
                    }
                    return summary
                }
            }
            return try await group.reduce(into: Sweep.Summary()) { $0.add($1) }
        }
        let missing = missingMarks(summary)
        report(summary, missing, took: Date().timeIntervalSince(began))
        if !summary.failed.isEmpty || !missing.isEmpty { throw ExitCode(1) }
    }

    private func missingMarks(_ summary: Sweep.Summary) -> [Marks.Mark] {
        guard summary.runs >= Sweep.enoughForMarks else { return [] }
        return Sweep.required(Profile(rawValue: choice.profile)!).filter { summary.marks[$0] == 0 }
    }

    private func report(_ summary: Sweep.Summary, _ missing: [Marks.Mark], took: Double) {
        say(
            "\(summary.runs) runs of profile \(choice.profile), \(summary.failed.count) failed; "
                + String(
                    format:
                        "%.0f simulated seconds in %.0f s, %.0f per second of a core; %.0f seeds an hour; %d events",
                    summary.simulatedSeconds, took, summary.simulatedSeconds / processorSeconds(),
                    Double(summary.runs) / took * 3600, summary.events))
        say("reached: " + Marks.Mark.allCases.map { "\($0.rawValue) \(summary.marks[$0])" }.joined(separator: ", "))
        let never = Marks.Mark.allCases.filter { summary.marks[$0] == 0 }
        if !never.isEmpty { say("never reached: " + never.map(\.rawValue).joined(separator: ", ")) }
        if !missing.isEmpty {
            say("FAILED: required and never reached: " + missing.map(\.rawValue).joined(separator: ", "))
        }
    }
}

/// Says how far a sweep is, now and then, and what failed, at once.
private actor SweepProgress {
    private let total: Int
    private let began: Date
    private var done = 0
    private var failed = 0
    private var lastSaid = Date()

    init(total: Int, began: Date) {
        self.total = total
        self.began = began
    }

    func add(_ result: Run.Result) {
        done += 1
        if let first = result.violations.first {
            failed += 1
            say(
                "seed \(result.schedule.seed) FAILED at \(first.time / 1_000_000) ms: \(first.invariant): \(first.what)"
            )
        }
        guard Date().timeIntervalSince(lastSaid) >= 10 else { return }
        lastSaid = Date()
        let left = Date().timeIntervalSince(began) / Double(done) * Double(total - done)
        say(String(format: "  %d of %d, %d failed, %.0f s to go", done, total, failed, left))
    }
}

import ArgumentParser
import Foundation
import Simulator

struct MutantsCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "mutants", abstract: "Each safety rule switched off in turn: found by which seed, or not.",
        discussion: """
            Needs a build that has the planted bugs:
              MILLRACE_MUTANTS=1 swift run -c release --scratch-path .build-mutants simulate mutants
            Each is hunted in a process of its own, since many of them end in a trap: that counts as found.
            """)

    @Option(help: "The most seeds that are spent on one.")
    var seeds: UInt64 = 2_000

    @Option(help: "Only those whose name contains this.")
    var only: String?

    @Option(help: "How many are hunted at a time.")
    var jobs = ProcessInfo.processInfo.activeProcessorCount

    @Flag(help: "Only list them.")
    var list = false

    func validate() throws {
        guard (1...1_000_000).contains(seeds) else { throw ValidationError("--seeds must be from 1 to 1000000") }
        guard (1...256).contains(jobs) else { throw ValidationError("--jobs must be from 1 to 256") }
    }

    func run() async throws {
        let names = Mutants.names.filter { only == nil || $0.contains(only!) }
        if list {
            for name in names { say(name) }
            return
        }
        guard Mutants.arePlantable else {
            throw stop(
                "this build has no planted bugs. Make one that has: MILLRACE_MUTANTS=1 swift run -c release --scratch-path "
                    + ".build-mutants simulate mutants", code: 78)
        }
        guard !names.isEmpty else { throw stop("no mutant's name contains '\(only ?? "")'", code: 64) }
        let seeds = seeds
        var found = 0
        try await withThrowingTaskGroup(of: (String, Hunt.Outcome).self) { group in
            var waiting = names[...]
            for _ in 0..<min(jobs, names.count) {
                let name = waiting.removeFirst()
                group.addTask { (name, try await Hunt.start(name, seeds: seeds)) }
            }
            while let (name, outcome) = try await group.next() {
                if outcome.isFound { found += 1 }
                say(name.padding(toLength: 46, withPad: " ", startingAt: 0) + outcome.text)
                if let next = waiting.popFirst() { group.addTask { (next, try await Hunt.start(next, seeds: seeds)) } }
            }
        }
        say("\(found) of \(names.count) found")
        if found < names.count { throw ExitCode(1) }
    }
}

/// One mutant in a process of its own.
enum Hunt {
    struct Outcome: Sendable {
        var isFound: Bool
        var text: String
    }

    static func start(_ name: String, seeds: UInt64) async throws -> Outcome {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/proc/self/exe").resolvingSymlinksInPath()
        process.arguments = ["hunt", "--mutant", name, "--seeds", "\(seeds)"]
        // A trap's backtrace takes seconds and says nothing here.
        process.environment = ProcessInfo.processInfo.environment.merging(["SWIFT_BACKTRACE": "enable=no"]) { $1 }
        let output = Pipe()
        process.standardOutput = output
        process.standardError = FileHandle.nullDevice
        try process.run()
        let data = await Task.detached { output.fileHandleForReading.readDataToEndOfFile() }.value
        process.waitUntilExit()
        let lines = String(decoding: data, as: UTF8.self).split(separator: "\n")
        let last = lines.last.map(String.init) ?? ""
        if process.terminationReason == .uncaughtSignal { return Outcome(isFound: true, text: "\(last): a trap") }
        return process.terminationStatus == 1
            ? Outcome(isFound: true, text: last) : Outcome(isFound: false, text: "NOT FOUND in \(seeds) seeds")
    }
}

/// What ``MutantsCommand`` starts for each; not for people.
struct HuntCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "hunt", abstract: "One mutant, until it is found.", shouldDisplay: false)

    @Option var mutant: String
    @Option var seeds: UInt64 = 2_000

    func run() async throws {
        guard Mutants.plant(mutant) else { throw stop("there is no mutant '\(mutant)' in this build", code: 78) }
        for number in 1...seeds {
            let schedule = Mutants.schedule(try: number, of: mutant)
            // Said before it runs: a trap says no more.
            say("seed \(number), profile \(schedule.profile)")
            let result = try Run.run(schedule)
            if let first = result.violations.first {
                say("seed \(number), profile \(schedule.profile): \(first.invariant)")
                throw ExitCode(1)
            }
        }
    }
}

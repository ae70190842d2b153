import Foundation

/// The program under test and how to run it to its end.
enum Binary {
    /// `MILLRACE_BINARY`, or the `millrace` that was built beside this test program.
    static func path() throws -> String {
        if let given = ProcessInfo.processInfo.environment["MILLRACE_BINARY"] {
            guard FileManager.default.isExecutableFile(atPath: given) else {
                throw HarnessError("MILLRACE_BINARY names '\(given)', which is no program")
            }
            return given
        }
        return try path(of: "millrace")
    }

    /// Where a program of this package is that was built beside this test program.
    static func path(of program: String) throws -> String {
        let own = (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")) ?? ""
        let folders = [own, CommandLine.arguments[0], Bundle.main.executablePath ?? ""].map {
            URL(fileURLWithPath: $0).deletingLastPathComponent()
        }
        for folder in folders {
            let candidate = folder.appendingPathComponent(program).path
            if FileManager.default.isExecutableFile(atPath: candidate) { return candidate }
        }
        throw HarnessError(
            "there is no '\(program)' in \(folders.map(\.path)): build it with 'swift build' (or name 'millrace' in "
                + "MILLRACE_BINARY)"
        )
    }

    struct Result {
        var end: ChildProcess.End?
        var output: String
        var errors: String

        /// The exit code; nil if it was killed or still ran.
        var code: Int32? { if case .exited(let code) = end { code } else { nil } }
    }

    /// Runs `millrace` until it ends, or for so many seconds.
    static func run(_ arguments: String..., within seconds: Double = 30) throws -> Result {
        try run(program: path(), arguments, within: seconds)
    }

    static func run(program: String, _ arguments: [String], within seconds: Double = 30) throws -> Result {
        let folder = try TemporaryFolder()
        let (output, errors) = (folder.file("output"), folder.file("errors"))
        let child = try ChildProcess(program, arguments, output: output, errors: errors)
        let end = child.wait(upTo: seconds)
        child.destroy()
        return Result(end: end, output: text(of: output), errors: text(of: errors))
    }

    static func text(of file: String) -> String {
        String(decoding: FileManager.default.contents(atPath: file) ?? Data(), as: UTF8.self)
    }
}

/// A folder that is removed with its last user. `MILLRACE_KEEP` keeps it, to look at what happened.
final class TemporaryFolder: Sendable {
    let path: String

    init() throws {
        path = FileManager.default.temporaryDirectory.appendingPathComponent("millrace-it-\(UUID().uuidString)").path
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    }

    deinit {
        if ProcessInfo.processInfo.environment["MILLRACE_KEEP"] == nil {
            try? FileManager.default.removeItem(atPath: path)
        }
    }

    func file(_ name: String) -> String { path + "/" + name }

    /// Writes a file and returns its path.
    func write(_ name: String, _ text: String) throws -> String {
        try text.write(toFile: file(name), atomically: true, encoding: .utf8)
        return file(name)
    }
}

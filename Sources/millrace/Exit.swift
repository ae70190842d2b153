import ArgumentParser
import Foundation
import MillraceServer

/// Ends the process with a sentence on standard error and the code that goes with it.
func fail(_ failure: StartFailure) -> ExitCode {
    FileHandle.standardError.write(Data("millrace: \(failure.description)\n".utf8))
    return ExitCode(failure.code.exitCode)
}

/// Runs `body`, turning a ``StartFailure`` into its exit code.
func withExitCodes<Result>(_ body: () async throws -> Result) async throws -> Result {
    do { return try await body() } catch let failure as StartFailure { throw fail(failure) }
}

public import Testing

/// Tests with sockets, processes and time limits go before those that only compute.
///
/// All tests are begun at once and wait in one line for a thread, so whatever a test awaits brings it back to the end of that line: on two
/// cores it stood behind minutes of computing, and what it was talking to had long hung up. Tasks of a higher priority have a line of their
/// own.
public struct InRealTime: TestTrait, SuiteTrait, TestScoping {
    public var isRecursive: Bool { true }

    public func provideScope(
        for test: Test, testCase: Test.Case?, performing function: @concurrent @Sendable () async throws -> Void
    ) async throws {
        try await withoutActuallyEscaping(function) { function in
            try await Task(priority: .high) { try await function() }.value
        }
    }
}

extension Trait where Self == InRealTime {
    /// ``InRealTime``.
    public static var inRealTime: Self { Self() }
}

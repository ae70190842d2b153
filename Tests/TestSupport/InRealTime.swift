internal import Dispatch
public import Testing

/// Each test with sockets, processes and time limits has a thread of its own, beside those that only compute.
///
/// All tests are begun at once and wait in one line for as many threads as there are cores, so whatever a test awaits brings it back to
/// the end of that line: on two cores it stood behind minutes of computing, and what it was talking to had long hung up. And a test that blocks
/// its thread, waiting for a process, takes it away from all others.
public struct InRealTime: TestTrait, SuiteTrait, TestScoping {
    public var isRecursive: Bool { true }

    public func provideScope(
        for test: Test, testCase: Test.Case?, performing function: @concurrent @Sendable () async throws -> Void
    ) async throws {
        try await withoutActuallyEscaping(function) { function in
            // Tasks that it starts without a parent do not inherit the thread, but the priority, and so go first.
            try await Task(executorPreference: OwnThread(), priority: .high) { try await function() }.value
        }
    }
}

extension Trait where Self == InRealTime {
    /// ``InRealTime``.
    public static var inRealTime: Self { Self() }
}

/// A serial queue, which is given a thread whenever it has something to do.
private final class OwnThread: TaskExecutor {
    private let queue = DispatchQueue(label: "a test in real time")

    func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        queue.async { job.runSynchronously(on: self.asUnownedTaskExecutor()) }
    }
}

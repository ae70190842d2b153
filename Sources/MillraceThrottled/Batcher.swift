import Synchronization

/// Makes one large request of many small ones: for calls that are limited by their number and not by their size.
///
/// A batch leaves when it is full, or when its oldest request has waited long enough. Each caller gets its own answer, or the error of its
/// batch. A caller that is cancelled leaves its batch if that has not left yet; the others are not affected.
///
/// ```swift
/// let batcher = Batcher<UserID, User>(most: 100, within: .milliseconds(5)) { ids in
///     try await client.acquire("directory", key: "all", within: .seconds(1))
///     return try await directory.users(ids)          // as many, in the same order
/// }
/// let user = try await batcher.ask(id)
/// ```
public final class Batcher<Request: Sendable, Response: Sendable>: Sendable {
    /// The work returned another number of answers than it got requests.
    public struct WrongCount: Error, Equatable, Sendable, CustomStringConvertible {
        public var description: String
    }

    private struct Waiting {
        var number: UInt64
        var request: Request
        var continuation: CheckedContinuation<Response, any Error>
    }

    private struct State {
        var waiting: [Waiting] = []
        var nextNumber: UInt64 = 0
        /// Counts the batches: a timer that comes for one that has left finds another number.
        var batch: UInt64 = 0
        var cancelled: Set<UInt64> = []
    }

    /// What follows when a request has come.
    private enum Step { case cancelled, wait, startTimer(UInt64), leave([Waiting]) }

    private let most: Int
    private let work: @Sendable ([Request]) async throws -> [Response]
    private let sleep: @Sendable () async throws -> Void
    private let state = Mutex(State())

    /// Batches of at most `most` requests, none of which waits longer than `time` for its batch to leave.
    public convenience init(
        most: Int, within time: Duration, _ work: @escaping @Sendable ([Request]) async throws -> [Response]
    ) {
        self.init(most: most, within: time, clock: ContinuousClock(), work)
    }

    /// The same by another clock; for tests.
    public init<C: Clock>(
        most: Int, within time: Duration, clock: C, _ work: @escaping @Sendable ([Request]) async throws -> [Response]
    ) where C.Duration == Duration {
        precondition(most >= 1, "a batch has at least one request")
        self.most = most
        self.work = work
        sleep = { try await clock.sleep(until: clock.now.advanced(by: time), tolerance: nil) }
    }

    /// Puts a request into the next batch and waits for its answer.
    public func ask(_ request: Request) async throws -> Response {
        let number = state.withLock { state in
            defer { state.nextNumber += 1 }
            return state.nextNumber
        }
        // A cancellation that comes too late must not be remembered.
        defer { state.withLock { _ = $0.cancelled.remove(number) } }
        return try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { continuation in
                enqueue(Waiting(number: number, request: request, continuation: continuation))
            }
        } onCancel: {
            let waiting: Waiting? = state.withLock { state in
                guard let at = state.waiting.firstIndex(where: { $0.number == number }) else {
                    // Not there yet, or on its way: then its answer comes.
                    state.cancelled.insert(number)
                    return nil
                }
                return state.waiting.remove(at: at)
            }
            waiting?.continuation.resume(throwing: CancellationError())
        }
    }

    private func enqueue(_ waiting: Waiting) {
        let step: Step = state.withLock { state in
            if state.cancelled.remove(waiting.number) != nil { return .cancelled }
            state.waiting.append(waiting)
            if state.waiting.count >= most { return .leave(takeBatch(&state)) }
            return state.waiting.count == 1 ? .startTimer(state.batch) : .wait
        }
        switch step {
        case .cancelled: waiting.continuation.resume(throwing: CancellationError())
        case .wait: break
        case .startTimer(let batch):
            Task {
                try? await sleep()
                let due: [Waiting] = state.withLock { $0.batch == batch ? takeBatch(&$0) : [] }
                if !due.isEmpty { await run(due) }
            }
        case .leave(let batch): Task { await run(batch) }
        }
    }

    private func takeBatch(_ state: inout State) -> [Waiting] {
        state.batch += 1
        defer { state.waiting = [] }
        return state.waiting
    }

    private func run(_ batch: [Waiting]) async {
        let result: Result<[Response], any Error>
        do {
            let responses = try await work(batch.map(\.request))
            guard responses.count == batch.count else {
                throw WrongCount(
                    description: "\(responses.count) answers to \(batch.count) requests: return one for each")
            }
            result = .success(responses)
        } catch { result = .failure(error) }
        switch result {
        case .success(let responses):
            for (waiting, response) in zip(batch, responses) { waiting.continuation.resume(returning: response) }
        case .failure(let error):
            for waiting in batch { waiting.continuation.resume(throwing: error) }
        }
    }
}

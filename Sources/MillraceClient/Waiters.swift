import LimiterCore
import Synchronization

/// Callers that wait for a decision, each by its token: the place where the event loop's world and that of tasks meet.
///
/// Whoever takes a waiter out resumes it, so each is resumed once.
final class Waiters: Sendable {
    /// A decision, and what was gathered for it.
    struct Answer: Sendable {
        var decision: LimiterCore.Decision
        var piece: Piece?
    }

    private struct State {
        var nextToken: UInt64 = 1
        var waiting: [UInt64: CheckedContinuation<Answer?, Never>] = [:]
        /// Those that were cancelled before they began to wait.
        var cancelled: Set<UInt64> = []
        var isClosed = false
    }

    private let state = Mutex(State())

    func makeToken() -> UInt64 {
        state.withLock { state in
            defer { state.nextToken += 1 }
            return state.nextToken
        }
    }

    /// Waits for the answer to `token` after `submit` has asked for it; nil if the caller was cancelled, or the client stopped.
    func wait(for token: UInt64, submit: () -> Void) async -> Answer? {
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let isWaiting = state.withLock { state in
                    if state.cancelled.remove(token) != nil || state.isClosed { return false }
                    state.waiting[token] = continuation
                    return true
                }
                if isWaiting { submit() } else { continuation.resume(returning: nil) }
            }
        } onCancel: {
            let continuation = state.withLock { state in
                if let waiting = state.waiting.removeValue(forKey: token) { return Optional(waiting) }
                state.cancelled.insert(token)
                return nil
            }
            continuation?.resume(returning: nil)
        }
    }

    /// Forgets a token whose caller never began to wait, or has stopped.
    func forget(_ token: UInt64) { state.withLock { _ = $0.cancelled.remove(token) } }

    /// The answer to a token; false if nobody waits for it any more.
    func answer(_ token: UInt64, _ answer: Answer) -> Bool {
        let continuation = state.withLock { $0.waiting.removeValue(forKey: token) }
        continuation?.resume(returning: answer)
        return continuation != nil
    }

    /// Ends all waits, and every later one at once.
    func close() {
        let waiting = state.withLock { state in
            state.isClosed = true
            defer { state.waiting = [:] }
            return state.waiting.values.map { $0 }
        }
        for continuation in waiting { continuation.resume(returning: nil) }
    }

    var isClosed: Bool { state.withLock { $0.isClosed } }
}

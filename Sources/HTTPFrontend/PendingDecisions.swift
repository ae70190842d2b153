import LimiterCore
import Synchronization

/// The requests of this front door that wait for the runtime's decision.
///
/// There is at most one request for each connection, of at most ``AcquireBody/mostPermits`` permits, so that the number of connections
/// bounds them.
final class PendingDecisions: DecisionSink {
    private struct State {
        var nextToken: UInt64 = 1
        var waiting: [UInt64: CheckedContinuation<(Decision, Piece?), Never>] = [:]
        /// What came for requests that gather, just before their decisions.
        var pieces: [UInt64: Piece] = [:]
    }

    private let state = Mutex(State())

    /// How many wait now.
    var count: Int { state.withLock { $0.waiting.count } }

    /// Submits one request and waits for its decision. It is not cancellable: the handler promises a decision, sooner or later.
    func decide(
        _ bucket: Bucket, key: [UInt8], cost: Int64, longestWait: Int64, by handler: any PendingRequestHandler
    ) async -> Decision {
        await decide(bucket, key: key, cost: cost, longestWait: longestWait, gathers: false, by: handler).0
    }

    /// Submits one request whose tokens may still be put back.
    func gather(
        _ bucket: Bucket, key: [UInt8], cost: Int64, by handler: any PendingRequestHandler
    ) async -> (Decision, HeldTokens?) {
        let (decision, piece) = await decide(
            bucket, key: key, cost: cost, longestWait: 0, gathers: true, by: handler)
        return (decision, decision.isAllowed && cost > 0 ? HeldTokens(bucket: bucket, cost: cost, piece: piece) : nil)
    }

    private func decide(
        _ bucket: Bucket, key: [UInt8], cost: Int64, longestWait: Int64, gathers: Bool,
        by handler: any PendingRequestHandler
    ) async -> (Decision, Piece?) {
        await withCheckedContinuation { continuation in
            let token = state.withLock { state in
                let token = state.nextToken
                state.nextToken += 1
                state.waiting[token] = continuation
                return token
            }
            handler.submit(
                [
                    PendingRequest(
                        bucket: bucket, key: key, cost: cost, longestWait: longestWait, gathers: gathers, token: token)
                ], to: self)
        }
    }

    func deliver(_ decisions: [(token: UInt64, decision: Decision)]) {
        let ready = state.withLock { state in
            decisions.map { token, decision in
                guard let continuation = state.waiting.removeValue(forKey: token) else {
                    preconditionFailure("request \(token) got two decisions, or was never submitted")
                }
                return (continuation, decision, state.pieces.removeValue(forKey: token))
            }
        }
        // Outside the lock: resuming may run other code.
        for (continuation, decision, piece) in ready { continuation.resume(returning: (decision, piece)) }
    }

    func deliver(pieces: [(token: UInt64, piece: Piece)]) {
        state.withLock { state in for (token, piece) in pieces { state.pieces[token] = piece } }
    }
}

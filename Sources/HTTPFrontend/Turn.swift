import NIOCore
import ServiceLifecycle

/// Waits until an admitted request's turn comes, unless its client goes or the server stops.
struct Turn: Sendable {
    enum Outcome: Equatable {
        case come
        case clientGone
        case serverStopping
    }

    /// Sleeps for some nanoseconds; throws when cancelled.
    var sleep: @Sendable (Int64) async throws -> Void

    static let real = Turn { ns in try await Task.sleep(nanoseconds: UInt64(ns)) }

    /// Waits `ns` nanoseconds on behalf of the client at `channel`.
    func wait(_ ns: Int64, client channel: any Channel) async -> Outcome {
        let sleep = self.sleep
        // A task of its own, so that others can wake it; it is awaited below in any case.
        let sleeper = Task { try await sleep(ns) }
        await InboundCloseWatcher.set(channel) { sleeper.cancel() }
        let result = await withTaskCancellationHandler {
            await withGracefulShutdownHandler {
                await sleeper.result
            } onGracefulShutdown: {
                sleeper.cancel()
            }
        } onCancel: {
            sleeper.cancel()
        }
        await InboundCloseWatcher.set(channel, nil)
        if case .success = result { return .come }
        return Task.isShuttingDownGracefully ? .serverStopping : .clientGone
    }
}

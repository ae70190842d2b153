import NIOCore

/// Notices that a client has gone (or has closed its side) while its request waits for its turn, which may take an hour.
///
/// One a connection. Everything runs on the connection's event loop.
final class InboundCloseWatcher: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = NIOAny

    private var isClosed = false
    private var onClose: (@Sendable () -> Void)?

    /// Calls `action` when the client goes, or at once if it has gone; nil takes it back.
    func set(_ action: (@Sendable () -> Void)?) {
        onClose = action
        if isClosed { close() }
    }

    private func close() {
        isClosed = true
        let action = onClose
        onClose = nil
        action?()
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if case .some(.inputClosed) = event as? ChannelEvent { close() }
        context.fireUserInboundEventTriggered(event)
    }

    func channelInactive(context: ChannelHandlerContext) {
        close()
        context.fireChannelInactive()
    }

    /// Sets the action of a connection's watcher from anywhere.
    static func set(_ channel: any Channel, _ action: (@Sendable () -> Void)?) async {
        // A connection without its watcher is closing already; then the answer goes nowhere, which does no harm.
        try? await channel.eventLoop.submit {
            try channel.pipeline.syncOperations.handler(type: InboundCloseWatcher.self).set(action)
        }.get()
    }
}

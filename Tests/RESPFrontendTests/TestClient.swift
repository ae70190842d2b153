import NIOCore
import NIOPosix
import Synchronization

/// A client that speaks raw bytes.
final class TestClient: Sendable {
    /// Everything that arrived, and who waits for it.
    private final class Inbox: Sendable {
        struct State {
            var bytes: [UInt8] = []
            var isClosed = false
            var wanted = 0
            var waiter: CheckedContinuation<Void, Never>?
        }

        private let state = Mutex(State())

        func change(_ body: (inout State) -> Void) {
            let waiter: CheckedContinuation<Void, Never>? = state.withLock { state in
                body(&state)
                guard state.isClosed || state.bytes.count >= state.wanted else { return nil }
                defer { state.waiter = nil }
                return state.waiter
            }
            waiter?.resume()
        }

        func take(_ count: Int) async -> [UInt8] {
            await withCheckedContinuation { waiter in
                change {
                    $0.wanted = count
                    $0.waiter = waiter
                }
            }
            return state.withLock { state in
                let taken = Array(state.bytes.prefix(count))
                state.bytes.removeFirst(taken.count)
                return taken
            }
        }
    }

    private final class Receiver: ChannelInboundHandler {
        typealias InboundIn = ByteBuffer

        private let inbox: Inbox

        init(_ inbox: Inbox) { self.inbox = inbox }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            let bytes = Array(unwrapInboundIn(data).readableBytesView)
            inbox.change { $0.bytes += bytes }
        }

        func channelInactive(context: ChannelHandlerContext) { inbox.change { $0.isClosed = true } }

        func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
            if case ChannelEvent.inputClosed = event { inbox.change { $0.isClosed = true } }
        }

        func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }
    }

    private let channel: any Channel
    private let inbox: Inbox
    private let hasSent = Atomic(true)

    init(_ address: SocketAddress) async throws {
        let inbox = Inbox()
        self.inbox = inbox
        channel = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .channelOption(.allowRemoteHalfClosure, value: true)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(Receiver(inbox))
                }
            }
            .connect(to: address).get()
    }

    func send(_ text: String) async throws { try await channel.writeAndFlush(ByteBuffer(string: text)).get() }

    /// Sends without waiting until the system takes it; ``isSent`` says whether it has.
    func sendSoon(_ text: String) {
        hasSent.store(false, ordering: .sequentiallyConsistent)
        channel.writeAndFlush(ByteBuffer(string: text)).whenSuccess {
            self.hasSent.store(true, ordering: .sequentiallyConsistent)
        }
    }

    /// Whether all of what ``sendSoon(_:)`` was given last has left.
    var isSent: Bool { hasSent.load(ordering: .sequentiallyConsistent) }

    /// What arrives next, as many bytes as `expected` has, or less if the connection ends.
    func receive(_ expected: String) async -> String { await receive(expected.utf8.count) }

    func receive(_ count: Int) async -> String { String(decoding: await inbox.take(count), as: UTF8.self) }

    /// Everything until the other side closes.
    func receiveToEnd() async -> String { String(decoding: await inbox.take(.max), as: UTF8.self) }

    func setReading(_ isReading: Bool) async throws {
        try await channel.setOption(.autoRead, value: isReading).get()
    }

    func closeOutput() async throws { try await channel.close(mode: .output).get() }

    func close() async { try? await channel.close().get() }
}

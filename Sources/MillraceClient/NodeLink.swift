import NIOCore
import PeerTransport
import Raft

/// The connection to one node: the handshake, then messages. Confined to the client's loop.
final class NodeLink: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    /// What the link tells its driver, on the loop.
    protocol Delegate: AnyObject {
        func linkIsUp(_ link: NodeLink, _ welcome: ClientWelcome)
        func link(_ link: NodeLink, received message: ArraySlice<UInt8>)
        func linkBurstEnded(_ link: NodeLink)
        /// Said once, however it ended; `why` is for people.
        func linkIsDown(_ link: NodeLink, why: String)
    }

    private enum State {
        /// Nothing was said yet. Exits: the channel opens, or does not.
        case connecting
        /// Our hello is out. Exits: a welcome; a refusal, a violation or a timeout ends it.
        case greeting
        case established
        case ended
    }

    let address: NodeAddress
    /// Whether the node has welcomed us.
    private(set) var wasUp = false
    private let hello: ClientHello
    private weak var delegate: (any Delegate)?
    private var state = State.connecting
    private var decoder = FrameDecoder(maxFrameBytes: Frame.maxHandshakeBytes)
    private var context: ChannelHandlerContext?
    private var timeout: Scheduled<Void>?
    private var output = ByteBuffer()

    /// Rules with many overrides are the longest messages of a node.
    private static let maxFrameBytes = 16 << 20
    /// How long the handshake may take.
    private static let handshakeTime = TimeAmount.seconds(2)
    /// What the output buffer may keep allocated between flushes.
    private static let retainedCapacity = 1 << 20

    init(address: NodeAddress, hello: ClientHello, delegate: any Delegate) {
        self.address = address
        self.hello = hello
        self.delegate = delegate
    }

    // MARK: What the driver does

    /// Queues a message; it leaves with ``flush()``.
    func send(_ message: [UInt8]) {
        guard case .established = state else { return }
        output.append(.message, body: message)
    }

    func flush() {
        guard output.readableBytes > 0, let context else { return }
        context.writeAndFlush(wrapOutboundOut(output), promise: nil)
        if output.capacity > Self.retainedCapacity { output = ByteBuffer() } else { output.clear() }
    }

    func end(why: String) {
        guard state != .ended else { return }
        state = .ended
        timeout?.cancel()
        context?.close(promise: nil)
        delegate?.linkIsDown(self, why: why)
    }

    // MARK: What the channel tells

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
        if context.channel.isActive { greet(context) }
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        self.context = nil
        end(why: "the connection was closed")
    }

    func channelActive(context: ChannelHandlerContext) {
        greet(context)
        context.fireChannelActive()
    }

    func channelInactive(context: ChannelHandlerContext) {
        end(why: "the node closed the connection")
        context.fireChannelInactive()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { end(why: "\(error)") }

    private func greet(_ context: ChannelHandlerContext) {
        guard state == .connecting else { return }
        state = .greeting
        var frame = ByteBuffer()
        frame.append(.clientHello, body: hello.encoded())
        context.writeAndFlush(wrapOutboundOut(frame), promise: nil)
        timeout = context.eventLoop.assumeIsolated().scheduleTask(in: Self.handshakeTime) { [weak self] in
            self?.end(
                why:
                    "the node did not answer the handshake: is this a node's own address, and not its HTTP or RESP port?"
            )
        }
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard state != .ended else { return }
        unwrapInboundIn(data).withUnsafeReadableBytes { decoder.append($0) }
        do throws(ProtocolViolation) {
            while state != .ended, let frame = try decoder.next() { try handle(frame) }
        } catch {
            end(why: "the node broke the protocol: \(error)")
        }
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        if state == .established { delegate?.linkBurstEnded(self) }
        context.fireChannelReadComplete()
    }

    private func handle(_ frame: Frame) throws(ProtocolViolation) {
        switch (state, frame.kind) {
        case (.established, .message):
            delegate?.link(self, received: frame.body)
        case (.greeting, .clientWelcome):
            let welcome = try ClientWelcome.read(frame.body)
            timeout?.cancel()
            decoder.maxFrameBytes = Self.maxFrameBytes
            state = .established
            wasUp = true
            delegate?.linkIsUp(self, welcome)
        case (_, .refusal):
            end(why: try Refusal.read(frame.body).text)
        case (.established, .probe):
            break
        case (_, let kind):
            end(why: "a frame of kind '\(kind)' at the wrong time")
        }
    }
}

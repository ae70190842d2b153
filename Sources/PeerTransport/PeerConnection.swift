import Logging
import NIOCore
import Raft

/// One TCP connection to a peer: the handshake, then frames.
final class PeerConnection: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    enum State {
        /// We dial; says nothing until ``begin()``, since of several addresses of a name only one is used. Exits:
        /// begin, closed.
        case dialling(Peer, attempt: UInt64)
        /// Our hello is out. Exits: the listener's hello establishes it; a refusal, violation or timeout closes it.
        case helloSent(Peer, attempt: UInt64)
        /// Accepted; the dialler speaks first. Exits: a good hello is answered; anything else closes it.
        case awaitingHello
        /// Our hello is out as an answer. Exits: the confirming probe establishes it; anything else closes it.
        case awaitingConfirmation(Peer, ConnectionIdentity)
        /// Messages may pass.
        case established(Peer)
        /// The other side is an embedded client. Messages may pass.
        case client(ClientLink)
        /// Nothing is read or written any more, though the channel may still be sending a refusal.
        case closed
    }

    private(set) var state: State
    private let transport: PeerTransport
    private var context: ChannelHandlerContext?
    private var decoder = FrameDecoder(maxFrameBytes: Frame.maxHandshakeBytes)
    private var timeout: Scheduled<Void>?
    private var hasDelivered = false

    init(transport: PeerTransport, state: State) {
        self.transport = transport
        self.state = state
    }

    var isOpen: Bool {
        if case .closed = state { false } else { true }
    }

    var isAccepted: Bool {
        switch state {
        case .awaitingHello, .awaitingConfirmation: true
        default: false
        }
    }

    var remoteAddress: String {
        guard let address = context?.channel.remoteAddress, let host = address.ipAddress, let port = address.port else {
            return "an unknown address"
        }
        return PeerAddress(host: host, port: port).description
    }

    // MARK: - What the transport does

    /// The dialled connection is the one to use: introduce ourselves.
    func begin() {
        guard case .dialling(let peer, let attempt) = state else { return }
        state = .helloSent(peer, attempt: attempt)
        guard let context, context.channel.isActive else { return end() }
        startTimeout(context)
        write(.hello, transport.hello(to: peer.id, attempt: attempt).encoded())
    }

    /// Writes whole frames; true if all of them went into the kernel at once. (The channel's high-water mark is one
    /// byte, so it is writable just when it holds nothing.)
    func write(_ frames: ByteBuffer) -> Bool {
        guard isOpen, let context else { return true }
        context.writeAndFlush(wrapOutboundOut(frames), promise: nil)
        return context.channel.isWritable
    }

    /// Makes TCP find out whether the other side still knows this connection.
    func probe() { write(.probe, []) }

    /// Says why, then closes.
    func refuse(_ refusal: Refusal) {
        guard isOpen, let context else { return }
        var frame = ByteBuffer()
        frame.append(.refusal, body: refusal.encoded())
        let written = context.writeAndFlush(wrapOutboundOut(frame))
        leaveState()
        // The refusal may stand behind a batch that the other side does not read.
        startTimeout(context)
        written.assumeIsolated().whenComplete { _ in context.close(promise: nil) }
    }

    /// Closes without a word.
    func end() {
        guard isOpen else { return }
        context?.close(promise: nil)
        leaveState()
    }

    /// Closes whatever state it is in; the future tells when the socket is gone.
    func closeNow() -> EventLoopFuture<Void>? {
        let closed = context?.channel.closeFuture
        end()
        context?.close(promise: nil)
        return closed
    }

    private func leaveState() {
        guard isOpen else { return }
        let last = state
        state = .closed
        timeout?.cancel()
        timeout = nil
        transport.connectionEnded(self, was: last)
    }

    private func write(_ kind: Frame.Kind, _ body: [UInt8]) {
        guard let context else { return }
        var frame = ByteBuffer()
        frame.append(kind, body: body)
        context.writeAndFlush(wrapOutboundOut(frame), promise: nil)
    }

    // MARK: - What the channel tells

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
        transport.connectionOpened(self)
        if case .awaitingHello = state { startTimeout(context) }
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        timeout?.cancel()
        timeout = nil
        self.context = nil
        // A channel that was closed in the middle of a burst does not tell its end.
        finishBurst()
        transport.connectionGone(self)
    }

    func channelInactive(context: ChannelHandlerContext) {
        leaveState()
        context.fireChannelInactive()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        transport.logger.debug("peer connection failed", metadata: ["error": "\(error)", "remote": "\(remoteAddress)"])
        end()
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        if context.channel.isWritable {
            switch state {
            case .established(let peer): transport.drained(peer)
            case .client(let client): transport.drained(client)
            default: break
            }
        }
        context.fireChannelWritabilityChanged()
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        // When a write fails, NIO first reads what is left on the socket, inside the flush that failed. The connection
        // is about to end: its last words are among the messages that get lost.
        guard isOpen, !transport.isInCall else { return }
        let buffer = unwrapInboundIn(data)
        buffer.withUnsafeReadableBytes { decoder.append($0) }
        do throws(ProtocolViolation) {
            // A delegate may close us in the middle of a burst.
            while isOpen, let frame = try decoder.next() { try handle(frame) }
        } catch {
            transport.violated(self, error)
            refuse(Refusal(.violation, error.description))
        }
        if case .established(let peer) = state { peer.statistics.bytesReceived += UInt64(buffer.readableBytes) }
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        finishBurst()
        context.fireChannelReadComplete()
    }

    private func finishBurst() {
        guard hasDelivered else { return }
        hasDelivered = false
        transport.burstEnded()
    }

    // MARK: - Frames

    private func handle(_ frame: Frame) throws(ProtocolViolation) {
        // Nearly all frames, hence first.
        if frame.kind == .message, case .established(let peer) = state {
            hasDelivered = true
            return transport.deliver(frame.body, from: peer)
        }
        if frame.kind == .message, case .client(let client) = state {
            hasDelivered = true
            return try transport.deliver(frame.body, from: client)
        }
        switch (state, frame.kind) {
        case (.established(let peer), .relay):
            hasDelivered = true
            try transport.relay(frame.body, from: peer)
        case (.established, .probe):
            break
        case (.helloSent(let peer, let attempt), .hello):
            try answered(by: peer, attempt: attempt, frame.body)
        case (.awaitingHello, .hello):
            try greeted(frame.body)
        case (.awaitingHello, .clientHello):
            try clientGreeted(frame.body)
        case (.client, .probe):
            break
        case (.awaitingConfirmation(let peer, let identity), .probe):
            confirmed(by: peer, identity)
        case (.helloSent, .refusal), (.awaitingConfirmation, .refusal), (.established, .refusal):
            let refusal = try Refusal.read(frame.body)
            transport.refused(by: self, refusal)
            end()
        case (_, let kind):
            throw ProtocolViolation("a frame of kind '\(kind)' at the wrong time")
        }
    }

    /// The listener's side of the handshake, first half.
    private func greeted(_ body: ArraySlice<UInt8>) throws(ProtocolViolation) {
        let reading = try Hello.read(body)
        if let refusal = transport.refusal(of: reading, dialled: nil) {
            transport.refusing(self, reading, refusal)
            return refuse(refusal)
        }
        // Anything but a hello of ours of our version was refused.
        guard case .hello(let hello) = reading, let peer = transport.peer(hello.node) else { return end() }
        let identity = ConnectionIdentity(incarnation: hello.incarnation, dialler: peer.id, attempt: hello.attempt)
        if let refusal = transport.refusal(of: identity, of: peer) {
            transport.refusing(self, reading, refusal)
            return refuse(refusal)
        }
        state = .awaitingConfirmation(peer, identity)
        write(.hello, transport.hello(to: peer.id, attempt: hello.attempt).encoded())
    }

    /// An embedded client introduces itself: it is taken or refused at once.
    private func clientGreeted(_ body: ArraySlice<UInt8>) throws(ProtocolViolation) {
        let reading = try ClientHello.read(body)
        if let refusal = transport.refusal(ofClient: reading) {
            transport.clientRefused(self, refusal)
            return refuse(refusal)
        }
        guard case .hello(let hello) = reading else { return end() }
        timeout?.cancel()
        timeout = nil
        decoder.maxFrameBytes = transport.configuration.maxClientFrameBytes
        let client = transport.clientArrived(self, hello)
        state = .client(client)
        write(
            .clientWelcome,
            ClientWelcome(node: transport.admission.node, incarnation: transport.admission.incarnation).encoded())
        // Writing may have found out that the client is gone.
        guard isOpen else { return }
        hasDelivered = true
        transport.delegate?.clientConnected(client.id)
    }

    /// The listener's side, second half.
    private func confirmed(by peer: Peer, _ identity: ConnectionIdentity) {
        // Another connection may have been established since the hello.
        if let refusal = transport.refusal(of: identity, of: peer) { return refuse(refusal) }
        establish(peer, identity)
    }

    /// The dialler's side.
    private func answered(by peer: Peer, attempt: UInt64, _ body: ArraySlice<UInt8>) throws(ProtocolViolation) {
        let reading = try Hello.read(body)
        if let refusal = transport.refusal(of: reading, dialled: peer.id) {
            transport.refusing(self, reading, refusal)
            return refuse(refusal)
        }
        guard case .hello(let hello) = reading else { return end() }
        let identity = ConnectionIdentity(
            incarnation: hello.incarnation, dialler: transport.admission.node, attempt: attempt)
        if let refusal = transport.refusal(of: identity, of: peer) {
            transport.refusing(self, reading, refusal)
            return refuse(refusal)
        }
        write(.probe, [])
        // Writing may have found out that the other side is gone.
        guard isOpen else { return }
        establish(peer, identity)
    }

    private func establish(_ peer: Peer, _ identity: ConnectionIdentity) {
        timeout?.cancel()
        timeout = nil
        decoder.maxFrameBytes = transport.configuration.maxFrameBytes
        state = .established(peer)
        transport.established(self, peer, identity)
    }

    /// Ends a handshake, or the sending of a refusal, that takes too long.
    private func startTimeout(_ context: ChannelHandlerContext) {
        let limit = TimeAmount(transport.configuration.handshakeTimeout)
        timeout = context.eventLoop.assumeIsolated().scheduleTask(in: limit) { [weak self] in
            guard let self else { return }
            transport.logger.debug("peer handshake timed out", metadata: ["remote": "\(remoteAddress)"])
            _ = closeNow()
        }
    }
}

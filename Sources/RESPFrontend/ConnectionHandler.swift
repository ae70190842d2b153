import LimiterCore
import Logging
import NIOCore
import RESP

/// Connects a ``Session`` to its socket: decodes all that a read brought in one go, and flushes once.
///
/// It reads no more while the session is blocked or the client does not read its replies. All of it runs on the
/// channel's event loop.
final class ConnectionHandler: ChannelDuplexHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private var session: Session
    private let number: UInt32
    private let mailbox: LoopMailbox
    private let totals: SharedCounts
    private let idleTimeout: TimeAmount?
    private let logger: Logger
    /// Nil once nothing can be sent any more.
    private var context: ChannelHandlerContext?
    /// Completes when the connection is closed; nil before it is in its pipeline.
    private(set) var closeFuture: EventLoopFuture<Void>?

    /// What could not be taken yet: half a command, or whole ones behind a block.
    private var input = ByteBuffer()
    /// What was sent last; its memory is used again as soon as the socket has taken it.
    private var outgoing = ByteBuffer()
    /// Whether there may be whole commands in ``input``.
    private var isStalled = false
    private var isWritable = true
    private var isReadWanted = false
    private var isInputClosed = false
    private var isClosing = false
    /// Whether ``proceed()`` is running: flushing may call back.
    private var isProceeding = false
    /// Whether the mailbox has a decision for this connection in hand.
    private var isTouched = false
    private var hasHeard = false
    private var due: [UInt32: Scheduled<Void>] = [:]
    private var idleCheck: Scheduled<Void>?

    /// More than this is not kept once it is empty.
    private static let keptInput = 128 << 10

    init(
        session: consuming Session, mailbox: LoopMailbox, totals: SharedCounts, idleTimeout: TimeAmount?, logger: Logger
    ) {
        number = session.number
        self.session = session
        self.mailbox = mailbox
        self.totals = totals
        self.idleTimeout = idleTimeout
        self.logger = logger
    }

    // MARK: Lifecycle

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
        closeFuture = context.channel.closeFuture
        mailbox.join(self, number: number)
        // Only when it is closed for good, so that whoever stops the server waits for it until then.
        context.channel.closeFuture.assumeIsolated().whenComplete { [self] _ in
            mailbox.leave(number: number)
            totals.take(&session.counts)
        }
        scheduleIdleCheck(context)
    }

    func handlerRemoved(context: ChannelHandlerContext) { leave() }

    func channelInactive(context: ChannelHandlerContext) {
        leave()
        context.fireChannelInactive()
    }

    private func leave() {
        context = nil
        for task in due.values { task.cancel() }
        due = [:]
        idleCheck?.cancel()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        // A client that goes away without a word is nothing to report; whatever it is, the connection is of no use
        // any more.
        logger.debug("connection closed", metadata: ["error": "\(error)"])
        context.close(promise: nil)
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if case ChannelEvent.inputClosed = event {
            isInputClosed = true
            proceed()
        }
        context.fireUserInboundEventTriggered(event)
    }

    private func scheduleIdleCheck(_ context: ChannelHandlerContext) {
        guard let idleTimeout else { return }
        idleCheck = context.eventLoop.assumeIsolated().scheduleTask(in: idleTimeout) { [self] in
            guard let context = self.context else { return }
            if !hasHeard, session.isSettled {
                session.counts.add(.idleConnections)
                context.close(promise: nil)
            } else {
                hasHeard = false
                scheduleIdleCheck(context)
            }
        }
    }

    // MARK: Reading

    func read(context: ChannelHandlerContext) {
        if isStalled || !isWritable { isReadWanted = true } else { context.read() }
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        var buffer = unwrapInboundIn(data)
        hasHeard = true
        if isStalled || !isWritable {
            isStalled = true
            input.writeBuffer(&buffer)
        } else if input.readableBytes > 0 {
            input.writeBuffer(&buffer)
            consumeInput()
        } else {
            let taken = buffer.withUnsafeReadableBytes { session.consume($0) }
            isStalled = session.isBlocked
            if taken < buffer.readableBytes {
                buffer.moveReaderIndex(forwardBy: taken)
                input.clear()
                input.writeBuffer(&buffer)
            }
        }
    }

    func channelReadComplete(context: ChannelHandlerContext) { proceed() }

    private func consumeInput() {
        let taken = input.withUnsafeReadableBytes { session.consume($0) }
        isStalled = session.isBlocked
        input.moveReaderIndex(forwardBy: taken)
        if input.readableBytes > 0 {
            input.discardReadBytes()
        } else if input.capacity > ConnectionHandler.keptInput {
            input = ByteBuffer()
        } else {
            input.clear()
        }
    }

    // MARK: Answering

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        isWritable = context.channel.isWritable
        if isWritable { proceed() }
        context.fireChannelWritabilityChanged()
    }

    /// Sends what is ready, takes the commands for which there is room again, and submits what cannot be decided
    /// here.
    func proceed() {
        isTouched = false
        guard !isProceeding, let context else { return }
        isProceeding = true
        defer { isProceeding = false }
        while true {
            session.settle()
            send(context)
            guard isStalled, isWritable, !session.isBlocked else { break }
            consumeInput()
        }
        totals.take(&session.counts)
        if !session.requests.isEmpty { mailbox.submit(&session.requests) }
        if isInputClosed, !isStalled { session.end() }
        if session.isEnding, session.isSettled { close(context) }
        if isReadWanted, !isStalled, isWritable {
            isReadWanted = false
            context.read()
        }
    }

    private func send(_ context: ChannelHandlerContext) {
        guard !session.output.isEmpty else { return }
        outgoing.clear()
        _ = session.output.withBytes { outgoing.writeBytes($0) }
        session.output.removeAll()
        context.writeAndFlush(wrapOutboundOut(outgoing), promise: nil)
        if outgoing.capacity > ReplyBuffer.keptCapacity { outgoing = ByteBuffer() }
    }

    /// Closes once everything that was written is out.
    private func close(_ context: ChannelHandlerContext) {
        guard !isClosing else { return }
        isClosing = true
        let isWritten = context.eventLoop.makePromise(of: Void.self)
        let channel = context.channel
        isWritten.futureResult.whenComplete { _ in channel.close(promise: nil) }
        context.writeAndFlush(wrapOutboundOut(ByteBuffer()), promise: isWritten)
    }

    // MARK: Decisions

    /// Takes in a decision; true if ``proceed()`` is to be called and was not asked for yet.
    func take(_ decision: Decision, for place: UInt32) -> Bool {
        let wait = session.decided(place, decision)
        if wait > 0, let context {
            due[place] = context.eventLoop.assumeIsolated().scheduleTask(in: .nanoseconds(wait)) { [self] in
                due[place] = nil
                session.due(place)
                proceed()
            }
            return false
        }
        defer { isTouched = true }
        return !isTouched
    }

    /// Takes no more commands; closes as soon as everything is answered.
    func finish() {
        session.end()
        proceed()
    }

    /// Closes now.
    func abandon() { context?.close(promise: nil) }
}

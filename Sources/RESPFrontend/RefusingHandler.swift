import NIOCore

/// Tells a client that there are too many, and closes.
final class RefusingHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    func channelActive(context: ChannelHandlerContext) {
        let channel = context.channel
        let text = ByteBuffer(string: "-ERR max number of clients reached\r\n")
        let isWritten = context.eventLoop.makePromise(of: Void.self)
        isWritten.futureResult.whenComplete { _ in channel.close(promise: nil) }
        context.writeAndFlush(wrapOutboundOut(text), promise: isWritten)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        // Whatever it asks for, it has been refused.
    }
}

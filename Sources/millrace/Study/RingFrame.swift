import NIOCore
import RingElection

/// What members of the ring send each other over a socket: 21 bytes, integers in network order.
///
///     kind     UInt8
///     from     UInt32   the sender's place
///     number   UInt64   of a message that wants a receipt, else 0
///     uid      UInt64   the UID that travels, else 0
struct RingFrame: Equatable, Sendable {
    enum Kind: UInt8, Sendable {
        case token = 1
        case stop = 2
        // The ring that repairs itself.
        case carriedToken = 3
        case carriedStop = 4
        case receipt = 5
        case question = 6
        case here = 7
    }

    var kind: Kind
    var from: Int
    var number: UInt64 = 0
    var uid: UInt64 = 0

    static let bytes = 21

    func encode(into buffer: inout ByteBuffer) {
        buffer.writeInteger(kind.rawValue)
        buffer.writeInteger(UInt32(from))
        buffer.writeInteger(number)
        buffer.writeInteger(uid)
    }
}

/// Cuts a stream of bytes into frames. Whatever is none closes the connection.
struct RingFrameDecoder: ByteToMessageDecoder {
    typealias InboundOut = RingFrame

    struct NoFrame: Error {}

    /// Places are below this.
    let members: Int

    mutating func decode(context: ChannelHandlerContext, buffer: inout ByteBuffer) throws -> DecodingState {
        guard buffer.readableBytes >= RingFrame.bytes else { return .needMoreData }
        guard let kind = buffer.readInteger(as: UInt8.self).flatMap({ RingFrame.Kind(rawValue: $0) }),
            let from = buffer.readInteger(as: UInt32.self), from < members,
            let number = buffer.readInteger(as: UInt64.self), let uid = buffer.readInteger(as: UInt64.self)
        else { throw NoFrame() }
        context.fireChannelRead(
            wrapInboundOut(RingFrame(kind: kind, from: Int(from), number: number, uid: uid)))
        return .continue
    }
}

/// Hands frames to their member.
final class RingFrameReader: ChannelInboundHandler {
    typealias InboundIn = RingFrame

    private let inbox: AsyncStream<RingMember.Event>.Continuation

    init(_ inbox: AsyncStream<RingMember.Event>.Continuation) { self.inbox = inbox }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) { inbox.yield(.frame(unwrapInboundIn(data))) }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }
}

import NIOCore
import NIOPosix
import PeerTransport
import Raft

/// A bare socket that speaks frames by hand, for peers that are broken, hostile, foreign or slow.
///
/// `@unchecked Sendable`: what changes is touched on the loop only.
final class RawPeer: ChannelInboundHandler, @unchecked Sendable {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private var channel: (any Channel)?
    private var listener: (any Channel)?
    private var decoder = FrameDecoder(maxFrameBytes: 1 << 24)
    private(set) var frames: [Frame] = []
    private(set) var isClosed = false
    private(set) var accepted = 0
    /// Answers every hello, if set.
    var answer: (@Sendable (Hello) -> [UInt8])?

    /// Connects to a transport.
    static func dial(_ address: PeerAddress) async throws -> RawPeer {
        let peer = RawPeer()
        _ = try await ClientBootstrap(group: testLoop)
            .channelInitializer { $0.pipeline.addHandler(peer) }
            .connect(host: address.host, port: address.port).get()
        return peer
    }

    /// Listens for a transport; serves one connection at a time.
    static func listen(_ answer: (@Sendable (Hello) -> [UInt8])?) async throws -> (RawPeer, PeerAddress) {
        let peer = RawPeer()
        peer.answer = answer
        let listener = try await ServerBootstrap(group: testLoop)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelInitializer { $0.pipeline.addHandler(peer) }
            .bind(host: "127.0.0.1", port: 0).get()
        peer.listener = listener
        return (peer, PeerAddress(host: "127.0.0.1", port: listener.localAddress!.port!))
    }

    func handlerAdded(context: ChannelHandlerContext) {
        channel = context.channel
        isClosed = false
        accepted += 1
        decoder = FrameDecoder(maxFrameBytes: 1 << 24)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        unwrapInboundIn(data).withUnsafeReadableBytes { decoder.append($0) }
        while let frame = try? decoder.next() {
            frames.append(frame)
            if frame.kind == .hello, let answer, case .hello(let hello)? = try? Hello.read(frame.body) {
                context.writeAndFlush(wrapOutboundOut(ByteBuffer(bytes: answer(hello))), promise: nil)
            }
        }
    }

    func channelInactive(context: ChannelHandlerContext) { isClosed = true }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }

    func write(_ bytes: [UInt8]) async throws {
        // It may be refused and closed already: that is what the test then looks at.
        try? await testLoop.flatSubmit { self.channel!.writeAndFlush(ByteBuffer(bytes: bytes)) }.get()
    }

    func on<T: Sendable>(_ body: @escaping @Sendable (RawPeer) -> T) async throws -> T {
        try await testLoop.submit { body(self) }.get()
    }

    /// Stops reading from the socket, or goes on.
    func setReading(_ isReading: Bool) async throws {
        try await testLoop.flatSubmit { self.channel!.setOption(.autoRead, value: isReading) }.get()
        if isReading { try await on { $0.channel!.read() } }
    }

    /// Writes and closes at once, so that what the other side sends meets a closed socket; on the loop only.
    func closeNow(after lastWords: [UInt8]) {
        channel?.writeAndFlush(ByteBuffer(bytes: lastWords), promise: nil)
        channel?.close(promise: nil)
    }

    func close() async throws {
        try? await testLoop.flatSubmit { self.channel?.close() ?? testLoop.makeSucceededVoidFuture() }.get()
        try? await listener?.close()
    }

    func until(_ condition: @escaping @Sendable (RawPeer) -> Bool) async throws {
        for _ in 0..<15_000 {
            if try await on(condition) { return }
            try await Task.sleep(for: .milliseconds(2))
        }
        throw TimedOut()
    }

    /// The first refusal that arrived, once the connection is closed.
    func refusal() async throws -> Refusal? {
        try await until { $0.isClosed }
        return try await on { raw in
            raw.frames.first { $0.kind == .refusal }.flatMap { try? Refusal.read($0.body) }
        }
    }

    struct TimedOut: Error {}
}

func frame(_ kind: Frame.Kind, _ body: some Collection<UInt8>) -> [UInt8] {
    var buffer = ByteBuffer()
    buffer.append(kind, body: body)
    return Array(buffer: buffer)
}

func relayFrame(from origin: UInt32, to destination: UInt32, _ message: String) -> [UInt8] {
    var buffer = ByteBuffer()
    buffer.append(relayFrom: NodeID(origin), to: NodeID(destination), Array(message.utf8))
    return Array(buffer: buffer)
}

func hello(
    _ node: UInt32, to target: UInt32, cluster: String = "test", incarnation: UInt64 = 77, attempt: UInt64 = 1,
    version: UInt16 = Hello.version
) -> [UInt8] {
    let hello = Hello(
        cluster: cluster, node: NodeID(node), target: NodeID(target), incarnation: incarnation, attempt: attempt)
    return frame(.hello, hello.encoded(version: version))
}

/// SplitMix64, for runs that repeat.
struct TestGenerator: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }

    mutating func below(_ bound: Int) -> Int { Int(next() % UInt64(bound)) }
}

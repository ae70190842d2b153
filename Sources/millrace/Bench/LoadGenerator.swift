import Foundation
import NIOCore
import NIOPosix

/// A closed-loop load: so many connections, each with so many requests under way, for so long.
///
/// The same generator drives what is measured and its reference, one after the other, so that its own cost is on both sides.
struct LoadGenerator {
    /// How an answer's end is recognised.
    enum Framing: Sendable {
        /// So many line feeds, as in RESP replies of fixed shape.
        case lines(Int)
        /// A header with `Content-Length`, then the body.
        case http
    }

    var host = "127.0.0.1"
    var port: Int
    var connections: Int
    var pipeline: Int
    var framing: Framing
    /// The bytes of the n-th request of all.
    var request: @Sendable (Int) -> [UInt8]

    struct Result {
        var perSecond: Double
        /// Answers that were errors.
        var errors: Int
    }

    /// The longest a measurement may take.
    static let longest: Double = 60

    /// Runs for `seconds` and counts the answers.
    func run(seconds: Double, group: any EventLoopGroup) async throws -> Result {
        precondition(seconds <= LoadGenerator.longest, "a measurement takes at most \(LoadGenerator.longest) s")
        let end = DispatchTime.now().uptimeNanoseconds + UInt64(seconds * 1e9)
        let start = DispatchTime.now().uptimeNanoseconds
        var channels: [(any Channel, EventLoopFuture<(Int, Int)>)] = []
        for i in 0..<connections {
            let loop = group.next()
            let promise = loop.makePromise(of: (Int, Int).self)
            let channel = try await ClientBootstrap(group: loop)
                .channelOption(.tcpOption(.tcp_nodelay), value: 1)
                .channelOption(.recvAllocator, value: FixedSizeRecvByteBufferAllocator(capacity: 64 << 10))
                .channelInitializer { channel in
                    channel.eventLoop.makeCompletedFuture {
                        try channel.pipeline.syncOperations.addHandler(
                            Connection(
                                first: i, step: connections, pipeline: pipeline, framing: framing, request: request,
                                end: end,
                                done: promise))
                    }
                }
                .connect(host: host, port: port).get()
            channels.append((channel, promise.futureResult))
        }
        var (answers, errors) = (0, 0)
        for (channel, done) in channels {
            let (count, wrong) = try await done.get()
            answers += count
            errors += wrong
            try? await channel.close()
        }
        let elapsed = Double(DispatchTime.now().uptimeNanoseconds - start) / 1e9
        return Result(perSecond: Double(answers) / elapsed, errors: errors)
    }
}

/// One connection of a ``LoadGenerator``.
private final class Connection: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private var next: Int
    private let step: Int
    private let pipeline: Int
    private let framing: LoadGenerator.Framing
    private let request: @Sendable (Int) -> [UInt8]
    private let end: UInt64
    private let done: EventLoopPromise<(Int, Int)>
    private var counter: AnswerCounter
    private var answers = 0
    private var isDone = false

    init(
        first: Int, step: Int, pipeline: Int, framing: LoadGenerator.Framing,
        request: @escaping @Sendable (Int) -> [UInt8],
        end: UInt64, done: EventLoopPromise<(Int, Int)>
    ) {
        next = first
        self.step = step
        self.pipeline = pipeline
        self.framing = framing
        self.request = request
        self.end = end
        self.done = done
        counter = AnswerCounter(framing)
    }

    func channelActive(context: ChannelHandlerContext) { send(pipeline, context) }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let buffer = unwrapInboundIn(data)
        let count = buffer.readableBytesView.withUnsafeBytes { counter.count($0) }
        answers += count
        guard count > 0 else { return }
        if DispatchTime.now().uptimeNanoseconds >= end {
            finish()
        } else {
            send(count, context)
        }
    }

    func channelInactive(context: ChannelHandlerContext) { finish() }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        finish()
        context.close(promise: nil)
    }

    private func send(_ count: Int, _ context: ChannelHandlerContext) {
        var buffer = context.channel.allocator.buffer(capacity: count * 128)
        for _ in 0..<count {
            buffer.writeBytes(request(next))
            next += step
        }
        context.writeAndFlush(wrapOutboundOut(buffer), promise: nil)
    }

    private func finish() {
        guard !isDone else { return }
        isDone = true
        done.succeed((answers, counter.errors))
    }
}

/// Counts complete answers in a stream.
private struct AnswerCounter {
    private let framing: LoadGenerator.Framing
    private var lines = 0
    private var header: [UInt8] = []
    private var bodyLeft = 0
    private var isInBody = false
    private var isLineStart = true
    private(set) var errors = 0

    init(_ framing: LoadGenerator.Framing) { self.framing = framing }

    mutating func count(_ bytes: UnsafeRawBufferPointer) -> Int {
        switch framing {
        case .lines(let perAnswer):
            var answers = 0
            for byte in bytes {
                if isLineStart, byte == UInt8(ascii: "-") {
                    // An error is one line, whatever the shape of the others.
                    errors += 1
                    lines += perAnswer - 1
                }
                isLineStart = byte == UInt8(ascii: "\n")
                if isLineStart {
                    lines += 1
                    if lines == perAnswer {
                        lines = 0
                        answers += 1
                    }
                }
            }
            return answers
        case .http:
            return countHTTP(bytes)
        }
    }

    private mutating func countHTTP(_ bytes: UnsafeRawBufferPointer) -> Int {
        var answers = 0
        var i = 0
        while i < bytes.count {
            if isInBody {
                let taken = min(bodyLeft, bytes.count - i)
                bodyLeft -= taken
                i += taken
            } else {
                header.append(bytes[i])
                i += 1
                guard header.count >= 4, header.suffix(4).elementsEqual("\r\n\r\n".utf8) else { continue }
                let text = String(decoding: header, as: UTF8.self).lowercased()
                bodyLeft =
                    text.split(separator: "\r\n").lazy.compactMap { line in
                        line.hasPrefix("content-length:")
                            ? Int(line.dropFirst(15).trimmingCharacters(in: .whitespaces)) : nil
                    }.first ?? 0
                if !text.hasPrefix("http/1.1 200"), !text.hasPrefix("http/1.1 429") { errors += 1 }
                header.removeAll(keepingCapacity: true)
                isInBody = true
            }
            if isInBody, bodyLeft == 0 {
                isInBody = false
                answers += 1
            }
        }
        return answers
    }
}

import NIOCore
import NIOPosix

/// An answer as it came over the wire.
struct Answer {
    var status: Int
    /// Names in lower case.
    var headers: [String: String]
    var body: String
}

/// A bare HTTP/1.1 client on one connection: what it sends is what the test says, byte for byte.
struct Client: Sendable {
    private let channel: NIOAsyncChannel<ByteBuffer, ByteBuffer>

    /// Opens a connection to this machine, and closes it when `body` is done.
    static func connect<Result: Sendable>(
        port: Int, _ body: (inout Session) async throws -> Result
    ) async throws -> Result {
        let channel = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .connect(host: "127.0.0.1", port: port) { channel in
                channel.eventLoop.makeCompletedFuture {
                    try NIOAsyncChannel<ByteBuffer, ByteBuffer>(wrappingChannelSynchronously: channel)
                }
            }
        return try await channel.executeThenClose { inbound, outbound in
            var session = Session(iterator: inbound.makeAsyncIterator(), outbound: outbound)
            return try await body(&session)
        }
    }

    /// What happens on one connection.
    struct Session {
        var iterator: NIOAsyncChannelInboundStream<ByteBuffer>.AsyncIterator
        let outbound: NIOAsyncChannelOutboundWriter<ByteBuffer>
        private var received: [UInt8] = []

        init(
            iterator: NIOAsyncChannelInboundStream<ByteBuffer>.AsyncIterator,
            outbound: NIOAsyncChannelOutboundWriter<ByteBuffer>
        ) {
            self.iterator = iterator
            self.outbound = outbound
        }

        func send(_ bytes: some Sequence<UInt8>) async throws { try await outbound.write(ByteBuffer(bytes: bytes)) }

        /// Sends a request and waits for its answer.
        mutating func call(
            _ method: String, _ path: String, _ body: some Collection<UInt8>, headers: [String] = []
        ) async throws -> Answer {
            try await send(Session.request(method, path, body, headers: headers))
            return try await answer(hasBody: method != "HEAD")
        }

        mutating func call(
            _ method: String, _ path: String, _ body: String = "", headers: [String] = []
        ) async throws -> Answer {
            try await call(method, path, Array(body.utf8), headers: headers)
        }

        static func request(
            _ method: String, _ path: String, _ body: some Collection<UInt8>, headers: [String] = []
        ) -> [UInt8] {
            var head = "\(method) \(path) HTTP/1.1\r\nHost: test\r\nContent-Length: \(body.count)\r\n"
            for header in headers { head += header + "\r\n" }
            return Array((head + "\r\n").utf8) + body
        }

        struct Closed: Error {}

        private mutating func fill() async throws {
            guard let buffer = try await iterator.next(isolation: #isolation) else { throw Closed() }
            received += buffer.readableBytesView
        }

        /// Reads one answer, headers and body by its content length.
        mutating func answer(hasBody: Bool = true) async throws -> Answer {
            var end: Int?
            while end == nil {
                end = received.indices.first { received[$0...].starts(with: "\r\n\r\n".utf8) }
                if end == nil { try await fill() }
            }
            let lines = String(decoding: received[..<end!], as: UTF8.self).split(separator: "\r\n")
            var headers: [String: String] = [:]
            for line in lines.dropFirst() {
                let parts = line.split(separator: ":", maxSplits: 1)
                headers[parts[0].lowercased()] = String(parts[1].drop { $0 == " " })
            }
            received.removeFirst(end! + 4)
            let length = hasBody ? Int(headers["content-length"] ?? "0")! : 0
            while received.count < length { try await fill() }
            let body = String(decoding: received[..<length], as: UTF8.self)
            received.removeFirst(length)
            return Answer(status: Int(lines[0].split(separator: " ")[1])!, headers: headers, body: body)
        }
    }
}

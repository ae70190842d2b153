import HummingbirdCore
import HTTPTypes
import Logging
import MillraceServer
import NIOCore
import ServiceLifecycle
import Synchronization

/// The reference of `bench http`: the same HTTP server, which reads the body and answers a constant of the same length.
final class ConstantServer: Sendable {
    private let group: any EventLoopGroup
    private let task = Mutex<Task<Void, any Error>?>(nil)

    init(group: any EventLoopGroup) { self.group = group }

    /// Returns the port.
    func start() async throws -> Int {
        let (ports, continuation) = AsyncStream.makeStream(of: Int.self)
        var logger = Logger(label: "constant")
        logger.logLevel = .critical
        let answer = ByteBuffer(
            string: #"{"allowed":true,"limit":1000000,"remaining":999999,"retryAfterMs":0,"resetAfterMs":1}"#)
        let service = try HTTPServerBuilder.http1().buildServer(
            configuration: ServerConfiguration(address: .hostname("127.0.0.1", port: 0)), eventLoopGroup: group,
            logger: logger
        ) { request, writer, _ in
            for try await _ in request.body {}
            var head = HTTPResponse(status: .ok)
            head.headerFields[.contentType] = "application/json"
            head.headerFields[.contentLength] = String(answer.readableBytes)
            try await writer.write(response: head, body: ResponseBody(byteBuffer: answer))
        } onServerRunning: { channel in
            continuation.yield(channel.localAddress?.port ?? 0)
            continuation.finish()
        }
        task.withLock { $0 = Task { try await service.run() } }
        for await port in ports { return port }
        throw StartFailure(.failed, "the reference server did not start")
    }

    func stop() { task.withLock { $0?.cancel() } }
}

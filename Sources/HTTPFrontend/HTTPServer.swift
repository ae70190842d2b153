import HTTPTypes
import HummingbirdCore
public import LimiterCore
public import Logging
public import NIOCore
public import NIOPosix
public import ServiceLifecycle
import Synchronization

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// The HTTP front door of a node: decisions, rules, health and metrics, on Hummingbird's HTTP/1.1 server.
///
/// Run it as a service; a graceful shutdown stops accepting, answers what is being asked, and returns.
public final class HTTPServer: Service {
    /// Where it listens and what it asks of its callers.
    public struct Configuration: Sendable {
        /// A host name or an address.
        public var host: String
        /// 0 lets the system choose; see ``HTTPServer/listeningPort()``.
        public var port: Int
        /// What callers must send as `Authorization: Bearer …`, for everything but `/healthz`; nil for nothing.
        public var token: String?
        /// Connections beyond this many wait in the system's queue.
        public var mostConnections: Int
        /// A connection on which nothing is asked for so long is closed.
        public var idleSeconds: Int
        /// Whether `X-RateLimit-Limit`, `-Remaining` and `-Reset` are sent, too.
        public var hasLegacyHeaders: Bool

        public init(
            host: String = "127.0.0.1", port: Int = 8080, token: String? = nil, mostConnections: Int = 10_000,
            idleSeconds: Int = 75, hasLegacyHeaders: Bool = true
        ) {
            self.host = host
            self.port = port
            self.token = token
            self.mostConnections = mostConnections
            self.idleSeconds = idleSeconds
            self.hasLegacyHeaders = hasLegacyHeaders
        }
    }

    private enum Listening {
        case notYet([CheckedContinuation<Result<Int, HTTPServerError>, Never>])
        case listening(port: Int)
        case failed(HTTPServerError)
    }

    private let configuration: Configuration
    private let router: Router
    private let group: any EventLoopGroup
    private let logger: Logger
    private let date = HTTPDate()
    private let listening = Mutex(Listening.notYet([]))

    /// A server that decides by `path` first and by `handler` where the path cannot, and asks `control` everything else.
    public convenience init(
        _ configuration: Configuration, path: DecisionPath, handler: any PendingRequestHandler,
        control: any NodeControl,
        group: any EventLoopGroup = MultiThreadedEventLoopGroup.singleton, logger: Logger
    ) {
        self.init(
            configuration, path: path, handler: handler, control: control, group: group, logger: logger,
            pending: PendingDecisions(), turn: .real)
    }

    init(
        _ configuration: Configuration, path: DecisionPath, handler: any PendingRequestHandler,
        control: any NodeControl,
        group: any EventLoopGroup, logger: Logger, pending: PendingDecisions, turn: Turn
    ) {
        self.configuration = configuration
        self.group = group
        self.logger = logger
        let acquirer = Acquirer(
            path: path, handler: handler, pending: pending, turn: turn, hasLegacyHeaders: configuration.hasLegacyHeaders
        )
        router = Router(
            acquirer: acquirer, reserver: Reserver(acquirer: acquirer), admin: AdminRoutes(control: control),
            token: configuration.token.map { Array($0.utf8) })
    }

    // MARK: Running

    /// Serves until the surrounding service group shuts down. Throws ``HTTPServerError`` where it cannot listen.
    public func run() async throws {
        do {
            try await makeService().run()
        } catch {
            let error = describe(error)
            settle(.failed(error))
            throw error
        }
        settle(.failed(HTTPServerError(.stopped, "the HTTP server has stopped")))
    }

    private func makeService() throws -> any Service {
        let channelConfiguration = HTTP1Channel.Configuration(
            additionalChannelHandlers: [InboundCloseWatcher()], idleTimeout: .seconds(Int64(configuration.idleSeconds)))
        let router = router
        let date = date
        return try HTTPServerBuilder.http1(configuration: channelConfiguration).buildServer(
            configuration: ServerConfiguration(
                address: .hostname(configuration.host, port: configuration.port),
                availableConnectionsDelegate: MaximumAvailableConnections(configuration.mostConnections, logger: logger)
            ),
            eventLoopGroup: group, logger: logger
        ) { request, writer, channel in
            if let expect = request.headers[.expect], expect.lowercased() == "100-continue" {
                try await writer.writeInformationalHead(HTTPResponse(status: .continue))
            }
            var response = try await router.respond(request.head, client: channel) { most in
                try await HTTPServer.read(request, most: most)
            }
            response.headers.append(HTTPField(name: .date, value: date.now))
            try await writer.write(response: response.head, body: response.body)
        } onServerRunning: { [weak self] channel in
            guard let self, let port = channel.localAddress?.port else { return }
            self.settle(.listening(port: port))
        }
    }

    /// The request's whole body; throws `NIOTooManyBytesError` if it is longer than `most`.
    private static func read(_ request: Request, most: Int) async throws -> ByteBuffer {
        if let length = request.headers[.contentLength].flatMap({ Int($0) }), length > most {
            throw NIOTooManyBytesError(maxBytes: most)
        }
        var iterator = request.body.makeAsyncIterator()
        guard var body = try await iterator.next() else { return ByteBuffer() }
        // Nearly always the first part is all there is.
        while var part = try await iterator.next() {
            guard body.readableBytes + part.readableBytes <= most else { throw NIOTooManyBytesError(maxBytes: most) }
            body.writeBuffer(&part)
        }
        guard body.readableBytes <= most else { throw NIOTooManyBytesError(maxBytes: most) }
        return body
    }

    // MARK: Listening

    /// The port it listens at; nil before and after.
    public var boundPort: Int? {
        listening.withLock { if case .listening(let port) = $0 { port } else { nil } }
    }

    /// Waits until it listens, and returns the port. Throws if it fails to, or has stopped.
    public func listeningPort() async throws(HTTPServerError) -> Int {
        let result = await withCheckedContinuation { continuation in
            let result: Result<Int, HTTPServerError>? = listening.withLock { state in
                switch state {
                case .notYet(let waiting):
                    state = .notYet(waiting + [continuation])
                    return nil
                case .listening(let port): return .success(port)
                case .failed(let error): return .failure(error)
                }
            }
            if let result { continuation.resume(returning: result) }
        }
        return try result.get()
    }

    private func settle(_ new: Listening) {
        let waiting = listening.withLock { state -> [CheckedContinuation<Result<Int, HTTPServerError>, Never>] in
            // A failure stays: what stopped the server first is what people want to know.
            if case .failed = state { return [] }
            defer { state = new }
            if case .notYet(let waiting) = state { return waiting }
            return []
        }
        for continuation in waiting {
            switch new {
            case .listening(let port): continuation.resume(returning: .success(port))
            case .failed(let error): continuation.resume(returning: .failure(error))
            case .notYet: preconditionFailure("the server cannot go back to not listening yet")
            }
        }
    }

    private func describe(_ error: any Error) -> HTTPServerError {
        let address = "\(configuration.host):\(configuration.port)"
        guard let error = error as? IOError else {
            return HTTPServerError(
                .cannotListen,
                "cannot listen for HTTP at \(address): \(error); choose another address with --http HOST:PORT")
        }
        if error.errnoCode == EADDRINUSE {
            return HTTPServerError(
                .addressInUse,
                "cannot listen for HTTP at \(address): another process listens there: stop it, or choose another "
                    + "address with --http HOST:PORT")
        }
        let hint =
            switch error.errnoCode {
            case EACCES: "ports below 1024 need a privilege; choose another with --http HOST:PORT"
            case EADDRNOTAVAIL: "it is not an address of this machine; choose one that is with --http HOST:PORT"
            default: "choose another with --http HOST:PORT"
            }
        return HTTPServerError(.cannotListen, "cannot listen for HTTP at \(address): \(error); \(hint)")
    }
}

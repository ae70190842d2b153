public import LimiterCore
public import Logging
public import NIOCore
import NIOPosix

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// The RESP front door: what Redis clients connect to.
///
/// Requests that a table can decide are answered within the read that brought them; the others go to the
/// ``PendingRequestHandler`` and are answered in their turn. Safe to use from any thread.
public final class RESPServer: Sendable {
    private let listener: any Channel
    private let mailboxes: [LoopMailbox]
    private let gate: Gate
    private let totals: SharedCounts

    /// Where it listens.
    public let address: SocketAddress

    private init(
        listener: any Channel, address: SocketAddress, mailboxes: [LoopMailbox], gate: Gate, totals: SharedCounts
    ) {
        self.listener = listener
        self.address = address
        self.mailboxes = mailboxes
        self.gate = gate
        self.totals = totals
    }

    /// Opens a front door whose connections run on the loops of `group`.
    public static func start(
        _ options: Options, group: any EventLoopGroup, path: DecisionPath, handler: any PendingRequestHandler,
        logger: Logger
    ) async throws(RESPServerError) -> RESPServer {
        let totals = SharedCounts()
        let mailboxes = group.makeIterator().map { LoopMailbox(eventLoop: $0, handler: handler) }
        let gate = Gate(options: options, path: path, totals: totals, mailboxes: mailboxes, logger: logger)
        let bootstrap = ServerBootstrap(group: group)
            .serverChannelOption(.backlog, value: 1024)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelOption(.tcpOption(.tcp_nodelay), value: 1)
            .childChannelOption(.recvAllocator, value: FixedSizeRecvByteBufferAllocator(capacity: 64 << 10))
            .childChannelOption(.writeBufferWaterMark, value: .init(low: 64 << 10, high: 256 << 10))
            .childChannelOption(.allowRemoteHalfClosure, value: true)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture { try gate.admit(channel) }
            }
        let listener: any Channel
        do {
            listener = try await bootstrap.bind(host: options.host, port: options.port).get()
        } catch {
            throw RESPServerError(binding: "\(options.host):\(options.port)", error)
        }
        guard let address = listener.localAddress else {
            preconditionFailure("a listening socket has an address")
        }
        gate.setPort(address.port ?? options.port)
        logger.info("RESP front door open", metadata: ["address": "\(address)"])
        return RESPServer(listener: listener, address: address, mailboxes: mailboxes, gate: gate, totals: totals)
    }

    /// The counters as they are now.
    public var statistics: RESPStatistics { totals.snapshot }

    /// Accepts nobody and reads nothing more, answers what has been asked, and closes each connection when it is
    /// answered; whatever is left after `bound` is closed as it is. Returns when all are closed.
    public func stop(within bound: TimeAmount = .seconds(5)) async {
        gate.close()
        try? await listener.close()  // It may have been closed already, which is as good.
        let loops = mailboxes.map { mailbox in
            mailbox.eventLoop.flatSubmit {
                let connections = mailbox.all()
                let futures = connections.compactMap { $0.closeFuture }
                for connection in connections { connection.finish() }
                let forced = mailbox.eventLoop.scheduleTask(in: bound) {
                    for connection in mailbox.all() { connection.abandon() }
                }
                return EventLoopFuture.andAllComplete(futures, on: mailbox.eventLoop).map { forced.cancel() }
            }
        }
        for loop in loops { try? await loop.get() }  // They cannot fail: whatever a close says, the connection is gone.
    }
}

extension RESPServerError {
    init(binding address: String, _ error: any Error) {
        let (code, remedy): (Code, String) =
            switch (error as? IOError)?.errnoCode {
            case EADDRINUSE:
                (
                    .addressInUse,
                    "another process listens there: stop it, or choose another address with --resp HOST:PORT"
                )
            case EADDRNOTAVAIL:
                (.addressNotAvailable, "this machine has no such address: choose one of its own with --resp HOST:PORT")
            case EACCES:
                (.notPermitted, "the system does not permit it: choose a port from 1024 on with --resp HOST:PORT")
            default: (.other, "\(error): check the address given with --resp HOST:PORT")
            }
        self.init(code: code, description: "cannot listen for Redis clients on \(address): \(remedy)", cause: error)
    }
}

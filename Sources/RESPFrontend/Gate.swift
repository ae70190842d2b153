import LimiterCore
import Logging
import NIOCore
import Synchronization

/// Lets new connections in, or tells them that there are too many.
final class Gate: Sendable {
    private let options: RESPServer.Options
    private let path: DecisionPath
    private let totals: SharedCounts
    private let mailboxes: [ObjectIdentifier: LoopMailbox]
    private let logger: Logger
    private let isClosed = Atomic(false)
    private let lastClient = Atomic(0)
    /// The port that the system chose, if it was asked to.
    private let port: Atomic<Int>

    init(
        options: RESPServer.Options, path: DecisionPath, totals: SharedCounts, mailboxes: [LoopMailbox], logger: Logger
    ) {
        self.options = options
        self.path = path
        self.totals = totals
        self.mailboxes = Dictionary(uniqueKeysWithValues: mailboxes.map { (ObjectIdentifier($0.eventLoop), $0) })
        self.logger = logger
        port = Atomic(options.port)
    }

    func setPort(_ port: Int) { self.port.store(port, ordering: .relaxed) }

    /// Nobody comes in any more.
    func close() { isClosed.store(true, ordering: .sequentiallyConsistent) }

    /// Prepares a new connection; on its event loop.
    func admit(_ channel: any Channel) throws {
        guard !isClosed.load(ordering: .sequentiallyConsistent) else { throw ChannelError.ioOnClosedChannel }
        let totals = totals
        let open = totals.add(.openConnections)
        channel.closeFuture.whenComplete { _ in totals.add(.openConnections, -1) }
        try options.prepareConnection?(channel)
        guard open <= options.mostConnections else {
            totals.add(.refusedConnections)
            return try channel.pipeline.syncOperations.addHandler(RefusingHandler())
        }
        totals.add(.acceptedConnections)
        guard let mailbox = mailboxes[ObjectIdentifier(channel.eventLoop)] else {
            preconditionFailure("a connection on a loop that is not of the server's group")
        }
        var options = options
        options.port = port.load(ordering: .relaxed)
        let peer = channel.remoteAddress.map { "\($0.ipAddress ?? ""):\($0.port ?? 0)" } ?? ""
        let session = Session(
            number: mailbox.newNumber(), clientID: lastClient.add(1, ordering: .relaxed).newValue, peer: peer,
            options: options,
            path: path, totals: totals)
        try channel.pipeline.syncOperations.addHandler(
            ConnectionHandler(
                session: session, mailbox: mailbox, totals: totals, idleTimeout: options.idleTimeout, logger: logger))
    }
}

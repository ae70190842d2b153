import LimiterCore
import NIOCore
import Synchronization

/// The traffic between the connections of one event loop and the runtime that decides what their tables cannot.
///
/// Requests of all connections that became readable in one turn of the loop leave as one batch; decisions arrive on
/// any thread and wake the loop once, however many there are.
///
/// `@unchecked Sendable`: ``inbox`` has a lock; everything that can change beside it is used on the event loop only,
/// which ``join(_:)`` and all the others check.
final class LoopMailbox: DecisionSink, @unchecked Sendable {
    let eventLoop: any EventLoop
    private let handler: any PendingRequestHandler
    private let inbox = Mutex<[(token: UInt64, decision: Decision)]>([])

    private var connections: [UInt32: ConnectionHandler] = [:]
    private var lastNumber: UInt32 = 0
    private var outbox: [PendingRequest] = []

    init(eventLoop: any EventLoop, handler: any PendingRequestHandler) {
        self.eventLoop = eventLoop
        self.handler = handler
    }

    // MARK: Connections

    /// A number for a new connection: the upper half of its requests' tokens. None that is in use, but one of a
    /// closed connection may come again after 2^32 others.
    func newNumber() -> UInt32 {
        eventLoop.preconditionInEventLoop()
        repeat { lastNumber &+= 1 } while connections[lastNumber] != nil
        return lastNumber
    }

    func join(_ connection: ConnectionHandler, number: UInt32) {
        eventLoop.preconditionInEventLoop()
        connections[number] = connection
    }

    func leave(number: UInt32) {
        eventLoop.preconditionInEventLoop()
        connections[number] = nil
    }

    /// The connections of this loop, oldest number first.
    func all() -> [ConnectionHandler] {
        eventLoop.preconditionInEventLoop()
        return connections.sorted { $0.key < $1.key }.map(\.value)
    }

    // MARK: Requests

    /// Takes a connection's requests, and submits them with those of others at the end of this turn of the loop.
    func submit(_ requests: inout [PendingRequest]) {
        eventLoop.preconditionInEventLoop()
        if outbox.isEmpty { eventLoop.execute { self.flush() } }
        outbox.append(contentsOf: requests)
        requests.removeAll(keepingCapacity: true)
    }

    private func flush() {
        let batch = outbox
        outbox = []
        handler.submit(batch, to: self)
    }

    func deliver(_ decisions: [(token: UInt64, decision: Decision)]) {
        guard !decisions.isEmpty else { return }
        let isFirst = inbox.withLock { inbox in
            defer { inbox.append(contentsOf: decisions) }
            return inbox.isEmpty
        }
        if isFirst { eventLoop.execute { self.drain() } }
    }

    private func drain() {
        let decisions = inbox.withLock { inbox in
            defer { inbox = [] }
            return inbox
        }
        var touched: [ConnectionHandler] = []
        for (token, decision) in decisions {
            // The client may have gone in the meantime: nobody waits for this any more.
            guard let connection = connections[UInt32(token >> 32)] else { continue }
            if connection.take(decision, for: UInt32(truncatingIfNeeded: token)) { touched.append(connection) }
        }
        for connection in touched { connection.proceed() }
    }
}

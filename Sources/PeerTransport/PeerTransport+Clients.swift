import Logging
import NIOCore

// Embedded clients: they come by the same port with a hello of their own, and know nothing of peers, relays and reconnecting dials.

extension PeerTransport {
    /// Queues a message for a client; it leaves at the next ``flush()``. A client that is gone meanwhile gets nothing, and one that does
    /// not read what it is sent is cut off.
    public func send(_ message: [UInt8], toClient id: UInt64) {
        loop.assertInEventLoop()
        guard let client = clients[id] else { return }
        guard client.bufferedBytes + Frame.lengthBytes + 1 + message.count <= configuration.maxBufferedBytesPerClient
        else {
            totals.clientsTooSlow += 1
            return inCall {
                client.refuse(
                    Refusal(
                        .tooSlow,
                        "more than \(configuration.maxBufferedBytesPerClient) bytes wait to be read: connect again"))
            }
        }
        client.queue(message)
        totals.clientMessagesSent += 1
        guard !client.isDirty else { return }
        client.isDirty = true
        dirtyClients.append(client)
    }

    /// The connected clients, in the order in which they came.
    public var clientIDs: [UInt64] { clients.keys.sorted() }

    /// Why a client is not taken, or nil.
    func refusal(ofClient reading: ClientHello.Reading) -> Refusal? {
        guard case .hello(let hello) = reading else {
            guard case .otherVersion(let version) = reading else { return nil }
            return Refusal(
                .otherVersion,
                "protocol versions differ: node \(configuration.node) speaks version \(ClientHello.version) with clients, this"
                    + " client version \(version); use a release of MillraceClient that fits the cluster")
        }
        if let token = configuration.clientToken, !PeerTransport.isSame(token, hello.token) {
            return Refusal(.unauthorised, "the token is missing or wrong: give the client the nodes' own --token")
        }
        guard clients.count < configuration.maxClients else {
            return Refusal(
                .tooManyClients,
                "node \(configuration.node) has \(clients.count) clients, at most \(configuration.maxClients) are possible:"
                    + " connect to another node")
        }
        return nil
    }

    /// Compares in a time that does not tell how much is right.
    private static func isSame(_ a: String, _ b: String) -> Bool {
        let (x, y) = (Array(a.utf8), Array(b.utf8))
        var difference = x.count ^ y.count
        for i in 0..<max(x.count, y.count) {
            difference |= Int((i < x.count ? x[i] : 0) ^ (i < y.count ? y[i] : 0))
        }
        return difference == 0
    }

    func clientRefused(_ connection: PeerConnection, _ refusal: Refusal) {
        totals.refusedClients += 1
        logger.debug("refused a client: \(refusal.text)", metadata: ["remote": "\(connection.remoteAddress)"])
    }

    func clientArrived(_ connection: PeerConnection, _ hello: ClientHello) -> ClientLink {
        nextClient += 1
        let client = ClientLink(id: nextClient, name: Refusal.printable(hello.name), connection: connection)
        clients[client.id] = client
        totals.clientConnects += 1
        logger.debug(
            "client connected",
            metadata: ["client": "\(client.id)", "name": "\(client.name)", "remote": "\(connection.remoteAddress)"])
        return client
    }

    func deliver(_ message: ArraySlice<UInt8>, from client: ClientLink) throws(ProtocolViolation) {
        totals.clientMessagesReceived += 1
        guard let delegate else { return }
        if let mistake = delegate.received(message, fromClient: client.id) { throw ProtocolViolation(mistake) }
    }

    func clientGone(_ client: ClientLink) {
        guard clients.removeValue(forKey: client.id) != nil else { return }
        delegate?.clientDisconnected(client.id)
    }
}

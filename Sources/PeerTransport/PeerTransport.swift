public import Logging
public import NIOCore
import NIOPosix
public import Raft

/// Carries opaque messages between the nodes of one cluster, over one TCP connection per pair of nodes.
///
/// Messages of one connection arrive in the order they were sent in, once at most; messages may be lost, whenever a
/// connection breaks or a queue is full, and nobody is told. While two nodes have no connection, their messages go
/// through a third one.
///
/// Everything happens on one event loop: all methods must be called on it, all calls of the delegate come on it. Only
/// the initialiser may run elsewhere.
///
///     let transport = PeerTransport(configuration: configuration, loop: loop, delegate: runtime, logger: logger)
///     transport.start()                        // listens and dials
///     transport.send(bytes, to: NodeID(2))     // queues
///     transport.flush()                        // writes what was queued for all peers
public final class PeerTransport {
    /// What became of a message given to ``send(_:to:)``.
    public enum SendResult: Hashable, Sendable {
        /// It waits for ``flush()`` on the direct connection.
        case queued
        /// It waits for ``flush()`` on the connection to a third node, which is asked to pass it on.
        case relayed
        /// Dropped: there is no way to that node now, or it is no member.
        case unreachable
        /// Dropped: too many bytes wait for that node already. What waits is kept: it is older, hence closer to being
        /// needed, and a sender that repeats itself repeats the newest.
        case full
        /// Dropped: longer than ``Configuration/maxMessageBytes``. A bug of the caller; logged, not trapped, since one
        /// oversized message should not take a node down.
        case tooLarge
    }

    let configuration: Configuration
    let admission: Admission
    let logger: Logger
    let loop: any EventLoop
    private(set) weak var delegate: (any PeerTransportDelegate)?

    /// All peers by ascending id: few enough that a scan beats a hash table.
    private(set) var peers: [Peer] = []
    private var dirty: [Peer] = []
    /// All connections whose channels exist, in whatever state.
    private(set) var connections: [PeerConnection] = []
    private var listener: (any Channel)?
    private(set) var isStopped = false
    private var hasStarted = false
    /// Set while a method of ours might make a channel report something: that is then reported later.
    private(set) var isInCall = false
    private var diallings: UInt64 = 0
    /// Embedded clients, by the number of their connection.
    var clients: [UInt64: ClientLink] = [:]
    var dirtyClients: [ClientLink] = []
    var nextClient: UInt64 = 0
    var totals = PeerTransportStatistics()
    var complaints: Set<Complaint> = []
    var fatalsTold: Set<PeerTransportError.Code> = []

    /// Reads are this large: a burst of small messages takes few system calls.
    private static let readBytes = 256 << 10

    /// - Parameter delegate: held weakly.
    public init(
        configuration: Configuration, loop: any EventLoop, delegate: any PeerTransportDelegate, logger: Logger
    ) {
        configuration.checkInvariants()
        self.configuration = configuration
        self.loop = loop
        self.delegate = delegate
        var logger = logger
        logger[metadataKey: "node"] = "\(configuration.node)"
        self.logger = logger
        admission = Admission(
            cluster: configuration.cluster, node: configuration.node, incarnation: configuration.incarnation)
        for (id, address) in configuration.peers.sorted(by: { $0.key < $1.key }) {
            peers.append(makePeer(id, address))
        }
    }

    // MARK: - Life

    /// Listens, then dials the peers. Fails with a ``PeerTransportError`` if it cannot listen.
    public func start() -> EventLoopFuture<Void> {
        loop.preconditionInEventLoop()
        precondition(!hasStarted && !isStopped, "a transport is started once")
        hasStarted = true
        let bound = NIOLoopBound(self, eventLoop: loop)
        var bootstrap = ServerBootstrap(group: loop)
            .serverChannelOption(.backlog, value: 256)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelOption(.recvAllocator, value: FixedSizeRecvByteBufferAllocator(capacity: Self.readBytes))
            .childChannelOption(.writeBufferWaterMark, value: .init(low: 1, high: 1))
            .childChannelInitializer { channel in bound.value.initialise(accepted: channel) }
        for (option, value) in socketOptions { bootstrap = bootstrap.childChannelOption(option, value: value) }
        let address = configuration.listen
        let node = configuration.node
        return bootstrap.bind(host: address.host, port: address.port)
            .flatMapErrorThrowing { throw PeerTransportError(listening: address, node: node, error: $0) }
            .assumeIsolated()
            .map { [self] channel in
                guard !isStopped else { return channel.close(promise: nil) }
                listener = channel
                for peer in peers { dial(peer) }
            }
            .nonisolated()
    }

    /// Closes everything; the future completes when the port is free again. The delegate hears nothing any more.
    ///
    /// What was flushed and fits into the kernel's buffers is still sent.
    public func stop() -> EventLoopFuture<Void> {
        loop.preconditionInEventLoop()
        isStopped = true
        delegate = nil
        for peer in peers { peer.timer?.cancel() }
        var closing: [EventLoopFuture<Void>] = []
        if let listener {
            listener.close(promise: nil)
            closing.append(listener.closeFuture)
        }
        for connection in connections {
            if let closed = connection.closeNow() { closing.append(closed) }
        }
        return EventLoopFuture.andAllComplete(closing, on: loop)
    }

    /// Where this node listens, once started.
    public var boundAddress: PeerAddress? {
        guard let address = listener?.localAddress, let host = address.ipAddress, let port = address.port else {
            return nil
        }
        return PeerAddress(host: host, port: port)
    }

    /// Adds a peer, or changes its address (then a dial to the old address is forgotten; a connection is kept, since it
    /// was checked by id).
    public func setPeer(_ id: NodeID, address: PeerAddress) {
        loop.preconditionInEventLoop()
        precondition(
            id != configuration.node && id.rawValue != 0, "node \(id) cannot be a peer of node \(configuration.node)")
        guard let peer = peer(id) else {
            let peer = makePeer(id, address)
            peers.insert(peer, at: peers.firstIndex { $0.id > id } ?? peers.endIndex)
            if listener != nil { dial(peer) }
            return
        }
        guard peer.address != address else { return }
        peer.address = address
        peer.dialling = nil
        if listener != nil, peer.connection == nil { dial(peer) }
    }

    /// Removes a peer: its connection is closed and what it says from now on is refused.
    public func removePeer(_ id: NodeID) {
        loop.preconditionInEventLoop()
        guard let index = peers.firstIndex(where: { $0.id == id }) else { return }
        let peer = peers.remove(at: index)
        peer.timer?.cancel()
        peer.dialling = nil
        totals.peers[id] = nil
        guard let connection = peer.connection else { return }
        inCall {
            connection.refuse(Refusal(.unknownNode, "node \(id) was removed from the cluster"))
        }
    }

    private func makePeer(_ id: NodeID, _ address: PeerAddress) -> Peer {
        var seeds = Jitter(seed: configuration.seed ^ UInt64(id.rawValue) << 32 ^ UInt64(configuration.node.rawValue))
        return Peer(
            id: id, address: address,
            schedule: DialSchedule(
                isPrimary: configuration.node > id, base: configuration.reconnectBase, cap: configuration.reconnectCap,
                healthyAfter: configuration.healthyAfter, reverseDialAfter: configuration.reverseDialAfter,
                seed: seeds.next()))
    }

    // MARK: - Messages out

    /// Queues a message for `target`; it leaves at the next ``flush()``.
    ///
    /// Costs a copy of the message. Everything that the result calls dropped is also counted in ``statistics``.
    @discardableResult
    public func send(_ message: [UInt8], to target: NodeID) -> SendResult {
        loop.assertInEventLoop()
        // A member may be removed while messages to it are being made.
        guard let peer = peer(target) else { return .unreachable }
        guard message.count <= configuration.maxMessageBytes else {
            peer.statistics.droppedTooLarge += 1
            complainOnce(
                target, .tooLarge,
                "a message to node \(target) of \(message.count) bytes was dropped, at most"
                    + " \(configuration.maxMessageBytes) are allowed: this is a bug of Millrace, please report it")
            return .tooLarge
        }
        if peer.connection != nil {
            guard hasRoom(peer, message.count) else {
                peer.statistics.droppedFull += 1
                return .full
            }
            peer.queueMessage(message)
            peer.statistics.messagesSent += 1
            markDirty(peer)
            return .queued
        }
        guard let relay = peers.first(where: { $0.connection != nil }) else {
            peer.statistics.droppedUnreachable += 1
            return .unreachable
        }
        guard hasRoom(relay, message.count) else {
            peer.statistics.droppedFull += 1
            return .full
        }
        relay.queueRelay(from: configuration.node, to: target, message)
        peer.statistics.relayedAway += 1
        markDirty(relay)
        return .relayed
    }

    /// Writes out what was queued: one write for each peer that has something.
    public func flush() {
        guard !dirty.isEmpty || !dirtyClients.isEmpty else { return }
        inCall {
            for client in dirtyClients {
                client.isDirty = false
                client.write()
            }
            dirtyClients.removeAll(keepingCapacity: true)
            for peer in dirty {
                peer.isDirty = false
                peer.write()
            }
            dirty.removeAll(keepingCapacity: true)
        }
    }

    /// Whether there is a direct connection to `peer`.
    public func isConnected(_ peer: NodeID) -> Bool { self.peer(peer)?.connection != nil }

    /// The counters as they stand.
    public var statistics: PeerTransportStatistics {
        var statistics = totals
        statistics.clients = UInt64(clients.count)
        for peer in peers { statistics.peers[peer.id] = peer.statistics }
        return statistics
    }

    /// How many connections exist, in whatever state.
    package var openConnections: Int { connections.count }

    private func hasRoom(_ peer: Peer, _ messageBytes: Int) -> Bool {
        peer.bufferedBytes + Frame.lengthBytes + Frame.relayHeaderBytes + messageBytes
            <= configuration.maxBufferedBytesPerPeer
    }

    private func markDirty(_ peer: Peer) {
        guard !peer.isDirty else { return }
        peer.isDirty = true
        dirty.append(peer)
    }

    func inCall(_ body: () -> Void) {
        let before = isInCall
        isInCall = true
        defer { isInCall = before }
        body()
    }

    func peer(_ id: NodeID) -> Peer? {
        for peer in peers where peer.id == id { return peer }
        return nil
    }

    // MARK: - Messages in

    func deliver(_ message: ArraySlice<UInt8>, from peer: Peer) {
        peer.statistics.messagesReceived += 1
        delegate?.received(message, from: peer.id)
    }

    /// A message that goes through a third node: from its origin to us as that node, or from that node to us as the
    /// destination. What is for another must come from its origin itself, so a message is passed on once at most.
    func relay(_ body: ArraySlice<UInt8>, from sender: Peer) throws(ProtocolViolation) {
        let relay = try RelayHeader(body)
        let me = configuration.node
        guard relay.origin != me, let origin = peer(relay.origin) else {
            throw ProtocolViolation("node \(sender.id) relays a message that claims to be from node \(relay.origin)")
        }
        if relay.destination == me {
            guard origin !== sender else {
                throw ProtocolViolation("node \(sender.id) relays a message of its own to us")
            }
            origin.statistics.messagesReceived += 1
            origin.statistics.relayedIn += 1
            delegate?.received(relay.message, from: origin.id)
            return
        }
        guard origin === sender, let destination = peer(relay.destination), destination !== sender else {
            throw ProtocolViolation(
                "node \(sender.id) asks to relay a message from node \(relay.origin) to node \(relay.destination)")
        }
        guard destination.connection != nil else {
            destination.statistics.droppedUnreachable += 1
            return
        }
        guard hasRoom(destination, relay.message.count) else {
            destination.statistics.droppedFull += 1
            return
        }
        destination.queueRelay(from: origin.id, to: destination.id, relay.message)
        destination.statistics.relayedFor += 1
        markDirty(destination)
    }

    func burstEnded() {
        guard !isInCall else { return loop.assumeIsolated().execute { [self] in burstEnded() } }
        delegate?.readBurstEnded()
        // What we passed on for others, and what the delegate may have left.
        flush()
    }

    func drained(_ client: ClientLink) {
        guard !isInCall else { return }
        inCall { client.drained() }
    }

    func drained(_ peer: Peer) {
        // Inside a flush, the one who flushes sees it by himself.
        guard !isInCall else { return }
        inCall { peer.drained() }
    }

    // MARK: - Connections

    /// The one place where a connection gets its handlers: TLS will stand before ours.
    private func initialise(_ channel: any Channel, _ state: PeerConnection.State) -> EventLoopFuture<Void> {
        guard !isStopped else { return channel.eventLoop.makeFailedFuture(ChannelError.ioOnClosedChannel) }
        return channel.eventLoop.makeCompletedFuture {
            try channel.pipeline.syncOperations.addHandler(PeerConnection(transport: self, state: state))
        }
    }

    package func initialise(accepted channel: any Channel) -> EventLoopFuture<Void> {
        guard connections.count(where: { $0.isAccepted }) < configuration.maxHandshakes else {
            totals.rejectedAccepts += 1
            return channel.eventLoop.makeFailedFuture(ChannelError.ioOnClosedChannel)
        }
        return initialise(channel, .awaitingHello)
    }

    func connectionOpened(_ connection: PeerConnection) { connections.append(connection) }

    func connectionGone(_ connection: PeerConnection) { connections.removeAll { $0 === connection } }

    /// Dials now, unless there is no need.
    func dial(_ peer: Peer) {
        peer.timer?.cancel()
        peer.timer = nil
        guard !isStopped, peer.connection == nil, peer.dialling == nil else { return }
        diallings += 1
        let attempt = diallings
        peer.dialling = attempt
        let bound = NIOLoopBound((self, peer), eventLoop: loop)
        var bootstrap = ClientBootstrap(group: loop)
            .connectTimeout(TimeAmount(configuration.connectTimeout))
            .channelOption(.recvAllocator, value: FixedSizeRecvByteBufferAllocator(capacity: Self.readBytes))
            .channelOption(.writeBufferWaterMark, value: .init(low: 1, high: 1))
            .channelInitializer { channel in
                let (transport, peer) = bound.value
                return transport.initialise(channel, .dialling(peer, attempt: attempt))
            }
        for (option, value) in socketOptions { bootstrap = bootstrap.channelOption(option, value: value) }
        let address = peer.address
        // A literal address needs no resolver, which would cost a thread hop.
        let connected =
            if let literal = try? SocketAddress(ipAddress: address.host, port: address.port) {
                bootstrap.connect(to: literal)
            } else {
                bootstrap.connect(host: address.host, port: address.port)
            }
        connected.assumeIsolated().whenComplete { [self] result in
            switch result {
            case .success(let channel):
                guard peer.dialling == attempt, !isStopped,
                    let connection = try? channel.pipeline.syncOperations.handler(type: PeerConnection.self),
                    connection.isOpen
                else {
                    // The address was changed or the peer removed meanwhile, or the channel is closed already.
                    channel.close(promise: nil)
                    return dialEnded(peer, attempt)
                }
                connection.begin()
            case .failure(let error):
                if peer.dialling == attempt {
                    complainOnce(
                        peer.id, .unreachable,
                        "node \(peer.id) does not answer at \(address); will keep trying (\(error))", level: .info)
                }
                dialEnded(peer, attempt)
            }
        }
    }

    private func dialEnded(_ peer: Peer, _ attempt: UInt64) {
        // Otherwise it is a dial that was given up in favour of another.
        guard peer.dialling == attempt else { return }
        peer.dialling = nil
        peer.statistics.failedDials += 1
        dial(peer, after: peer.schedule.failed())
    }

    private func dial(_ peer: Peer, after delay: Duration) {
        guard !isStopped, peer.connection == nil, peer.dialling == nil, self.peer(peer.id) === peer else { return }
        peer.timer?.cancel()
        peer.timer = loop.assumeIsolated().scheduleTask(in: TimeAmount(delay)) { [weak self, weak peer] in
            guard let self, let peer else { return }
            dial(peer)
        }
    }

    /// `connection` has passed the handshake and ``refusal(of:of:)`` had nothing against it.
    func established(_ connection: PeerConnection, _ peer: Peer, _ identity: ConnectionIdentity) {
        if identity.dialler == configuration.node, peer.dialling == identity.attempt { peer.dialling = nil }
        // The peer may have been removed during the handshake.
        guard self.peer(peer.id) === peer, !isStopped else { return connection.end() }
        if let old = peer.connection {
            peer.disconnected(at: loop.now)
            delegate?.peerDisconnected(peer.id)
            old.refuse(admission.redundant(peer.id))
            // The delegate may have stopped us or removed the peer just now.
            guard self.peer(peer.id) === peer, !isStopped else { return connection.end() }
        }
        peer.pair.adopt(identity)
        peer.connected(through: connection, at: loop.now)
        complaints = complaints.filter { $0.node != peer.id }
        logger.info(
            "connected to node \(peer.id)",
            metadata: ["remote": "\(connection.remoteAddress)", "dialler": "\(identity.dialler)"])
        delegate?.peerConnected(peer.id)
    }

    func connectionEnded(_ connection: PeerConnection, was state: PeerConnection.State) {
        guard !isInCall else {
            return loop.assumeIsolated().execute { [self] in connectionEnded(connection, was: state) }
        }
        switch state {
        case .helloSent(let peer, let attempt): dialEnded(peer, attempt)
        // The end of a `dialling` connection is told by the connect itself, which may be trying several addresses.
        case .dialling, .awaitingHello, .awaitingConfirmation, .closed: break
        case .client(let client): clientGone(client)
        case .established(let peer):
            // Otherwise another connection has replaced it.
            guard peer.connection === connection else { return }
            let dialledByUs = peer.pair.current?.dialler == configuration.node
            let lifetime = peer.disconnected(at: loop.now)
            peer.pair.lost()
            guard !isStopped else { return }
            logger.info("connection to node \(peer.id) lost", metadata: ["lasted": "\(lifetime)"])
            dial(peer, after: peer.schedule.lost(after: lifetime, dialledByUs: dialledByUs))
            delegate?.peerDisconnected(peer.id)
        }
    }
}

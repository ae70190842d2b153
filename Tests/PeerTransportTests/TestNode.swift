import Logging
import NIOCore
import NIOPosix
import PeerTransport
import Raft
import Synchronization
import Testing

/// One thread runs all nodes of all tests.
let testLoop = MultiThreadedEventLoopGroup(numberOfThreads: 1).next()

/// A transport with a delegate that writes down what it hears.
///
/// `@unchecked Sendable`: everything but `loop`, `id` and `log` is touched on the loop only, through ``on(_:)``.
final class TestNode: PeerTransportDelegate, @unchecked Sendable {
    let loop: any EventLoop
    let id: NodeID
    let log = LogRecord()
    private(set) var transport: PeerTransport!
    private(set) var received: [(from: NodeID, bytes: [UInt8])] = []
    private(set) var events: [String] = []
    private(set) var bursts = 0
    private(set) var fatals: [PeerTransportError] = []
    /// For answers from inside a callback.
    var onReceive: ((ArraySlice<UInt8>, NodeID) -> Void)?
    var onBurstEnd: (() -> Void)?

    init(
        _ id: UInt32, incarnation: UInt64? = nil, cluster: String = "test", port: Int = 0,
        loop: any EventLoop = testLoop,
        _ change: (inout PeerTransport.Configuration) -> Void = { _ in }
    ) {
        self.id = NodeID(id)
        self.loop = loop
        var configuration = PeerTransport.Configuration(
            node: self.id, cluster: cluster, incarnation: incarnation ?? UInt64(id) * 1000,
            listen: PeerAddress(host: "127.0.0.1", port: port), peers: [:], seed: UInt64(id))
        configuration.reconnectBase = .milliseconds(1)
        configuration.reconnectCap = .milliseconds(20)
        configuration.reverseDialAfter = .milliseconds(50)
        // On a busy machine even loopback may be slow; tests of timeouts set their own.
        configuration.connectTimeout = .seconds(60)
        configuration.handshakeTimeout = .seconds(60)
        change(&configuration)
        let log = log
        transport = PeerTransport(
            configuration: configuration, loop: loop, delegate: self,
            logger: Logger(label: "test") { _ in RecordingLogHandler(record: log) })
    }

    func received(_ message: ArraySlice<UInt8>, from peer: NodeID) {
        received.append((peer, Array(message)))
        onReceive?(message, peer)
    }

    func readBurstEnded() {
        bursts += 1
        onBurstEnd?()
    }

    func peerConnected(_ peer: NodeID) { events.append("+\(peer)") }
    func peerDisconnected(_ peer: NodeID) { events.append("-\(peer)") }
    func fatal(_ error: PeerTransportError) { fatals.append(error) }

    /// Runs `body` on the loop.
    func on<T: Sendable>(_ body: @escaping @Sendable (TestNode) throws -> T) async throws -> T {
        try await loop.submit { try body(self) }.get()
    }

    /// Starts listening; returns the address.
    @discardableResult
    func start() async throws -> PeerAddress {
        try await loop.flatSubmit { self.transport.start() }.get()
        return try #require(try await on { $0.transport.boundAddress })
    }

    func stop() async throws { try await loop.flatSubmit { self.transport.stop() }.get() }

    /// Makes the other node known under this address.
    func knows(_ other: TestNode, at address: PeerAddress) async throws {
        try await on { $0.transport.setPeer(other.id, address: address) }
    }

    func send(_ text: String, to peer: NodeID) async throws -> PeerTransport.SendResult {
        try await on {
            let result = $0.transport.send(Array(text.utf8), to: peer)
            $0.transport.flush()
            return result
        }
    }

    /// Waits until `condition` holds on the loop; gives up after a time that only a broken transport needs.
    func until(
        _ what: String, sourceLocation: SourceLocation = #_sourceLocation,
        _ condition: @escaping @Sendable (TestNode) -> Bool
    ) async throws {
        for _ in 0..<15_000 {
            if try await on(condition) { return }
            try await Task.sleep(for: .milliseconds(2))
        }
        let events = try await on { $0.events }
        Issue.record(
            "node \(id) waited in vain until \(what); events \(events), log \(log.lines)",
            sourceLocation: sourceLocation)
        throw CancellationError()
    }

    func isConnected(_ other: TestNode) async throws {
        let id = other.id
        try await until("it is connected to \(id)") { $0.transport.isConnected(id) }
    }

    /// What arrived, as text.
    func texts() async throws -> [String] {
        try await on { $0.received.map { "\($0.from):" + String(decoding: $0.bytes, as: UTF8.self) } }
    }
}

/// Starts nodes 1... that know each other, except for the pairs in `apart`, who know wrong addresses.
func startCluster(
    _ count: Int, apart: [Set<UInt32>] = [], _ change: (inout PeerTransport.Configuration) -> Void = { _ in }
) async throws -> [TestNode] {
    let nodes = (1...count).map { TestNode(UInt32($0), change) }
    var addresses: [PeerAddress] = []
    for node in nodes { addresses.append(try await node.start()) }
    for node in nodes {
        for (other, address) in zip(nodes, addresses) where other !== node {
            let isApart = apart.contains([node.id.rawValue, other.id.rawValue])
            try await node.knows(other, at: isApart ? PeerAddress(host: "127.0.0.1", port: 1) : address)
        }
    }
    try await settle(nodes, apart: apart)
    return nodes
}

/// Waits until each pair of `nodes` has one connection and none is left over: nodes may dial each other at once, and
/// messages may get lost when one of the two connections replaces the other.
func settle(_ nodes: [TestNode], apart: [Set<UInt32>] = []) async throws {
    for node in nodes {
        // All are looked at in one turn of the loop that they share: what one has dialled, the other may not know yet.
        try await node.until("all connections have settled") { _ in
            nodes.allSatisfy { node in
                let others = nodes.filter { $0 !== node && !apart.contains([node.id.rawValue, $0.id.rawValue]) }
                return node.transport.openConnections == others.count
                    && others.allSatisfy { node.transport.isConnected($0.id) }
            }
        }
    }
}

func stopAll(_ nodes: [TestNode]) async throws {
    for node in nodes { try await node.stop() }
}

/// The lines that a node has logged.
final class LogRecord: Sendable {
    private let storage = Mutex<[(level: Logger.Level, text: String)]>([])

    func add(_ level: Logger.Level, _ text: String) { storage.withLock { $0.append((level, text)) } }

    /// Lines that an operator sees with the usual settings.
    var lines: [String] { storage.withLock { $0.filter { $0.level >= .info }.map(\.text) } }

    func count(containing part: String) -> Int { lines.count { $0.contains(part) } }
}

struct RecordingLogHandler: LogHandler {
    let record: LogRecord
    var metadata: Logger.Metadata = [:]
    var logLevel = Logger.Level.trace

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    func log(event: LogEvent) { record.add(event.level, "\(event.message)") }
}

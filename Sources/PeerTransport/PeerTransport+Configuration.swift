public import Raft

extension PeerTransport {
    /// Who we are, whom we talk to, and every limit.
    public struct Configuration: Sendable {
        /// Our own id; never 0.
        public var node: NodeID
        /// Which cluster we belong to; at most ``maxClusterIdentityBytes`` bytes of UTF-8, equal on all nodes.
        public var cluster: String
        /// A number drawn at random when the process starts: it tells a restarted node from its former self.
        public var incarnation: UInt64
        /// Where to listen for peers. Port 0 lets the system choose (``PeerTransport/boundAddress`` tells).
        public var listen: PeerAddress
        /// The other members, without ourselves.
        public var peers: [NodeID: PeerAddress]
        /// Seed of the generator that spreads reconnect attempts.
        public var seed: UInt64

        /// The longest frame in bytes, without its four bytes of length. A peer that announces a longer one is cut off.
        public var maxFrameBytes = 16 << 20
        /// How many bytes may wait for one peer (not yet given to the kernel) before messages are dropped.
        public var maxBufferedBytesPerPeer = 64 << 20
        /// How many accepted connections may be in their handshake; one more is closed at once.
        public var maxHandshakes = 256

        /// How many embedded clients may be connected; one more is told to go to another node.
        public var maxClients = 1_024
        /// The longest frame of a client in bytes, without its four bytes of length.
        public var maxClientFrameBytes = 8 << 20
        /// How many bytes may wait for one client before it is cut off.
        public var maxBufferedBytesPerClient = 32 << 20
        /// What embedded clients must say; nil for nothing.
        public var clientToken: String?

        /// Reconnect attempt `n` (from 0) waits a random time up to `min(reconnectCap, reconnectBase * 2^n)`.
        public var reconnectBase: Duration = .milliseconds(20)
        public var reconnectCap: Duration = .seconds(1)
        /// A connection that lasted this long starts the waits over from the base.
        public var healthyAfter: Duration = .seconds(1)
        /// How long the node with the lower id waits to be dialled before it dials, too.
        public var reverseDialAfter: Duration = .seconds(2)
        /// How long the TCP connect may take.
        public var connectTimeout: Duration = .seconds(1)
        /// How long the handshake may take on an open connection.
        public var handshakeTimeout: Duration = .seconds(2)
        /// How long sent bytes may stay unacknowledged before the kernel gives the connection up; an idle connection is
        /// probed so that it is given up after about as long. (Suspecting a dead node is Raft's business, and quicker.)
        public var unacknowledgedTimeout: Duration = .seconds(5)

        public init(
            node: NodeID, cluster: String, incarnation: UInt64, listen: PeerAddress, peers: [NodeID: PeerAddress],
            seed: UInt64
        ) {
            self.node = node
            self.cluster = cluster
            self.incarnation = incarnation
            self.listen = listen
            self.peers = peers
            self.seed = seed
        }

        /// The longest cluster identity in bytes of UTF-8.
        public static let maxClusterIdentityBytes = 256

        /// The longest message in bytes: one that fits directly also fits when it has to be relayed.
        public var maxMessageBytes: Int { maxFrameBytes - Frame.relayHeaderBytes }

        /// A configuration that breaks these is a bug of the caller, who checks what operators write.
        func checkInvariants() {
            precondition(node.rawValue != 0, "node id 0 is reserved")
            precondition(peers[node] == nil, "node \(node) is listed among its own peers")
            precondition(peers[NodeID(0)] == nil, "node id 0 is reserved")
            precondition(
                cluster.utf8.count <= Self.maxClusterIdentityBytes,
                "a cluster identity has at most \(Self.maxClusterIdentityBytes) bytes, this has \(cluster.utf8.count)")
            precondition(
                maxFrameBytes > Frame.relayHeaderBytes && maxFrameBytes <= 1 << 30,
                "maxFrameBytes is \(maxFrameBytes), beyond \(Frame.relayHeaderBytes + 1)...2^30")
            precondition(
                maxBufferedBytesPerPeer >= maxFrameBytes + Frame.lengthBytes,
                "maxBufferedBytesPerPeer is \(maxBufferedBytesPerPeer), too small for one frame of \(maxFrameBytes)")
            precondition(maxHandshakes > 0, "maxHandshakes must be positive")
            precondition(reconnectBase > .zero && reconnectCap >= reconnectBase, "0 < reconnectBase <= reconnectCap")
        }
    }
}

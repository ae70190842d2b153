public import Raft

/// Counters since the transport was made.
public struct PeerTransportStatistics: Equatable, Sendable {
    /// What went between us and one peer.
    public struct Peer: Equatable, Sendable {
        /// Messages of this peer, whichever way they came.
        public var messagesReceived: UInt64 = 0
        /// Messages of ours queued for the direct connection to this peer.
        public var messagesSent: UInt64 = 0
        /// Bytes read from established connections to this peer, framing included.
        public var bytesReceived: UInt64 = 0
        /// Bytes of frames queued for the connection to this peer, its own and relayed ones.
        public var bytesSent: UInt64 = 0

        /// Connections that were established, whoever dialled.
        public var connects: UInt64 = 0
        /// Attempts of ours to dial it that failed, at whatever stage.
        public var failedDials: UInt64 = 0

        /// Our messages to this peer that left through a third node.
        public var relayedAway: UInt64 = 0
        /// Messages of this peer that reached us through a third node.
        public var relayedIn: UInt64 = 0
        /// Messages of others to this peer that we forwarded.
        public var relayedFor: UInt64 = 0

        /// Messages to this peer dropped because there was no way to it.
        public var droppedUnreachable: UInt64 = 0
        /// Messages to this peer dropped because too many bytes were waiting already.
        public var droppedFull: UInt64 = 0
        /// Messages to this peer dropped because they were longer than a frame may be.
        public var droppedTooLarge: UInt64 = 0
        /// Frames queued for the connection to this peer that were still waiting when it broke.
        public var droppedUnsent: UInt64 = 0
    }

    public var peers: [NodeID: Peer] = [:]
    /// Connections that we refused in the handshake, with a reason.
    public var refusedHandshakes: UInt64 = 0
    /// Connections that we closed because the other side broke the protocol.
    public var violations: UInt64 = 0
    /// Accepted connections that we closed because too many others were in their handshake.
    public var rejectedAccepts: UInt64 = 0
    /// Embedded clients that are connected now.
    public var clients: UInt64 = 0
    /// Embedded clients that came,
    public var clientConnects: UInt64 = 0
    /// that were not taken,
    public var refusedClients: UInt64 = 0
    /// or cut off because they did not read.
    public var clientsTooSlow: UInt64 = 0
    public var clientMessagesReceived: UInt64 = 0
    public var clientMessagesSent: UInt64 = 0
}

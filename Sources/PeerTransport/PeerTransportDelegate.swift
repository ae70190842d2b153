public import Raft

/// What the transport tells its owner; everything is called on the transport's event loop.
///
/// No method is ever called from inside a call of ``PeerTransport``'s own methods, so an owner that is in the middle of
/// a change of its state may send and flush without being entered again. All methods of the transport may be called
/// from inside these.
public protocol PeerTransportDelegate: AnyObject {
    /// A message of `peer` arrived, directly or through a third node.
    ///
    /// `message` is a slice of the buffer that the whole read went into (one allocation and one copy per read, none per
    /// message; rings 0 and 1 can read it without knowing NIO). Copy what is to be kept: a slice that is held on to
    /// keeps all of its buffer alive.
    func received(_ message: ArraySlice<UInt8>, from peer: NodeID)

    /// All messages of one burst of reads were delivered: the moment to act on them as one batch and to flush once.
    func readBurstEnded()

    /// There is a direct connection to `peer` now. What was sent to it before may be lost.
    func peerConnected(_ peer: NodeID)

    /// The direct connection to `peer` is gone. A connection that replaces another one shows as this call followed at
    /// once by ``peerConnected(_:)``, because messages may have been lost between the two.
    func peerDisconnected(_ peer: NodeID)

    /// The cluster does not want this node, and trying again will not help: said once per cause. The transport goes on
    /// trying; whether the process ends is the owner's decision.
    func fatal(_ error: PeerTransportError)

    /// An embedded client has come; the number is its connection's.
    func clientConnected(_ client: UInt64)

    /// A message of a client; the same rules as for ``received(_:from:)``. What it returns is why no correct client can have sent it:
    /// then the connection is closed.
    func received(_ message: ArraySlice<UInt8>, fromClient client: UInt64) -> String?

    /// The connection to a client is gone.
    func clientDisconnected(_ client: UInt64)
}

extension PeerTransportDelegate {
    public func clientConnected(_ client: UInt64) {}
    public func received(_ message: ArraySlice<UInt8>, fromClient client: UInt64) -> String? { "no clients here" }
    public func clientDisconnected(_ client: UInt64) {}
}

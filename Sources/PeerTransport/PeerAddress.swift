/// Where a node listens for its peers.
public struct PeerAddress: Hashable, Sendable, CustomStringConvertible {
    /// A host name or a literal IPv4 or IPv6 address (without brackets).
    public var host: String
    /// 1 to 65535; 0 only to listen, and then the system picks a free port.
    public var port: Int

    public init(host: String, port: Int) {
        self.host = host
        self.port = port
    }

    public var description: String { host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)" }
}

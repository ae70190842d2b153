import NIOCore
import Raft

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

extension PeerTransport {
    /// What every connection's socket is set to.
    var socketOptions: [(ChannelOptions.Types.SocketOption, SocketOptionValue)] {
        var options: [(ChannelOptions.Types.SocketOption, SocketOptionValue)] = [
            // We flush whole batches: waiting for more to send would only delay them.
            (.tcpOption(.tcp_nodelay), 1),
            (.socketOption(.so_keepalive), 1),
        ]
        #if os(Linux)
            let limit = configuration.unacknowledgedTimeout
            let seconds = max(2, Int(limit.components.seconds))
            let idle = seconds / 2
            options += [
                (.tcpOption(.init(rawValue: TCP_USER_TIMEOUT)), Int(limit / .milliseconds(1))),
                (.tcpOption(.init(rawValue: TCP_KEEPIDLE)), idle),
                (.tcpOption(.init(rawValue: TCP_KEEPINTVL)), 1),
                (.tcpOption(.init(rawValue: TCP_KEEPCNT)), seconds - idle),
            ]
        #endif
        return options
    }
}

extension PeerTransportError {
    /// Why listening failed, and what to do about it.
    init(listening address: PeerAddress, node: NodeID, error: any Error) {
        let what = "node \(node) cannot listen for its peers on \(address)"
        switch (error as? IOError)?.errnoCode {
        case EADDRINUSE:
            self.init(
                .addressInUse,
                "\(what): another process uses that port, perhaps an earlier instance of this node; stop it, or give"
                    + " node \(node) another peer port on all nodes")
        case EADDRNOTAVAIL:
            self.init(
                .cannotListen,
                "\(what): that is no address of this machine; correct the peer address of node \(node), or listen on"
                    + " 0.0.0.0")
        case EACCES:
            self.init(
                .cannotListen, "\(what): permission denied; choose a port above 1023, or grant the right to use it")
        default:
            self.init(.cannotListen, "\(what): \(error); check the peer address of node \(node)")
        }
    }
}

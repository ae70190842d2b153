import Coordination
public import NIOCore
import NIOPosix

extension MillraceClient {
    /// Where the cluster is, and the limits of one client.
    public struct Configuration: Sendable {
        /// How the client finds nodes. Any one that it reaches will do; it goes to another one when that one falls silent.
        public enum Nodes: Sendable, CustomStringConvertible {
            /// Addresses as `HOST:PORT`, those of `--cluster`.
            case list([String])
            /// A name whose addresses are all nodes, looked up anew for each attempt.
            case dns(name: String, port: Int)
            /// A file with one `HOST:PORT` a line and comments after `#`, read anew for each attempt.
            case file(String)

            public var description: String {
                switch self {
                case .list(let addresses): addresses.joined(separator: ", ")
                case .dns(let name, let port): "\(name):\(port)"
                case .file(let path): "the file '\(path)'"
                }
            }
        }

        /// Where to find nodes.
        public var nodes: Nodes
        /// What the nodes ask for, if they were started with `--token`.
        public var token: String?
        /// What the nodes call this client in their logs.
        public var name = "client"
        /// How much of a key's limit this client gets while several want more than there is, in proportion to the others' weights: 1 to
        /// 100. Who wants less than its part gets what it wants, and nobody is starved.
        public var weight = 1
        /// How many keys may have allowances at a time; about 80 bytes each are taken at the start. Keys beyond are decided by the
        /// node, one round trip each.
        public var capacity = 65_536
        /// How long a request waits for the cluster before the rule's `onIsolation` decides.
        public var patience: Duration = .milliseconds(1_250)
        /// How long a request may wait for the first connection.
        public var startTimeout: Duration = .seconds(5)
        /// How many reservations may be open at a time.
        public var mostReservations = 65_536
        /// How long a shutting down client tries to report its last usage.
        public var shutdownTimeout: Duration = .seconds(1)
        /// Where the client's own work runs: on one loop of it.
        public var eventLoopGroup: any EventLoopGroup = MultiThreadedEventLoopGroup.singleton

        /// A configuration for a cluster.
        ///
        /// ```swift
        /// let configuration = MillraceClient.Configuration(nodes: .list(["10.0.0.1:7101", "10.0.0.2:7101"]))
        /// ```
        public init(nodes: Nodes) { self.nodes = nodes }

        /// Whether the promise can be kept with these numbers, before anything is started.
        func check() throws(MillraceClientError) {
            func fail(_ message: String) throws(MillraceClientError) {
                throw MillraceClientError(.invalidConfiguration, message)
            }
            switch nodes {
            case .list(let addresses):
                if addresses.isEmpty { try fail("the list of nodes is empty: name at least one HOST:PORT") }
                for address in addresses { _ = try NodeAddress(address) }
            case .dns(let name, let port):
                if name.isEmpty || !(1...65_535).contains(port) { try fail("'\(name):\(port)' is no name and port") }
            case .file(let path):
                if path.isEmpty { try fail("the path of the file with the nodes is empty") }
            }
            if !(64...16_777_216).contains(capacity) {
                try fail("the capacity must be from 64 to 16777216, not \(capacity)")
            }
            if !(1...Int(Report.mostClientWeight)).contains(weight) {
                try fail("the weight must be from 1 to \(Report.mostClientWeight), not \(weight)")
            }
            if mostReservations < 1 { try fail("mostReservations must be at least 1") }
            if patience <= .zero { try fail("the patience must be longer than 0") }
            if name.utf8.count > 128 { try fail("the client's name has more than 128 bytes") }
        }
    }
}

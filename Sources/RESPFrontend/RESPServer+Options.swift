public import NIOCore

extension RESPServer {
    /// Where and for whom a front door is open, and its limits.
    public struct Options: Sendable {
        /// A numeric address or a name.
        public var host: String
        /// 0 lets the system choose.
        public var port: Int
        /// What clients must send with `AUTH` or `HELLO` before anything else; nil lets everybody in.
        public var password: String?
        /// Connections at a time; one more is told so and closed.
        public var mostConnections: Int
        /// Replies that may wait on one connection, the decided ones behind an undecided one included; with so many,
        /// nothing more is read from it.
        public var mostWaiting: Int
        /// Bytes of replies that may wait on one connection; beyond it nothing more is read from it. One more reply
        /// always fits.
        public var mostOutput: Int
        /// After this long without a byte from a client (at most twice as long) its connection is closed; nil for
        /// never.
        public var idleTimeout: TimeAmount?
        /// What `HELLO` and `INFO` say.
        public var version: String
        /// Called for each new connection before anything else, for instance to put TLS in front.
        public var prepareConnection: (@Sendable (any Channel) throws -> Void)?

        public init(
            host: String = "127.0.0.1", port: Int = 6380, password: String? = nil, mostConnections: Int = 10_000,
            mostWaiting: Int = 1024, mostOutput: Int = 256 << 10, idleTimeout: TimeAmount? = nil,
            version: String = "0.1.0",
            prepareConnection: (@Sendable (any Channel) throws -> Void)? = nil
        ) {
            self.host = host
            self.port = port
            self.password = password
            self.mostConnections = mostConnections
            self.mostWaiting = mostWaiting
            self.mostOutput = mostOutput
            self.idleTimeout = idleTimeout
            self.version = version
            self.prepareConnection = prepareConnection
        }
    }
}

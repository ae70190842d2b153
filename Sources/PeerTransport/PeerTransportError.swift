/// What the transport cannot put right by trying again; the text says what the operator can do.
public struct PeerTransportError: Error, Equatable, Sendable, CustomStringConvertible {
    /// What kind of trouble it is; more kinds may be added.
    public struct Code: Hashable, Sendable, CustomStringConvertible {
        private enum Kind: String {
            case addressInUse, cannotListen, otherCluster, otherVersion, duplicateNode
        }

        private let kind: Kind

        /// Somebody else listens at our address.
        public static let addressInUse = Code(kind: .addressInUse)
        /// Listening failed for another reason: no permission, not an address of this machine, an unknown host name.
        public static let cannotListen = Code(kind: .cannotListen)
        /// Most peers belong to another cluster than we do.
        public static let otherCluster = Code(kind: .otherCluster)
        /// Most peers speak another version of the protocol.
        public static let otherVersion = Code(kind: .otherVersion)
        /// Another process runs with our node id, and was started after us.
        public static let duplicateNode = Code(kind: .duplicateNode)

        public var description: String { kind.rawValue }
    }

    public var code: Code
    /// One sentence or two for the operator.
    public var message: String

    init(_ code: Code, _ message: String) {
        self.code = code
        self.message = message
    }

    public var description: String { message }
}

/// A peer broke the protocol: the connection is closed.
package struct ProtocolViolation: Error, Equatable, CustomStringConvertible {
    package var description: String

    init(_ description: String) { self.description = description }
}

/// Why the HTTP front door cannot be opened; the message says what the operator can do.
public struct HTTPServerError: Error, Equatable, Sendable, CustomStringConvertible {
    /// What kind of trouble it is; more kinds may be added.
    public struct Code: Hashable, Sendable, CustomStringConvertible {
        private enum Kind: String { case addressInUse, cannotListen, stopped }

        private let kind: Kind

        /// Somebody else listens at the address.
        public static let addressInUse = Code(kind: .addressInUse)
        /// Listening failed for another reason: no permission, not an address of this machine, an unknown host name.
        public static let cannotListen = Code(kind: .cannotListen)
        /// The server stopped before it listened.
        public static let stopped = Code(kind: .stopped)

        public var description: String { kind.rawValue }
    }

    public var code: Code
    public var message: String

    init(_ code: Code, _ message: String) {
        self.code = code
        self.message = message
    }

    public var description: String { message }
}

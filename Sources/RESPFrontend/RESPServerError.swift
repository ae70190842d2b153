/// Why a front door could not be opened; the text says what to do.
public struct RESPServerError: Error, CustomStringConvertible {
    /// What kind of error it is.
    public struct Code: Hashable, Sendable {
        private enum Value { case addressInUse, addressNotAvailable, notPermitted, other }

        private let value: Value

        /// Somebody else listens there.
        public static let addressInUse = Code(value: .addressInUse)
        /// This machine has no such address.
        public static let addressNotAvailable = Code(value: .addressNotAvailable)
        /// The system does not let us listen there.
        public static let notPermitted = Code(value: .notPermitted)
        public static let other = Code(value: .other)
    }

    public var code: Code
    public var description: String
    public var cause: (any Error)?

    public init(code: Code, description: String, cause: (any Error)? = nil) {
        self.code = code
        self.description = description
        self.cause = cause
    }
}

/// Another node sent what no correct node of this cluster can send. The connection should be closed and an operator be
/// told: behind it is a wrong configuration, a disk that lost what it had synced, or a bug.
///
/// The message that caused it has changed neither the log nor the vote; it may have raised the term.
public struct PeerViolation: Error, Equatable, CustomStringConvertible {
    /// What kind of violation; more may come.
    public struct Code: Hashable, Sendable, CustomStringConvertible {
        public let description: String

        /// Not for this node, or from a node that is no voter.
        public static let misaddressed = Code(description: "misaddressed")
        /// Its parts contradict each other, or a number is absurd.
        public static let malformed = Code(description: "malformed")
        /// Larger than a limit of this node's configuration.
        public static let tooLarge = Code(description: "tooLarge")
        /// Two nodes claim to lead the same term.
        public static let twoLeaders = Code(description: "twoLeaders")
        /// It contradicts an entry that is known to be committed.
        public static let committedConflict = Code(description: "committedConflict")
        /// It acknowledges or commits entries that the other side does not have.
        public static let unknownEntries = Code(description: "unknownEntries")
        /// The pieces of a snapshot do not add up to what was announced.
        public static let corruptSnapshot = Code(description: "corruptSnapshot")
    }

    public let code: Code
    public let message: String

    public init(_ code: Code, _ message: String) {
        self.code = code
        self.message = message
    }

    public var description: String { "\(code): \(message)" }
}

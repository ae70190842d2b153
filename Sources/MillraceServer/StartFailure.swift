/// Why a node cannot start, or must stop; the text says what to do, the code is the process's exit code (docs/operations.md).
public struct StartFailure: Error, Equatable, Sendable, CustomStringConvertible {
    public struct Code: Hashable, Sendable {
        public let exitCode: Int32

        /// The thing asked for failed.
        public static let failed = Code(exitCode: 1)
        /// A bug of ours.
        public static let bug = Code(exitCode: 70)
        /// The disk.
        public static let disk = Code(exitCode: 74)
        /// Wrong configuration.
        public static let configuration = Code(exitCode: 78)
        /// The log is corrupt.
        public static let corrupted = Code(exitCode: 79)
    }

    public var code: Code
    public var description: String

    public init(_ code: Code, _ description: String) {
        self.code = code
        self.description = description
    }
}

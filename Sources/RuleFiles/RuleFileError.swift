/// Everything that is wrong with a rules file, each with its place.
public struct RuleFileError: Error, Equatable, Sendable, CustomStringConvertible {
    /// One thing that is wrong.
    public struct Problem: Equatable, Sendable, CustomStringConvertible {
        /// The file's name, as the caller gave it.
        public var file: String
        /// From 1.
        public var line: Int
        /// From 1, in Unicode scalars.
        public var column: Int
        /// The field, what was found, and what is allowed.
        public var message: String

        public init(file: String, line: Int, column: Int, message: String) {
            self.file = file
            self.line = line
            self.column = column
            self.message = message
        }

        public var description: String { "\(file):\(line):\(column): \(message)" }
    }

    /// At least one problem, in the order of the file, at most ``mostProblems``.
    public var problems: [Problem]
    /// How many more there were.
    public var omitted: Int
    /// True if the text is no document at all: not JSON, not YAML, or too large.
    public var isMalformed: Bool

    /// How many problems are reported at once.
    public static let mostProblems = 20

    public init(problems: [Problem], omitted: Int = 0, isMalformed: Bool = false) {
        precondition(!problems.isEmpty, "an error without a problem")
        self.problems = problems
        self.omitted = omitted
        self.isMalformed = isMalformed
    }

    /// One line a problem.
    public var description: String {
        var lines = problems.map(\.description)
        if omitted > 0 { lines.append("… and \(omitted) more") }
        return lines.joined(separator: "\n")
    }
}

package import LimiterCore
package import RuleFiles

/// Everything that is wrong with a workload file, each with file, line and column: at most 20 problems, and how many more.
package typealias WorkloadProblems = RuleFileError

/// What a simulated cluster is asked to do, as a user writes it: its size, its rules, and the requests that arrive.
///
/// ```yaml
/// nodes: 3
/// seconds: 20
/// profile: all
/// rules:
///   - name: api
///     rate: {tokens: 100, per: 1s}
///     burst: 200
/// load:
///   - rule: api
///     keys: 10
///     perSecond: 300
/// ```
package struct Workload: Sendable, Equatable {
    /// 3 or 5.
    package var nodes: Int
    /// How long faults go on, in seconds.
    package var seconds: Int
    /// The faults' profile, one of ``profiles``, or nil if the file leaves it to the command line.
    package var profile: String?
    /// In the order of the file, at least one.
    package var rules: [Rule]
    /// In the order of the file, at least one; each names one of the rules.
    package var loads: [Load]

    package init(nodes: Int = 3, seconds: Int = 20, profile: String? = nil, rules: [Rule], loads: [Load]) {
        self.nodes = nodes
        self.seconds = seconds
        self.profile = profile
        self.rules = rules
        self.loads = loads
    }

    /// The longest file, in bytes of UTF-8.
    package static let mostBytes = 1 << 20
    /// The most entries of `load`.
    package static let mostLoads = 1000
    /// The most keys of all loads together.
    package static let mostKeys: Int64 = 1_000_000
    /// The most requests per second of one load.
    package static let mostPerSecond: Int64 = 1_000_000
    /// The most requests of a run: more would take hours.
    package static let mostRequests: Int64 = 10_000_000
    /// The longest run, in seconds of faults.
    package static let mostSeconds: Int64 = 3600
    /// The most requests of a burst.
    package static let mostOfBurst: Int64 = 100_000
    /// The shortest and the longest time from burst to burst, in nanoseconds: a millisecond and an hour.
    package static let burstEvery: ClosedRange<Int64> = 1_000_000...3_600_000_000_000
    /// The names that `profile` may have.
    package static let profiles = ["calm", "lossy", "split", "disk", "clock", "all"]

    /// The workload of a file; `file` is its name in messages.
    ///
    /// Throws all that is wrong, not only the first; then nothing of the file counts. Cost: in proportion to the text.
    package static func read(_ text: String, file: String) throws(WorkloadProblems) -> Workload {
        func malformed(_ position: Position, _ message: String) -> WorkloadProblems {
            WorkloadProblems(
                problems: [.init(file: file, line: position.line, column: position.column, message: message)],
                isMalformed: true)
        }
        guard text.utf8.count <= mostBytes else {
            throw malformed(
                .start, "the text has \(text.utf8.count) bytes, at most \(mostBytes) are possible: leave something out")
        }
        let root: Document?
        do throws(DocumentError) {
            root = try YAMLDocument.read(text)
        } catch {
            throw malformed(error.position, error.message)
        }
        guard let root else {
            throw malformed(
                .start, "the file is empty: expected 'rules:' with a list of rules and 'load:' with one of loads")
        }
        return try WorkloadReader.read(root, file: file)
    }
}

public import LimiterCore

/// What the HTTP front door asks of the node beyond decisions: health, rules, and what people want to see.
///
/// Everything is callable from any thread. `apply` and `delete` answer once the log has committed the change, on whichever node
/// they were called.
public protocol NodeControl: Sendable {
    /// Whether the node is able to decide.
    var isReady: Readiness { get }

    /// The cluster as this node sees it.
    func clusterStatus() async -> ClusterStatus

    /// The rules in force, in any order.
    func rules() async -> [VersionedRule]

    /// Puts all of `rules` in force in one log entry, or none of them; returns the entry's index after its commit.
    func apply(_ rules: [Rule]) async throws(ControlError) -> UInt64

    /// Removes a rule; false if there was none of that name.
    func delete(rule name: String) async throws(ControlError) -> Bool

    /// The busiest keys, of one rule or of all, busiest first, at most `top`.
    func hotKeys(rule: String?, top: Int) async -> [HotKey]

    /// The node's metrics in the text format of Prometheus.
    func metricsText() async -> String
}

/// Whether a node is able to decide.
public enum Readiness: Equatable, Sendable {
    case ready
    /// The reason, for people.
    case notReady(String)
}

/// A key that is busy, with what this node knows of its bucket.
public struct HotKey: Equatable, Sendable {
    public var key: String
    public var rule: String
    /// Whole tokens left.
    public var tokens: Int64
    /// Tokens in a full bucket.
    public var limit: Int64
    /// How many nodes and clients hold an allowance for it.
    public var holders: Int
    public var admittedPerSecond: Double
    public var refusedPerSecond: Double

    public init(
        key: String, rule: String, tokens: Int64, limit: Int64, holders: Int, admittedPerSecond: Double,
        refusedPerSecond: Double
    ) {
        self.key = key
        self.rule = rule
        self.tokens = tokens
        self.limit = limit
        self.holders = holders
        self.admittedPerSecond = admittedPerSecond
        self.refusedPerSecond = refusedPerSecond
    }
}

/// Why a change of the rules did not happen; the message says what to do.
public struct ControlError: Error, Equatable, Sendable, CustomStringConvertible {
    /// What kind of trouble it is; more kinds may be added.
    public struct Code: Hashable, Sendable, CustomStringConvertible {
        private enum Kind: String { case refused, unavailable, timeout }

        private let kind: Kind

        /// The cluster refuses the change, whoever asks: for instance, more rules than there may be.
        public static let refused = Code(kind: .refused)
        /// No leader can be reached; nothing was changed.
        public static let unavailable = Code(kind: .unavailable)
        /// No answer came in time; the change may still happen.
        public static let timeout = Code(kind: .timeout)

        public var description: String { kind.rawValue }
    }

    public var code: Code
    public var message: String

    public init(_ code: Code, _ message: String) {
        self.code = code
        self.message = message
    }

    public var description: String { message }
}

import LimiterCore

/// What went wrong, and what to do about it: the misuse of the client, or a cluster that cannot be reached.
///
/// A request that is over its limit, or that nobody could decide, is no error but a ``MillraceClient/Decision``.
public struct MillraceClientError: Error, Equatable, Sendable, CustomStringConvertible {
    /// The kind of error; more kinds may be added.
    public struct Code: Hashable, Sendable, CustomStringConvertible {
        private enum Kind: String {
            case invalidConfiguration, notRunning, notConnected, stopped, unknownRule, invalidKey, invalidCost,
                costAboveBurst
            case tooManyPermits, alreadySettled, reservationExpired, actualAboveReserved, tooManyReservations, queueFull
        }

        private let kind: Kind

        /// The configuration cannot work; nothing was started.
        public static let invalidConfiguration = Code(kind: .invalidConfiguration)
        /// ``MillraceClient/run()`` has not been called.
        public static let notRunning = Code(kind: .notRunning)
        /// No node could be reached since the start, so not even the rules are known.
        public static let notConnected = Code(kind: .notConnected)
        /// The client has been shut down.
        public static let stopped = Code(kind: .stopped)
        /// There is no rule of this name.
        public static let unknownRule = Code(kind: .unknownRule)
        /// A key must have 1 to 4,096 bytes of UTF-8.
        public static let invalidKey = Code(kind: .invalidKey)
        /// A cost must not be negative.
        public static let invalidCost = Code(kind: .invalidCost)
        /// The bucket can never hold so many tokens: trying again is no use.
        public static let costAboveBurst = Code(kind: .costAboveBurst)
        /// More permits at once than ``MillraceClient/mostPermits``, or none.
        public static let tooManyPermits = Code(kind: .tooManyPermits)
        /// The reservation was committed or cancelled before.
        public static let alreadySettled = Code(kind: .alreadySettled)
        /// The reservation's time limit has passed: its tokens count as used.
        public static let reservationExpired = Code(kind: .reservationExpired)
        /// More was used than had been reserved: all that was reserved counts as used.
        public static let actualAboveReserved = Code(kind: .actualAboveReserved)
        /// Too many reservations are open.
        public static let tooManyReservations = Code(kind: .tooManyReservations)
        /// A bounded queue is full.
        public static let queueFull = Code(kind: .queueFull)

        public var description: String { kind.rawValue }
    }

    /// What went wrong, for programs; ``message`` is for people.
    public var code: Code
    /// One sentence or two: what happened, and what to do.
    public var message: String

    /// An error, for instance of a type that plays the client's part in a test.
    public init(_ code: Code, _ message: String) {
        self.code = code
        self.message = message
    }

    public var description: String { message }
}

extension MillraceClientError {
    static func unknownRule(_ name: String, known: [String]) -> MillraceClientError {
        let some = known.prefix(8).joined(separator: ", ")
        return MillraceClientError(
            .unknownRule,
            "there is no rule '\(name)': "
                + (known.isEmpty
                    ? "the cluster has no rules yet; apply some with 'millrace rules apply -f FILE'"
                    : "the cluster knows \(some)\(known.count > 8 ? " and \(known.count - 8) more" : "")"))
    }

    static func costAboveBurst(_ cost: Int64, _ bucket: Bucket, rule: String) -> MillraceClientError {
        MillraceClientError(
            .costAboveBurst,
            "a cost of \(cost) can never pass rule '\(rule)', whose burst is \(bucket.limit.burst) tokens"
                + (bucket.isPartlyClosed ? " for requests of normal priority" : "")
                + ": ask for less at a time, or raise the rule's burst")
    }

    static func invalidKey(_ bytes: Int) -> MillraceClientError {
        MillraceClientError(.invalidKey, "the key has \(bytes) bytes: use a key of 1 to 4096 bytes, or a hash of it")
    }

    static func invalidCost(_ cost: Int64) -> MillraceClientError {
        MillraceClientError(.invalidCost, "a cost of \(cost): tokens never go back, so it must be 0 or more")
    }

    static let notRunning = MillraceClientError(
        .notRunning, "the client is not running: add it to a ServiceGroup, or call run() in a task of its own")

    static let stopped = MillraceClientError(.stopped, "the client has been shut down: make a new one")

    static func notConnected(_ nodes: String, last: String?) -> MillraceClientError {
        MillraceClientError(
            .notConnected,
            "no node of \(nodes) has been reached yet\(last.map { " (\($0))" } ?? ""): check the addresses (a node's address in "
                + "--cluster, not its HTTP or RESP port) and that the nodes run")
    }
}

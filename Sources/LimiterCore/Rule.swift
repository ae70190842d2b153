/// Why a rule is refused; the text names the field and what is allowed.
public struct RuleError: Error, Equatable, CustomStringConvertible {
    public var description: String

    public init(_ description: String) { self.description = description }
}

/// What happens to a request that is over the limit.
public enum OnLimit: Hashable, Sendable {
    case reject
    /// It waits for its turn, up to this many nanoseconds; beyond that it is rejected.
    case delay(Int64)
}

/// What a node does for this rule while it is cut off from a key's owner.
public enum OnIsolation: UInt8, Hashable, Sendable, CaseIterable {
    /// Refuse: the promise is kept.
    case deny = 0
    /// Each node admits its part of burst and rate, rounded down: the promise is given up.
    case share = 1
    /// Admit everything: the promise is given up.
    case allow = 2

    /// As in a rules file.
    public var name: String {
        switch self {
        case .deny: "deny"
        case .share: "share"
        case .allow: "allow"
        }
    }
}

/// A rule as users write it: a name, a limit, and what happens around it (design, section 7).
public struct Rule: Hashable, Sendable {
    public var name: String
    public var limit: Limit
    public var onLimit: OnLimit
    public var onIsolation: OnIsolation
    /// Log every grant: nothing is lost at a failover, and every grant waits for the log.
    public var exact: Bool
    /// Count, but never refuse.
    public var shadow: Bool
    /// Percent of the burst that only critical requests may use: 0 to ``mostReserve``.
    public let reserveForCritical: Int
    /// Other limits for single keys, sorted by key.
    public private(set) var overrides: [Override]

    public struct Override: Hashable, Sendable {
        public var key: String
        public var limit: Limit

        public init(key: String, limit: Limit) {
            self.key = key
            self.limit = limit
        }
    }

    /// The longest name.
    public static let longestName = 64
    /// The longest key of any bucket, in bytes.
    public static let longestKey = 4096
    /// The most overrides in a rule.
    public static let mostOverrides = 1024
    /// The most percent of a burst that can be kept for critical requests: normal ones must get something.
    public static let mostReserve = 99
    /// The longest `delay`: an hour.
    public static let longestDelay: Int64 = 3_600_000_000_000

    public init(
        name: String, limit: Limit, onLimit: OnLimit = .reject, onIsolation: OnIsolation = .deny, exact: Bool = false,
        shadow: Bool = false, reserveForCritical: Int = 0, overrides: [Override] = []
    ) throws(RuleError) {
        guard Rule.isName(name) else {
            throw RuleError("'\(name.prefix(80))' is no rule name: 1 to 64 characters of a-z, 0-9, '.', '_' and '-'")
        }
        if case .delay(let ns) = onLimit, !(1...Rule.longestDelay).contains(ns) {
            throw RuleError("rule '\(name)': a delay must be longer than 0 and at most an hour")
        }
        guard (0...Rule.mostReserve).contains(reserveForCritical) else {
            throw RuleError(
                "rule '\(name)': \(reserveForCritical) % cannot be kept for critical requests, only 0 to \(Rule.mostReserve) %"
            )
        }
        if reserveForCritical > 0 {
            if case .delay = onLimit {
                // Who waits is given tokens of the future, and nothing could be kept of those any more.
                throw RuleError(
                    "rule '\(name)': what is kept for critical requests would go to those that wait: use onLimit: reject, or "
                        + "keep nothing")
            }
            for limit in [limit] + overrides.map(\.limit) where limit.part(percent: reserveForCritical) == nil {
                throw RuleError(
                    "rule '\(name)': a burst of \(limit.burst) cannot be divided between critical and normal requests: raise it to "
                        + "at least \(2 * limit.unit)")
            }
        }
        guard overrides.count <= Rule.mostOverrides else {
            throw RuleError("rule '\(name)': \(overrides.count) overrides, at most \(Rule.mostOverrides) are possible")
        }
        // By their bytes, as keys are compared: two strings may be equal and yet be different keys.
        let sorted = overrides.sorted { $0.key.utf8.lexicographicallyPrecedes($1.key.utf8) }
        for (i, override) in sorted.enumerated() {
            guard !override.key.isEmpty, override.key.utf8.count <= Rule.longestKey else {
                throw RuleError("rule '\(name)': an override's key must have 1 to \(Rule.longestKey) bytes")
            }
            if i > 0, sorted[i - 1].key.utf8.elementsEqual(override.key.utf8) {
                throw RuleError("rule '\(name)': the key '\(override.key)' has two overrides: keep one")
            }
        }
        self.name = name
        self.limit = limit
        self.onLimit = onLimit
        self.onIsolation = onIsolation
        self.exact = exact
        self.shadow = shadow
        self.reserveForCritical = reserveForCritical
        self.overrides = sorted
    }

    /// Whether `name` is 1 to 64 characters of a-z, 0-9, '.', '_' and '-'.
    public static func isName(_ name: String) -> Bool {
        (1...longestName).contains(name.utf8.count)
            && name.utf8.allSatisfy { byte in
                switch byte {
                case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."),
                    UInt8(ascii: "_"), UInt8(ascii: "-"):
                    true
                default: false
                }
            }
    }

    /// How long a request over the limit may wait, in nanoseconds.
    public var longestWait: Int64 { if case .delay(let ns) = onLimit { ns } else { 0 } }
}

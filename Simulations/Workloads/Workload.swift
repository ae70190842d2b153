package import LimiterCore

/// Who asks for what: rules, and loads on their keys.
package struct Workload: Codable, Equatable, Sendable {
    /// A rule in the simulator's own words, which can be saved with a schedule.
    package struct RuleTerms: Codable, Equatable, Sendable {
        package var name: String
        package var tokens: Int64
        /// Nanoseconds.
        package var period: Int64
        package var burst: Int64
        /// The longest that a request waits for its turn, in nanoseconds; 0 refuses at once.
        package var delay: Int64
        package var isExact: Bool
        /// deny, share or allow.
        package var onIsolation: String
        /// Percent of the burst; nil for none, as in schedules from before there was such a thing.
        package var reserveForCritical: Int?

        package init(
            _ name: String, _ tokens: Int64, per period: Int64 = 1_000_000_000, burst: Int64, delay: Int64 = 0,
            isExact: Bool = false, onIsolation: String = "deny", reserveForCritical: Int? = nil
        ) {
            self.name = name
            self.tokens = tokens
            self.period = period
            self.burst = burst
            self.delay = delay
            self.isExact = isExact
            self.onIsolation = onIsolation
            self.reserveForCritical = reserveForCritical
        }

        package func rule(burst: Int64? = nil) throws -> Rule {
            try Rule(
                name: name, limit: Limit(tokens: tokens, per: period, burst: burst ?? self.burst),
                onLimit: delay > 0 ? .delay(delay) : .reject, onIsolation: RuleTerms.isolation(onIsolation),
                exact: isExact, reserveForCritical: reserveForCritical ?? 0)
        }

        private static func isolation(_ word: String) -> OnIsolation {
            switch word {
            case "allow": .allow
            case "share": .share
            default: .deny
            }
        }
    }

    package struct Load: Codable, Equatable, Sendable {
        package enum Pattern: Codable, Equatable, Sendable {
            /// In random intervals.
            case steady
            /// So many at once, each so many nanoseconds: idle, then a burst.
            case bursts(every: Int64, of: Int)
        }

        package var rule: String
        /// How many keys; each request takes one by chance.
        package var keys: Int
        /// Requests a second at each node.
        package var perSecond: Double
        package var leastCost: Int64
        package var mostCost: Int64
        package var pattern: Pattern
        /// The only node that it is asked at; nil: all of them.
        package var onlyNode: Int?
        /// Whether it asks for so much that an ideal bucket would be used up: then the liveness phase requires use.
        package var isOverDemand: Bool
        /// How many percent of the requests are critical; nil for none.
        package var criticalPercent: Int?

        package init(
            _ rule: String, keys: Int = 1, perSecond: Double, cost: ClosedRange<Int64> = 1...1,
            pattern: Pattern = .steady, onlyNode: Int? = nil, isOverDemand: Bool = false,
            criticalPercent: Int? = nil
        ) {
            self.rule = rule
            self.keys = keys
            self.perSecond = perSecond
            leastCost = cost.lowerBound
            mostCost = cost.upperBound
            self.pattern = pattern
            self.onlyNode = onlyNode
            self.isOverDemand = isOverDemand
            self.criticalPercent = criticalPercent
        }
    }

    package var name: String
    package var rules: [RuleTerms]
    package var loads: [Load]

    package init(name: String, rules: [RuleTerms], loads: [Load]) {
        self.name = name
        self.rules = rules
        self.loads = loads
    }
}

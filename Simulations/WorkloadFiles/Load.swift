/// Requests for the keys of one rule.
package struct Load: Sendable, Equatable {
    /// When requests arrive, and how they spread over the nodes.
    package enum Pattern: Sendable, Equatable {
        /// `perSecond` requests a second, evenly.
        case steady
        /// Beside `perSecond` steady ones, `of` requests at once every so many nanoseconds.
        case bursts(every: Int64, of: Int64)
        /// As ``steady``, but nearly all requests for a key arrive at one node, another one for another key.
        case hot
    }

    /// Where requests arrive.
    package enum Arrival: Sendable, Equatable {
        /// At every node, evenly (``Pattern/hot`` says otherwise).
        case all
        /// All of them at one node.
        case one
    }

    /// The rule's name.
    package var rule: String
    /// How many keys the requests are for.
    package var keys: Int
    /// Requests a second over all nodes and keys; 0 for bursts only.
    package var perSecond: Int64
    /// The least and the highest cost of a request, in tokens; what lies between is equally likely.
    package var cost: ClosedRange<Int64>
    package var pattern: Pattern
    package var at: Arrival
    /// How many percent of the requests are critical.
    package var criticalPercent: Int

    package init(
        rule: String, keys: Int = 1, perSecond: Int64, cost: ClosedRange<Int64> = 1...1, pattern: Pattern = .steady,
        at: Arrival = .all, criticalPercent: Int = 0
    ) {
        self.rule = rule
        self.keys = keys
        self.perSecond = perSecond
        self.cost = cost
        self.pattern = pattern
        self.at = at
        self.criticalPercent = criticalPercent
    }

    /// How many requests it makes in so many seconds, at most.
    package func requests(in seconds: Int) -> Int64 {
        // Fits by far: every factor has a limit.
        var requests = perSecond * Int64(seconds)
        if case .bursts(let every, let of) = pattern {
            requests += (Int64(seconds) * 1_000_000_000 / every + 1) * of
        }
        return requests
    }
}

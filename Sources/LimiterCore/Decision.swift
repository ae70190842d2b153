/// The answer to one request.
public struct Decision: Equatable, Sendable {
    public enum Outcome: UInt8, Sendable {
        /// The tokens were spent.
        case allowed
        /// Not now: the bucket does not hold enough tokens.
        case limited
        /// Nobody who may decide could be reached in time: neither allowed nor known to be over the limit.
        case unavailable
    }

    /// Why a request got no answer from the limiter.
    public enum Cause: UInt8, Sendable {
        case none
        /// The range has no owner that can be reached, and the rule says `onIsolation: deny`.
        case isolated
        /// No answer came in time; the tokens may have been spent.
        case timeout
        /// Too many requests are waiting at this node already.
        case overloaded
        /// The cluster has not been formed yet.
        case starting
    }

    public var outcome: Outcome
    /// Why the outcome is ``Outcome/unavailable``.
    public var cause: Cause
    /// True if the node was cut off from the owner and the rule's `onIsolation` decided.
    public var isIsolated: Bool
    /// True if the rule is a shadow rule that would have refused.
    public var isShadowed: Bool
    /// Tokens in a full bucket.
    public var limit: Int64
    /// Whole tokens left, as far as the deciding node knows.
    public var remaining: Int64
    /// Nanoseconds until the same request could pass; -1 if allowed, or if it never can.
    public var retryAfter: Int64
    /// Nanoseconds until the bucket is full.
    public var resetAfter: Int64
    /// Nanoseconds that an allowed request must still wait for its turn (`onLimit: delay`); 0 for at once.
    public var dueIn: Int64

    public init(
        outcome: Outcome, cause: Cause = .none, isIsolated: Bool = false, isShadowed: Bool = false, limit: Int64,
        remaining: Int64 = 0, retryAfter: Int64 = -1, resetAfter: Int64 = 0, dueIn: Int64 = 0
    ) {
        self.outcome = outcome
        self.cause = cause
        self.isIsolated = isIsolated
        self.isShadowed = isShadowed
        self.limit = limit
        self.remaining = remaining
        self.retryAfter = retryAfter
        self.resetAfter = resetAfter
        self.dueIn = dueIn
    }

    public var isAllowed: Bool { outcome == .allowed }

    /// "Cannot decide", and why.
    public static func unavailable(_ cause: Cause, limit: Int64) -> Decision {
        Decision(outcome: .unavailable, cause: cause, limit: limit)
    }

    /// What a bucket says of itself after a decision: `tat` is its theoretical arrival time after an admission, or as it stood
    /// if the request was refused, and `axis` the reading it was decided at.
    @inline(__always)
    public static func settled(
        allowed: Bool, limit: Limit, tat: AxisTime, cost: Int64, at axis: AxisTime
    ) -> Decision {
        // A `tat` from a message may be anything: the difference stops at the edge instead of trapping.
        let (difference, overflow) = tat.ns.subtractingReportingOverflow(axis.ns)
        let ahead = overflow ? (tat > axis ? .max : 0) : max(0, difference)
        let retry: Int64 =
            if allowed {
                -1
            } else if let time = limit.time(of: cost) {
                max(0, ahead - (limit.tolerance - time))
            } else {
                -1
            }
        return Decision(
            outcome: allowed ? .allowed : .limited, limit: limit.burst,
            remaining: limit.tokens(in: limit.tolerance - ahead),
            retryAfter: retry, resetAfter: ahead)
    }
}

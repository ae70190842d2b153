import LimiterCore

extension MillraceClient {
    /// The answer to one request.
    ///
    /// ```swift
    /// let decision = try await client.tryAcquire("api", key: "user:42")
    /// guard decision.isAllowed else { throw TooManyRequests(retryAfter: decision.retryAfter) }
    /// ```
    public struct Decision: Sendable, Equatable, CustomStringConvertible {
        /// What became of a request.
        public enum Outcome: Sendable, Equatable {
            /// The tokens were spent: go on.
            case allowed
            /// The bucket does not hold enough tokens now.
            case limited
            /// Nobody who may decide could be reached: neither allowed nor known to be over the limit. The caller has to choose; a
            /// rule's `onIsolation` chooses in its place.
            case unavailable(Reason)
        }

        /// Why nobody decided.
        public enum Reason: Sendable, Equatable {
            /// The cluster, or the part of it that owns the key, cannot be reached.
            case isolated
            /// No answer came in time; the tokens may have been spent.
            case timeout
            /// Too many requests wait already, here or at the node.
            case overloaded
        }

        /// The rule that decided; of several permits, the one that stood in the way, or else the one with the least left.
        public let rule: String
        let core: LimiterCore.Decision

        init(rule: String, core: LimiterCore.Decision) {
            self.rule = rule
            self.core = core
        }

        /// What became of the request.
        public var outcome: Outcome {
            switch core.outcome {
            case .allowed: .allowed
            case .limited: .limited
            case .unavailable:
                switch core.cause {
                case .timeout: .unavailable(.timeout)
                case .overloaded: .unavailable(.overloaded)
                case .isolated, .starting, .none: .unavailable(.isolated)
                }
            }
        }

        /// Whether the tokens were spent.
        public var isAllowed: Bool { core.isAllowed }
        /// Tokens in a full bucket.
        public var limit: Int { Int(core.limit) }
        /// Whole tokens left, as far as is known here.
        public var remaining: Int { Int(core.remaining) }
        /// When the same request could pass; nil if it was allowed, or if that is not known.
        public var retryAfter: Duration? {
            core.outcome == .limited && core.retryAfter >= 0 ? .nanoseconds(core.retryAfter) : nil
        }
        /// How long until the bucket is full again.
        public var resetAfter: Duration { .nanoseconds(core.resetAfter) }
        /// How long the request has waited for its turn (``MillraceClient/acquire(_:key:cost:within:)``), or zero.
        public var waited: Duration { .nanoseconds(core.dueIn) }
        /// Whether the cluster was away and the rule's `onIsolation` decided: the promise does not cover it.
        public var isIsolated: Bool { core.isIsolated || outcome == .unavailable(.isolated) }
        /// Whether the rule only counts (`shadow: true`) and would have refused.
        public var isShadowed: Bool { core.isShadowed }

        public var description: String {
            switch outcome {
            case .allowed: "allowed by '\(rule)', \(remaining) of \(limit) left"
            case .limited: "limited by '\(rule)', retry after \(retryAfter ?? .zero)"
            case .unavailable(let reason): "'\(rule)' could not be asked: \(reason)"
            }
        }
    }
}

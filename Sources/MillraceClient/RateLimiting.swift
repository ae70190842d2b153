import LimiterCore

/// What decides whether a request may go on: a ``MillraceClient``, or a stand-in for tests of whatever builds on it.
///
/// ```swift
/// struct Never: RateLimiting {
///     func tryAcquire(_ rule: String, key: String, cost: Int) async throws -> MillraceClient.Decision {
///         .limited(by: rule, limit: 10, retryAfter: .seconds(1))
///     }
///     func acquire(
///         _ rule: String, key: String, cost: Int, within time: Duration
///     ) async throws -> MillraceClient.Decision { try await tryAcquire(rule, key: key, cost: cost) }
/// }
/// ```
public protocol RateLimiting: Sendable {
    /// Now or never; see ``MillraceClient/tryAcquire(_:key:cost:)``.
    func tryAcquire(_ rule: String, key: String, cost: Int) async throws -> MillraceClient.Decision

    /// The same with a priority; see ``MillraceClient/tryAcquire(_:key:cost:priority:)``. Stand-ins need not care for it.
    func tryAcquire(
        _ rule: String, key: String, cost: Int, priority: MillraceClient.Priority
    ) async throws -> MillraceClient.Decision

    /// Waits for its turn; see ``MillraceClient/acquire(_:key:cost:within:)``.
    func acquire(
        _ rule: String, key: String, cost: Int, within time: Duration
    ) async throws -> MillraceClient.Decision
}

extension RateLimiting {
    /// Takes all requests for equally important.
    public func tryAcquire(
        _ rule: String, key: String, cost: Int, priority: MillraceClient.Priority
    ) async throws -> MillraceClient.Decision { try await tryAcquire(rule, key: key, cost: cost) }
}

extension MillraceClient: RateLimiting {}

extension MillraceClient.Decision {
    /// An admission, for stand-ins.
    public static func allowed(
        by rule: String, limit: Int, remaining: Int, resetAfter: Duration = .zero
    ) -> MillraceClient.Decision {
        MillraceClient.Decision(
            rule: rule,
            core: LimiterCore.Decision(
                outcome: .allowed, limit: Int64(limit), remaining: Int64(remaining), resetAfter: resetAfter.nanoseconds)
        )
    }

    /// A refusal, for stand-ins.
    public static func limited(
        by rule: String, limit: Int, remaining: Int = 0, retryAfter: Duration
    ) -> MillraceClient.Decision {
        MillraceClient.Decision(
            rule: rule,
            core: LimiterCore.Decision(
                outcome: .limited, limit: Int64(limit), remaining: Int64(remaining),
                retryAfter: retryAfter.nanoseconds, resetAfter: retryAfter.nanoseconds))
    }

    /// "Nobody can tell", for stand-ins.
    public static func unavailable(_ rule: String, limit: Int) -> MillraceClient.Decision {
        MillraceClient.Decision(rule: rule, core: .unavailable(.isolated, limit: Int64(limit)))
    }
}

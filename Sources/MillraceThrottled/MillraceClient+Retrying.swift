public import MillraceClient

extension MillraceClient {
    /// Asks for `cost` tokens again and again, with backoff, until they are there.
    ///
    /// Prefer ``MillraceClient/acquire(_:key:cost:within:)`` where the caller can simply wait for its turn: it asks once, and its wait is
    /// exact. This is for callers that should go away and come back, as against a third party.
    ///
    /// ```swift
    /// let decision = try await client.tryAcquire("partner-api", key: "global", retrying: Backoff(), budget: budget)
    /// ```
    ///
    /// Throws a ``RetryFailure`` when it gives up. A decision that nobody could make (`unavailable`) is tried again, too.
    public func tryAcquire(
        _ rule: String, key: String, cost: Int = 1, retrying backoff: Backoff, limits: RetryLimits = RetryLimits(),
        budget: RetryBudget? = nil
    ) async throws -> Decision {
        try await MillraceThrottled.retrying(backoff, limits: limits, budget: budget) { _ in
            let decision = try await self.tryAcquire(rule, key: key, cost: cost)
            return decision.isAllowed ? .done(decision) : .again(after: decision.retryAfter)
        }
    }

    /// Does `work` if the tokens are there, and `fallback` if not: an older answer, a smaller model, a queue for later.
    ///
    /// ```swift
    /// let page = try await client.limited("renders", key: user) {
    ///     try await render(page)
    /// } fallback: { decision in
    ///     cache.stalePage(for: page)
    /// }
    /// ```
    public func limited<Result>(
        _ rule: String, key: String, cost: Int = 1, _ work: () async throws -> Result,
        fallback: (Decision) async throws -> Result
    ) async throws -> Result {
        let decision = try await tryAcquire(rule, key: key, cost: cost)
        return decision.isAllowed ? try await work() : try await fallback(decision)
    }
}

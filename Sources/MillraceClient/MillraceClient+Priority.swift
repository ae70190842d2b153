import LimiterCore

extension MillraceClient {
    /// How much a request matters, for rules with `reserveForCritical`; elsewhere it says nothing.
    public enum Priority: Sendable, Hashable, CaseIterable {
        /// May use a bucket down to what its rule keeps for critical requests.
        case normal
        /// May use all of it: payments, health checks, whatever must go on while the rest has to wait.
        case critical

        var core: LimiterCore.Priority { self == .critical ? .critical : .normal }
    }

    /// As ``tryAcquireNow(_:key:cost:)``, with a priority.
    public func tryAcquireNow(
        _ rule: String, key: String, cost: Int = 1, priority: Priority
    ) throws(MillraceClientError) -> Decision? {
        guard case .found(let bucket, let drift) = lookup.bucket(rule: rule, key: key) else {
            try check(rule, key: key)
            return nil
        }
        return try decide(bucket.with(priority.core), drift, rule, key: key, cost: Int64(cost))
    }

    /// As ``tryAcquire(_:key:cost:)``, with a priority.
    ///
    /// ```swift
    /// let decision = try await client.tryAcquire("payments", key: merchant, priority: .critical)
    /// ```
    public func tryAcquire(
        _ rule: String, key: String, cost: Int = 1, priority: Priority
    ) async throws -> Decision {
        if let decision = try tryAcquireNow(rule, key: key, cost: cost, priority: priority) { return decision }
        return try await ask(rule, key: key, cost: Int64(cost), priority: priority, longestWait: nil).decision
    }

    /// As ``acquire(_:key:cost:within:)``, with a priority.
    ///
    /// Who waits is given tokens of the future. Where a rule keeps something for critical requests only those may: a normal one is
    /// answered at once, by a refusal that says when to try again.
    public func acquire(
        _ rule: String, key: String, cost: Int = 1, priority: Priority, within time: Duration
    ) async throws -> Decision {
        if let decision = try tryAcquireNow(rule, key: key, cost: cost, priority: priority), decision.isAllowed {
            return decision
        }
        let wait = min(max(0, time.nanoseconds), Rule.longestDelay)
        let decision = try await ask(rule, key: key, cost: Int64(cost), priority: priority, longestWait: wait).decision
        if decision.isAllowed, decision.core.dueIn > 0 { try await Task.sleep(for: decision.waited) }
        return decision
    }
}

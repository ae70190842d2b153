import LimiterCore

extension MillraceClient {
    /// One of several permits that are needed together.
    public struct Permit: Sendable, Hashable {
        /// The name of the rule.
        public var rule: String
        /// Whose bucket: 1 to 4,096 bytes of UTF-8.
        public var key: String
        /// In tokens; not negative.
        public var cost: Int

        /// `cost` tokens of a key under a rule.
        public init(_ rule: String, key: String, cost: Int = 1) {
            self.rule = rule
            self.key = key
            self.cost = cost
        }
    }

    /// Asks for several permits, all or nothing, whichever nodes own their keys.
    ///
    /// Each is gathered first; if one is refused, what the others got goes back among this client's own allowances and serves its next
    /// requests. The decision is that of the rule that stood in the way, or of the one with the least left.
    ///
    /// ```swift
    /// let decision = try await client.acquireAll([
    ///     .init("per-user", key: user), .init("per-tenant", key: tenant), .init("model-tokens", key: tenant, cost: 500),
    /// ])
    /// ```
    ///
    /// All have the same priority. At most ``mostPermits`` at once. Throws like ``tryAcquire(_:key:cost:)``; then nothing has been spent but what was under way.
    public func acquireAll(_ permits: [Permit], priority: Priority = .normal) async throws -> Decision {
        guard (1...Self.mostPermits).contains(permits.count) else {
            throw MillraceClientError(
                .tooManyPermits, "\(permits.count) permits at once: ask for 1 to \(Self.mostPermits) at a time")
        }
        if lookup.directory == nil { try await waitUntilReady() }
        var gathering = Gathering(count: permits.count)
        var missing: [Int] = []
        // All are looked at before anything is asked for: what can never pass must cost nothing.
        var buckets: [(LimiterCore.Bucket, DriftBound)] = []
        for permit in permits {
            guard case .found(let found, let drift) = lookup.bucket(rule: permit.rule, key: permit.key) else {
                try check(permit.rule, key: permit.key)
                throw MillraceClientError.stopped
            }
            let bucket = found.with(priority.core)
            try check(bucket, permit.rule, key: permit.key, cost: Int64(permit.cost))
            buckets.append((bucket, drift))
        }
        let drift = buckets[0].1
        for (i, permit) in permits.enumerated() {
            if let (held, decision) = path.hold(
                buckets[i].0, cost: Int64(permit.cost), drift: drift, now: path.clock())
            {
                gathering.add(i, decision, held)
            } else {
                missing.append(i)
            }
        }
        do {
            try await withThrowingTaskGroup(of: (Int, Decision, HeldTokens?).self) { group in
                for i in missing {
                    let permit = permits[i]
                    group.addTask {
                        let (decision, held) = try await self.gather(
                            permit.rule, key: permit.key, cost: Int64(permit.cost), priority: priority)
                        return (i, decision, held)
                    }
                }
                for try await (i, decision, held) in group { gathering.add(i, decision.core, held) }
            }
        } catch {
            // What was gathered is put back; what was still under way is lost.
            gathering.giveUp(on: path, drift: drift, now: path.clock())
            throw error
        }
        let (index, decision) = gathering.settle(on: path, drift: drift, now: path.clock())
        return Decision(rule: permits[index].rule, core: decision)
    }

    /// Asks the cluster for tokens that may still be put back.
    func gather(
        _ rule: String, key: String, cost: Int64, priority: Priority
    ) async throws -> (Decision, HeldTokens?) {
        let (decision, piece, bucket) = try await ask(
            rule, key: key, cost: cost, priority: priority, longestWait: 0, gathers: true)
        let held = decision.isAllowed && cost > 0 ? HeldTokens(bucket: bucket, cost: cost, piece: piece) : nil
        return (decision, held)
    }
}

import LimiterCore

extension MillraceClient {
    /// A key under a rule, hashed once: for callers that ask for the same key again and again.
    ///
    /// ```swift
    /// let bucket = client.bucket("partner-api", key: "global")
    /// while let job = queue.next() {
    ///     guard try await bucket.tryAcquire().isAllowed else { break }
    /// }
    /// ```
    ///
    /// It follows the rules: when they change, it is hashed anew. A value; copies may be used anywhere, each is for one thread at a time.
    public struct Bucket: Sendable {
        private let client: MillraceClient
        /// The rule's name.
        public let rule: String
        /// The key.
        public let key: String
        private var generation = -1
        private var known: (bucket: LimiterCore.Bucket, drift: DriftBound)?

        init(client: MillraceClient, rule: String, key: String) {
            self.client = client
            self.rule = rule
            self.key = key
        }

        /// As ``MillraceClient/tryAcquireNow(_:key:cost:)``, without hashing.
        @inline(__always)
        public mutating func tryAcquireNow(cost: Int = 1) throws(MillraceClientError) -> Decision? {
            if client.lookup.generation != generation { renew() }
            guard let known else {
                try client.check(rule, key: key)
                return nil
            }
            return try client.decide(known.bucket, known.drift, rule, key: key, cost: Int64(cost))
        }

        @inline(never)
        private mutating func renew() {
            generation = client.lookup.generation
            if case .found(let bucket, let drift) = client.lookup.bucket(rule: rule, key: key) {
                known = (bucket, drift)
            } else {
                known = nil
            }
        }

        /// As ``MillraceClient/tryAcquire(_:key:cost:)``.
        public mutating func tryAcquire(cost: Int = 1) async throws -> Decision {
            if let decision = try tryAcquireNow(cost: cost) { return decision }
            return try await client.tryAcquire(rule, key: key, cost: cost)
        }

        /// As ``MillraceClient/tryAcquireNow(_:key:cost:priority:)``, without hashing.
        public mutating func tryAcquireNow(cost: Int = 1, priority: Priority) throws(MillraceClientError) -> Decision? {
            if client.lookup.generation != generation { renew() }
            guard let known else {
                try client.check(rule, key: key)
                return nil
            }
            return try client.decide(
                known.bucket.with(priority.core), known.drift, rule, key: key, cost: Int64(cost))
        }

        /// As ``MillraceClient/tryAcquire(_:key:cost:priority:)``.
        public mutating func tryAcquire(cost: Int = 1, priority: Priority) async throws -> Decision {
            if let decision = try tryAcquireNow(cost: cost, priority: priority) { return decision }
            return try await client.tryAcquire(rule, key: key, cost: cost, priority: priority)
        }

        /// As ``MillraceClient/acquire(_:key:cost:priority:within:)``.
        public func acquire(cost: Int = 1, priority: Priority, within time: Duration) async throws -> Decision {
            try await client.acquire(rule, key: key, cost: cost, priority: priority, within: time)
        }

        /// As ``MillraceClient/acquire(_:key:cost:within:)``.
        public func acquire(cost: Int = 1, within time: Duration) async throws -> Decision {
            try await client.acquire(rule, key: key, cost: cost, within: time)
        }

        /// As ``MillraceClient/peek(_:key:)``.
        public func peek() async throws -> Decision { try await client.peek(rule, key: key) }
    }

    /// A handle for a key that is asked for again and again.
    public func bucket(_ rule: String, key: String) -> Bucket { Bucket(client: self, rule: rule, key: key) }
}

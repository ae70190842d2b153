import LimiterCore
import Synchronization

extension MillraceClient {
    /// What became of ``reserve(_:key:cost:priority:for:)``.
    public enum ReserveResult: Sendable {
        /// The tokens are held until they are committed or cancelled, or the time is over.
        case reserved(Reservation)
        /// They could not be had.
        case refused(Decision)
    }

    /// Tokens that are held for work whose cost is known only afterwards.
    ///
    /// Settle it once: ``commit(_:)`` with what was used, or ``cancel()``. If neither happens in time, all of it counts as used.
    public final class Reservation: Sendable {
        private enum State { case open(HeldTokens), settled }

        /// What the limiter said when it was made.
        public let decision: Decision
        /// How many tokens are held.
        public let cost: Int
        private let client: MillraceClient
        private let drift: DriftBound
        private let deadline: ClockTime
        private let state: Mutex<State>

        init(_ held: HeldTokens, _ decision: Decision, drift: DriftBound, deadline: ClockTime, client: MillraceClient) {
            self.decision = decision
            cost = Int(held.cost)
            self.client = client
            self.drift = drift
            self.deadline = deadline
            state = Mutex(.open(held))
        }

        deinit {
            client.openReservations.subtract(1, ordering: .relaxed)
            // Nobody settled it: it counts as used.
            if case .open(let held) = state.withLock({ $0 }) {
                client.path.settle(held, used: held.cost, drift: drift, now: client.path.clock())
            }
        }

        /// Says how much was used; the rest goes back among this client's own allowances.
        ///
        /// Throws `alreadySettled`, `reservationExpired` after the time limit, and `actualAboveReserved` if more was used than was
        /// reserved: then all of it counts as used.
        public func commit(_ actual: Int) throws(MillraceClientError) {
            if actual < 0 { throw .invalidCost(Int64(actual)) }
            let held = try take()
            let used = min(Int64(actual), held.cost)
            let now = client.path.clock()
            let isLate = now > deadline
            client.path.settle(held, used: isLate ? held.cost : used, drift: drift, now: now)
            if isLate {
                throw MillraceClientError(
                    .reservationExpired,
                    "the reservation of \(held.cost) tokens was committed after its time limit, and counts as used: reserve for "
                        + "longer, or commit sooner")
            }
            if Int64(actual) > held.cost {
                throw MillraceClientError(
                    .actualAboveReserved,
                    "\(actual) tokens were used of \(held.cost) reserved: reserve the most that the work can cost, what is not "
                        + "used goes back")
            }
        }

        /// Gives all of it back to this client's own allowances. Throws as ``commit(_:)`` does.
        public func cancel() throws(MillraceClientError) { try commit(0) }

        private func take() throws(MillraceClientError) -> HeldTokens {
            let held: HeldTokens? = state.withLock { state in
                guard case .open(let held) = state else { return nil }
                state = .settled
                return held
            }
            guard let held else {
                throw MillraceClientError(
                    .alreadySettled, "the reservation was committed or cancelled before: settle each one once")
            }
            return held
        }
    }

    /// Holds `cost` tokens for work whose cost is known only afterwards: tokens of a language model, bytes of an answer.
    ///
    /// ```swift
    /// switch try await client.reserve("model-tokens", key: tenant, cost: 4_000, for: .seconds(60)) {
    /// case .refused(let decision):
    ///     throw TooManyRequests(retryAfter: decision.retryAfter)
    /// case .reserved(let reservation):
    ///     let answer = try await model.complete(prompt, mostTokens: 4_000)
    ///     try reservation.commit(answer.tokens)
    /// }
    /// ```
    ///
    /// What is committed too late, or never, counts as used. At most `mostReservations` may be open.
    public func reserve(
        _ rule: String, key: String, cost: Int, priority: Priority = .normal, for time: Duration
    ) async throws -> ReserveResult {
        guard openReservations.add(1, ordering: .relaxed).newValue <= configuration.mostReservations else {
            openReservations.subtract(1, ordering: .relaxed)
            throw MillraceClientError(
                .tooManyReservations,
                "\(configuration.mostReservations) reservations are open: commit or cancel some, or raise mostReservations"
            )
        }
        var isMade = false
        // A reservation that is made ends its own count.
        defer { if !isMade { openReservations.subtract(1, ordering: .relaxed) } }
        if lookup.directory == nil { try await waitUntilReady() }
        guard case .found(let found, let drift) = lookup.bucket(rule: rule, key: key) else {
            try check(rule, key: key)
            throw MillraceClientError.stopped
        }
        let bucket = found.with(priority.core)
        try check(bucket, rule, key: key, cost: Int64(cost))
        if cost == 0 {
            throw MillraceClientError(.invalidCost, "a reservation of 0 tokens holds nothing: reserve at least 1")
        }
        let now = path.clock()
        let wanted = ClockTime(ns: now.ns.addingReportingOverflow(max(0, time.nanoseconds)).partialValue)
        let deadline = wanted < now ? ClockTime(ns: .max) : wanted
        var decision: Decision
        var held: HeldTokens?
        if let (tokens, known) = path.hold(bucket, cost: Int64(cost), drift: drift, now: now) {
            (decision, held) = (Decision(rule: rule, core: known), tokens)
        } else {
            (decision, held) = try await gather(rule, key: key, cost: Int64(cost), priority: priority)
        }
        guard decision.isAllowed, let held else { return .refused(decision) }
        isMade = true
        return .reserved(Reservation(held, decision, drift: drift, deadline: deadline, client: self))
    }
}

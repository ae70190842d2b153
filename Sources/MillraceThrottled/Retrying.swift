/// What an attempt came to.
public enum Attempt<Success: Sendable>: Sendable {
    /// It is done.
    case done(Success)
    /// It was refused, and may be made again after so long (nil: nobody said).
    case again(after: Duration?)
}

/// Why there was no success.
public enum RetryFailure: Error, Equatable, Sendable, CustomStringConvertible {
    /// All attempts were refused; the last one said when it could pass.
    case attemptsExhausted(attempts: Int, retryAfter: Duration?)
    /// The next attempt would have begun after the time limit; not waiting for it is kinder to everybody.
    case outOfTime(attempts: Int, retryAfter: Duration?)
    /// The retry budget is used up.
    case budgetExhausted(attempts: Int, retryAfter: Duration?)

    /// How many attempts were made.
    public var attempts: Int {
        switch self {
        case .attemptsExhausted(let attempts, _), .outOfTime(let attempts, _), .budgetExhausted(let attempts, _):
            attempts
        }
    }

    public var description: String {
        switch self {
        case .attemptsExhausted(let attempts, _): "refused \(attempts) times: try later, or ask for less"
        case .outOfTime(let attempts, let after):
            "refused \(attempts) times, and the next attempt would be too late\(after.map { " (in \($0))" } ?? "")"
        case .budgetExhausted(let attempts, _):
            "refused \(attempts) times, and the retry budget is used up: the service is overloaded, do less"
        }
    }
}

/// When to stop trying.
public struct RetryLimits: Sendable, Hashable {
    /// The most attempts, the first one included.
    public var attempts: Int
    /// No attempt begins later than this after the first one.
    public var time: Duration

    /// At most so many attempts, all begun within `time`.
    public init(attempts: Int = 5, time: Duration = .seconds(30)) {
        precondition(attempts >= 1, "at least one attempt")
        self.attempts = attempts
        self.time = time
    }
}

/// Makes attempts until one is done, with exponential backoff and full jitter between them.
///
/// Waits at least as long as the limiter asked for; gives up at once when the next attempt would come too late, or when the budget is
/// used up. Throws a ``RetryFailure`` then, whatever `attempt` throws, and `CancellationError` as soon as the task is cancelled.
///
/// ```swift
/// let answer = try await retrying(budget: budget) { _ -> Attempt<String> in
///     let decision = try await client.tryAcquire("partner-api", key: "global")
///     guard decision.isAllowed else { return .again(after: decision.retryAfter) }
///     return .done(try await partner.call())
/// }
/// ```
///
/// `clock` and `generator` are there for tests: with a manual clock and a seeded generator every wait is known.
public func retrying<Success: Sendable, C: Clock>(
    _ backoff: Backoff = Backoff(), limits: RetryLimits = RetryLimits(), budget: RetryBudget? = nil,
    clock: C = ContinuousClock(), generator: inout some RandomNumberGenerator & Sendable,
    _ attempt: (Int) async throws -> Attempt<Success>
) async throws -> Success where C.Duration == Duration {
    let start = clock.now
    budget?.deposit()
    var number = 0
    while true {
        try Task.checkCancellation()
        let after: Duration?
        switch try await attempt(number) {
        case .done(let success): return success
        case .again(let retryAfter): after = retryAfter
        }
        number += 1
        guard number < limits.attempts else {
            throw RetryFailure.attemptsExhausted(attempts: number, retryAfter: after)
        }
        let delay = backoff.delay(attempt: number - 1, retryAfter: after, using: &generator)
        guard start.duration(to: clock.now) + delay <= limits.time else {
            throw RetryFailure.outOfTime(attempts: number, retryAfter: after)
        }
        if let budget, !budget.withdraw() {
            throw RetryFailure.budgetExhausted(attempts: number, retryAfter: after)
        }
        try await clock.sleep(until: clock.now.advanced(by: delay), tolerance: nil)
    }
}

/// As ``retrying(_:limits:budget:clock:generator:_:)``, with the system's random numbers.
public func retrying<Success: Sendable>(
    _ backoff: Backoff = Backoff(), limits: RetryLimits = RetryLimits(), budget: RetryBudget? = nil,
    _ attempt: (Int) async throws -> Attempt<Success>
) async throws -> Success {
    var generator = SystemRandomNumberGenerator()
    return try await retrying(
        backoff, limits: limits, budget: budget, clock: ContinuousClock(), generator: &generator, attempt)
}

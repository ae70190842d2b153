import MillraceClient

/// How long to wait before trying again: exponential, with full jitter, and never before the limiter says.
///
/// Attempt `n` (from 0) waits a random time from zero to `min(most, base * 2^n)`, added to what the limiter asked for: many callers that
/// were refused together do not come back together (Brooker, "Exponential backoff and jitter", 2015).
///
/// ```swift
/// var generator = SystemRandomNumberGenerator()
/// let pause = Backoff().delay(attempt: 2, retryAfter: decision.retryAfter, using: &generator)
/// ```
public struct Backoff: Sendable, Hashable {
    /// The ceiling of the first wait.
    public var base: Duration
    /// The highest ceiling.
    public var most: Duration

    /// A backoff whose ceiling grows from `base` to `most`.
    public init(base: Duration = .milliseconds(50), most: Duration = .seconds(10)) {
        precondition(base > .zero && most >= base, "a backoff from \(base) to \(most)")
        self.base = base
        self.most = most
    }

    /// How long attempt `attempt` (from 0) waits; at least `retryAfter`, if the limiter said one.
    public func delay(
        attempt: Int, retryAfter: Duration?, using generator: inout some RandomNumberGenerator
    ) -> Duration {
        let ceiling = ceiling(of: attempt)
        let nanoseconds = UInt64(clamping: ceiling.nanoseconds)
        // A draw of our own, so that a seeded generator gives the same waits in every version of the standard library.
        let jitter = generator.next().multipliedFullWidth(by: nanoseconds &+ 1).high
        return max(.zero, retryAfter ?? .zero) + .nanoseconds(Int64(clamping: jitter))
    }

    /// The longest that attempt `attempt` waits beyond what the limiter asked for.
    public func ceiling(of attempt: Int) -> Duration {
        var ceiling = base
        for _ in 0..<max(0, attempt) {
            // Doubling stops at the top, so it cannot run over.
            guard ceiling < most else { break }
            ceiling = ceiling * 2
        }
        return min(ceiling, most)
    }
}

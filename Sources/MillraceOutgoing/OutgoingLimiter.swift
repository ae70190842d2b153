public import HTTPTypes
public import MillraceClient
import Synchronization

/// Keeps calls to somebody else's service within its quota, over all processes that share it.
///
/// It stands around whatever sends the requests: each call takes its tokens first, and waits for its turn if need be. Where the other side
/// refuses all the same (429 or 503 with `Retry-After`), nobody in this process calls until that time has passed.
///
/// ```swift
/// let partner = OutgoingLimiter(client, rule: "partner-api", key: .host, patience: .seconds(5))
/// let (response, body) = try await partner.send(request) { request in
///     try await http.execute(request)             // any HTTP client that speaks HTTPTypes
/// }
/// ```
public final class OutgoingLimiter: Sendable {
    /// By what calls are counted.
    public struct Key: Sendable {
        let extract: @Sendable (HTTPRequest) -> String

        /// Whatever `extract` finds.
        public init(_ extract: @escaping @Sendable (HTTPRequest) -> String) { self.extract = extract }

        /// The host that is called.
        public static var host: Key { Key { $0.authority ?? "" } }

        /// One quota for all calls, for instance that of an API key.
        public static func shared(_ key: String) -> Key { Key { _ in key } }
    }

    /// A call that was not made.
    public struct Refused: Error, Sendable, Equatable, CustomStringConvertible {
        /// What the limiter said; nil while the other side's own `Retry-After` runs.
        public var decision: MillraceClient.Decision?
        /// When it can be tried again, if that is known.
        public var retryAfter: Duration?

        public var description: String {
            decision.map { "the call was not made: \($0)" }
                ?? "the call was not made: the other side asked for a pause of \(retryAfter ?? .zero)"
        }
    }

    private let limiter: any RateLimiting
    private let rule: String
    private let key: Key
    private let patience: Duration
    private let clock: any Clock<Duration>
    private let pause: any Pausing

    /// Counts calls by `key` under `rule`; a call waits for its turn for at most `patience`.
    public convenience init(_ limiter: some RateLimiting, rule: String, key: Key, patience: Duration = .seconds(5)) {
        self.init(limiter, rule: rule, key: key, patience: patience, clock: ContinuousClock())
    }

    /// The same by another clock; for tests.
    public init<C: Clock>(
        _ limiter: some RateLimiting, rule: String, key: Key, patience: Duration, clock: C
    ) where C.Duration == Duration {
        self.limiter = limiter
        self.rule = rule
        self.key = key
        self.patience = patience
        self.clock = clock
        pause = Pause(clock)
    }

    /// Makes a call when its turn has come. Throws ``Refused`` if that would take too long, and whatever `call` throws.
    ///
    /// `cost` is what the other side counts this call as. A call that fails has been counted all the same.
    public func send<Body>(
        _ request: HTTPRequest, cost: Int = 1, _ call: (HTTPRequest) async throws -> (HTTPResponse, Body)
    ) async throws -> (HTTPResponse, Body) {
        if let left = pause.left() {
            guard left <= patience else { throw Refused(decision: nil, retryAfter: left) }
            try await clock.sleep(for: left)
        }
        let decision = try await limiter.acquire(rule, key: key.extract(request), cost: cost, within: patience)
        guard decision.isAllowed else { throw Refused(decision: decision, retryAfter: decision.retryAfter) }
        let (response, body) = try await call(request)
        if response.status.code == 429 || response.status.code == 503, let after = Self.retryAfter(response) {
            pause.begin(for: after)
        }
        return (response, body)
    }

    /// The longest pause that another side's word is taken for.
    public static let longestPause: Duration = .seconds(3_600)

    /// `Retry-After` in seconds (RFC 9110, section 10.2.3); a date is not understood and counts as a second.
    static func retryAfter(_ response: HTTPResponse) -> Duration? {
        guard let text = response.headerFields[.retryAfter] else { return nil }
        guard let seconds = Int64(text), seconds >= 0 else { return .seconds(1) }
        return min(.seconds(seconds), longestPause)
    }
}

/// Until when nobody calls.
private protocol Pausing: Sendable {
    /// What is left of the pause; nil if there is none.
    func left() -> Duration?
    func begin(for duration: Duration)
}

/// A pause by one kind of clock.
private final class Pause<C: Clock>: Pausing where C.Duration == Duration {
    private let clock: C
    private let end = Mutex<C.Instant?>(nil)

    init(_ clock: C) { self.clock = clock }

    func left() -> Duration? {
        end.withLock { end in
            guard let instant = end else { return nil }
            let left = clock.now.duration(to: instant)
            if left <= .zero { end = nil }
            return left > .zero ? left : nil
        }
    }

    func begin(for duration: Duration) {
        let instant = clock.now.advanced(by: duration)
        end.withLock { $0 = max($0 ?? instant, instant) }
    }
}

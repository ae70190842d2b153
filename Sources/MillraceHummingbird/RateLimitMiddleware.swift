public import HTTPTypes
public import Hummingbird
public import MillraceClient

/// A Hummingbird middleware that lets requests pass as a Millrace rule allows, per user, tenant, address or whatever a request is
/// counted by.
///
/// A refused request is answered 429 with `application/problem+json`, `Retry-After`, and the `RateLimit` fields; an admitted one gets the
/// fields, too. Requests without a key pass uncounted.
///
/// ```swift
/// let router = Router()
/// router.group("api")
///     .add(middleware: RateLimitMiddleware(client, rule: "api", key: .header("x-user")))
///     .get("quotes") { _, _ in "…" }
/// ```
public struct RateLimitMiddleware<Context: RequestContext>: RouterMiddleware {
    /// By what requests are counted.
    public struct Key: Sendable {
        let extract: @Sendable (Request, Context) -> String?

        /// Whatever `extract` finds; nil lets the request pass uncounted.
        public init(_ extract: @escaping @Sendable (Request, Context) -> String?) { self.extract = extract }

        /// The value of a header field, such as that of a user whom an earlier middleware has authenticated. Never count by what a client
        /// may choose freely.
        public static func header(_ name: HTTPField.Name) -> Key { Key { request, _ in request.headers[name] } }

        /// One bucket for all requests.
        public static func shared(_ key: String) -> Key { Key { _, _ in key } }
    }

    /// What happens while nobody can decide.
    public enum WhenUnavailable: Sendable, Hashable {
        /// Answer 503: the limit is kept.
        case refuse
        /// Let the request pass: the service is worth more than the limit.
        case pass
    }

    private let limiter: any RateLimiting
    private let rule: String
    private let key: Key
    private let cost: @Sendable (Request, Context) -> Int
    private let whenUnavailable: WhenUnavailable

    /// Counts by `key` under `rule`; each request takes `cost` tokens.
    public init(
        _ limiter: some RateLimiting, rule: String, key: Key,
        cost: @escaping @Sendable (Request, Context) -> Int = { _, _ in 1 },
        whenUnavailable: WhenUnavailable = .refuse
    ) {
        self.limiter = limiter
        self.rule = rule
        self.key = key
        self.cost = cost
        self.whenUnavailable = whenUnavailable
    }

    /// Asks for the request's cost and passes it on, or answers 429 (503 where nobody can tell) with a problem document (RFC 9457).
    ///
    /// - Throws: ``MillraceClient/MillraceClientError`` of a misuse, such as an unknown rule.
    @concurrent
    public func handle(
        _ request: Request, context: Context, next: @concurrent (Request, Context) async throws -> Response
    ) async throws -> Response {
        guard let key = key.extract(request, context), !key.isEmpty else { return try await next(request, context) }
        let decision = try await limiter.tryAcquire(rule, key: key, cost: cost(request, context))
        switch decision.outcome {
        case .limited: return LimitedResponse.tooManyRequests(decision)
        case .unavailable:
            guard whenUnavailable == .pass else { return LimitedResponse.unavailable(decision) }
            return try await next(request, context)
        case .allowed:
            var response = try await next(request, context)
            LimitedResponse.addFields(of: decision, to: &response.headers)
            return response
        }
    }
}

import HTTPTypes
import Hummingbird
import Logging
import MillraceClient
import MillraceHummingbird
import NIOCore
import NIOEmbedded
import Synchronization
import Testing

/// A limited route with a stand-in for the cluster.
struct RateLimitMiddlewareTests {
    private struct StandIn: RateLimiting {
        func tryAcquire(_ rule: String, key: String, cost: Int) async throws -> MillraceClient.Decision {
            switch key {
            case "rich": .allowed(by: rule, limit: 10, remaining: 10 - cost, resetAfter: .milliseconds(1_500))
            case "poor": .limited(by: rule, limit: 10, retryAfter: .milliseconds(2_100))
            default: .unavailable(rule, limit: 10)
            }
        }

        func acquire(
            _ rule: String, key: String, cost: Int, within time: Duration
        ) async throws -> MillraceClient.Decision { try await tryAcquire(rule, key: key, cost: cost) }
    }

    private static let user = HTTPField.Name("x-user")!

    /// What the middleware answers, and whether the request came through.
    private func get(
        _ user: String?, whenUnavailable: RateLimitMiddleware<BasicRequestContext>.WhenUnavailable = .refuse
    ) async throws -> (Response, isThrough: Bool) {
        let middleware = RateLimitMiddleware<BasicRequestContext>(
            StandIn(), rule: "api", key: .header(Self.user), cost: { _, _ in 4 }, whenUnavailable: whenUnavailable)
        var head = HTTPRequest(method: .get, scheme: "http", authority: "test", path: "/quotes")
        if let user { head.headerFields[Self.user] = user }
        let context = BasicRequestContext(
            source: ApplicationRequestContextSource(channel: EmbeddedChannel(), logger: Logger(label: "test")))
        var isThrough = false
        let response = try await middleware.handle(
            Request(head: head, body: .init(buffer: ByteBuffer())), context: context
        ) { _, _ in
            isThrough = true
            return Response(status: .ok)
        }
        return (response, isThrough)
    }

    private func text(of response: Response) async throws -> String {
        let writer = Collector()
        try await response.body.write(writer)
        return writer.text.withLock { $0 }
    }

    private final class Collector: ResponseBodyWriter, Sendable {
        let text = Mutex("")
        func write(_ buffer: ByteBuffer) async throws { text.withLock { $0 += String(buffer: buffer) } }
        func finish(_ trailingHeaders: HTTPFields?) async throws {}
    }

    @Test func anAdmittedRequestLearnsWhatIsLeft() async throws {
        let (answer, isThrough) = try await get("rich")
        #expect(answer.status == .ok && isThrough)
        #expect(answer.headers[.init("RateLimit-Policy")!] == #""api";q=10"#)
        #expect(answer.headers[.init("RateLimit")!] == #""api";r=6;t=2"#)
    }

    @Test func aRefusedOneLearnsWhenToComeBack() async throws {
        let (answer, isThrough) = try await get("poor")
        #expect(answer.status == .tooManyRequests && !isThrough)
        #expect(answer.headers[.retryAfter] == "3")
        #expect(answer.headers[.contentType] == "application/problem+json")
        #expect(
            try await text(of: answer)
                == #"{"type":"https://iana.org/assignments/http-problem-types#quota-exceeded","title":"Too many requests","#
                + #""status":429,"detail":"the limit of 'api' is reached: try again in 3 s","violated-policies":["api"]}"#
        )
    }

    @Test func whileNobodyCanTell() async throws {
        let (refused, _) = try await get("lost")
        #expect(refused.status == .serviceUnavailable && refused.headers[.retryAfter] == "1")
        #expect(try await get("lost", whenUnavailable: .pass).isThrough)
    }

    @Test func whoHasNoKeyIsNotCounted() async throws {
        let (answer, isThrough) = try await get(nil)
        #expect(isThrough && answer.headers[.init("RateLimit")!] == nil)
    }
}

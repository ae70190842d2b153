import HTTPTypes
import MillraceClient
import MillraceOutgoing
import Synchronization
import Testing

/// Calls to somebody else, with a stand-in for the cluster.
struct OutgoingLimiterTests {
    private final class StandIn: RateLimiting {
        let asked = Mutex<[String]>([])
        let answer: MillraceClient.Decision

        init(_ answer: MillraceClient.Decision) { self.answer = answer }

        func tryAcquire(_ rule: String, key: String, cost: Int) async throws -> MillraceClient.Decision { answer }

        func acquire(
            _ rule: String, key: String, cost: Int, within time: Duration
        ) async throws -> MillraceClient.Decision {
            asked.withLock { $0.append("\(rule) \(key) \(cost)") }
            return answer
        }
    }

    private let request = HTTPRequest(method: .get, scheme: "https", authority: "partner.example", path: "/")

    @Test func anAdmittedCallIsMade() async throws {
        let limiter = StandIn(.allowed(by: "partner", limit: 10, remaining: 9))
        let outgoing = OutgoingLimiter(limiter, rule: "partner", key: .host)
        let (response, body) = try await outgoing.send(request, cost: 3) { _ in (HTTPResponse(status: .ok), "hello") }
        #expect(response.status == .ok && body == "hello")
        #expect(limiter.asked.withLock { $0 } == ["partner partner.example 3"])
    }

    @Test func aRefusedCallIsNotMade() async throws {
        let limiter = StandIn(.limited(by: "partner", limit: 10, retryAfter: .seconds(2)))
        let outgoing = OutgoingLimiter(limiter, rule: "partner", key: .shared("k"))
        do {
            _ = try await outgoing.send(request) { _ -> (HTTPResponse, Int) in
                Issue.record("the call was made")
                return (HTTPResponse(status: .ok), 0)
            }
        } catch { #expect((error as? OutgoingLimiter.Refused)?.retryAfter == .seconds(2)) }
    }

    @Test func theOtherSidesWordHolds() async throws {
        let limiter = StandIn(.allowed(by: "partner", limit: 10, remaining: 9))
        let outgoing = OutgoingLimiter(limiter, rule: "partner", key: .host, patience: .seconds(1))
        func call(_ status: HTTPResponse.Status, _ after: String?) async throws {
            _ = try await outgoing.send(request) { _ in
                var response = HTTPResponse(status: status)
                if let after { response.headerFields[.retryAfter] = after }
                return (response, ())
            }
        }
        // Without a word there is no pause.
        try await call(.tooManyRequests, nil)
        try await call(.tooManyRequests, "600")
        let asked = limiter.asked.withLock { $0.count }
        do {
            try await call(.ok, nil)
            Issue.record("the call was made")
        } catch {
            let refused = try #require(error as? OutgoingLimiter.Refused)
            #expect(refused.decision == nil && refused.retryAfter! > .seconds(500))
        }
        // Nothing was charged for it.
        #expect(limiter.asked.withLock { $0.count } == asked)
    }
}

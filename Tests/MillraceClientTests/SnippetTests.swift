import Logging
import MillraceClient
import ServiceLifecycle
import UnixSignals

// The snippets of the documentation, as a compiler sees them; nothing here is run.

private struct TooManyRequests: Error { var retryAfter: Duration? }
private struct Answer { var tokens: Int }
private struct Model { func complete(_ prompt: String, mostTokens: Int) async throws -> Answer { Answer(tokens: 1) } }

private func theClass(logger: Logger, server: some Service) async throws {
    let client = try MillraceClient(.init(nodes: .list(["127.0.0.1:7101", "127.0.0.1:7102", "127.0.0.1:7103"])))
    let group = ServiceGroup(services: [client, server], gracefulShutdownSignals: [.sigterm], logger: logger)
    let decision = try await client.tryAcquire("api", key: "user:42")
    _ = (group, decision)
}

private func decisions(_ client: MillraceClient) async throws {
    let decision = try await client.tryAcquire("api", key: "user:42")
    guard decision.isAllowed else { throw TooManyRequests(retryAfter: decision.retryAfter) }
}

private func configurations() throws {
    let configuration = MillraceClient.Configuration(nodes: .list(["10.0.0.1:7101", "10.0.0.2:7101"]))
    _ = MillraceClient.Configuration(nodes: .dns(name: "millrace.internal", port: 7101))
    _ = MillraceClient.Configuration(nodes: .file("/etc/millrace/nodes"))
    _ = configuration
}

private func now(_ client: MillraceClient) throws -> Bool? {
    if let decision = try client.tryAcquireNow("api", key: "user:42") { return decision.isAllowed }
    return nil
}

private func outcomes(_ client: MillraceClient, user: String) async throws -> String? {
    let decision = try await client.tryAcquire("api", key: user, cost: 3)
    switch decision.outcome {
    case .allowed: break
    case .limited: return "\(decision.retryAfter ?? .seconds(1))"
    case .unavailable: break  // the rule said deny, and the cluster is away: this caller lets it pass
    }
    return nil
}

private func turns(_ client: MillraceClient) async throws {
    let decision = try await client.acquire("partner-api", key: "global", within: .seconds(2))
    let left = try await client.peek("api", key: "user:42").remaining
    _ = (decision, left)
}

private func buckets(_ client: MillraceClient, jobs: [Int]) async throws {
    var bucket = client.bucket("partner-api", key: "global")
    for _ in jobs {
        guard try await bucket.tryAcquire().isAllowed else { break }
    }
    _ = try await bucket.acquire(within: .seconds(1))
    _ = try await bucket.peek()
}

private func permits(_ client: MillraceClient, user: String, tenant: String) async throws {
    let decision = try await client.acquireAll([
        .init("per-user", key: user), .init("per-tenant", key: tenant), .init("model-tokens", key: tenant, cost: 500),
    ])
    _ = decision
}

private func reservations(_ client: MillraceClient, _ model: Model, tenant: String, prompt: String) async throws {
    switch try await client.reserve("model-tokens", key: tenant, cost: 4_000, for: .seconds(60)) {
    case .refused(let decision):
        throw TooManyRequests(retryAfter: decision.retryAfter)
    case .reserved(let reservation):
        let answer = try await model.complete(prompt, mostTokens: 4_000)
        try reservation.commit(answer.tokens)
    }
}

private struct Never: RateLimiting {
    func tryAcquire(_ rule: String, key: String, cost: Int) async throws -> MillraceClient.Decision {
        .limited(by: rule, limit: 10, retryAfter: .seconds(1))
    }
    func acquire(
        _ rule: String, key: String, cost: Int, within time: Duration
    ) async throws -> MillraceClient.Decision { try await tryAcquire(rule, key: key, cost: cost) }
}

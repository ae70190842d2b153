import MillraceClient
import MillraceThrottled

// The snippets of the documentation, as a compiler sees them; nothing here is run.

private struct Email: Sendable {}
private struct User: Sendable {}
private struct Partner { func call() async throws -> String { "" } }
private struct Directory: Sendable { func users(_ ids: [Int]) async throws -> [User] { ids.map { _ in User() } } }

private func again(_ client: MillraceClient, _ partner: Partner, _ decision: MillraceClient.Decision) async throws {
    var generator = SystemRandomNumberGenerator()
    let pause = Backoff().delay(attempt: 2, retryAfter: decision.retryAfter, using: &generator)
    let budget = RetryBudget(ratio: 0.1)
    let answer = try await retrying(budget: budget) { _ -> Attempt<String> in
        let decision = try await client.tryAcquire("partner-api", key: "global")
        guard decision.isAllowed else { return .again(after: decision.retryAfter) }
        return .done(try await partner.call())
    }
    let allowed = try await client.tryAcquire("partner-api", key: "global", retrying: Backoff(), budget: budget)
    let page = try await client.limited("renders", key: "ann") {
        "fresh"
    } fallback: { decision in
        "stale: \(decision)"
    }
    _ = (pause, answer, allowed, page)
}

private func later(_ client: MillraceClient, _ email: Email) async throws {
    let later = ReplayQueue<Email>(capacity: 10_000, whenFull: .refuse)
    try later.put(email)
    for await email in later {
        _ = try await client.tryAcquire(
            "mail", key: "all", retrying: Backoff(), limits: .init(attempts: 1_000, time: .seconds(3600)))
        _ = email
    }
}

private func together(_ client: MillraceClient, _ directory: Directory, _ id: Int) async throws -> User {
    let batcher = Batcher<Int, User>(most: 100, within: .milliseconds(5)) { ids in
        _ = try await client.acquire("directory", key: "all", within: .seconds(1))
        return try await directory.users(ids)
    }
    return try await batcher.ask(id)
}

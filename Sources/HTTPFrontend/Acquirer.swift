import HTTPTypes
import HummingbirdCore
import LimiterCore
import NIOCore
import RuleFiles

/// Answers `POST /v1/acquire`: from the table where that is possible, else through the node's runtime.
struct Acquirer: Sendable {
    let path: DecisionPath
    let handler: any PendingRequestHandler
    let pending: PendingDecisions
    let turn: Turn
    let hasLegacyHeaders: Bool

    /// The longest `waitMs`, in nanoseconds; a longer one is taken as this.
    static let longestWait: Int64 = 3_600_000_000_000
    /// How many rules are looked at for a name like an unknown one.
    static let mostNearCandidates = 256

    /// A request as far as it can be settled without waiting.
    enum Step {
        case decided(Decision, DecisionAnswer)
        case undecided(Bucket, key: [UInt8], cost: Int64, DecisionAnswer)
    }

    /// The answer to a request with this body; throws `Problem` or, if the client has gone, `CancellationError`.
    func respond(_ body: ByteBuffer, client channel: any Channel) async throws -> Response {
        switch try step(body) {
        case .decided(let decision, let answer):
            return answer.response(decision)
        case .undecided(let bucket, let key, let cost, let answer):
            let decision = await pending.decide(
                bucket, key: key, cost: cost, longestWait: bucket.longestWait, by: handler)
            return try await finish(decision, answer, client: channel)
        }
    }

    /// Everything up to the table's verdict, in one piece without suspension.
    func step(_ body: ByteBuffer) throws(Problem) -> Step {
        let bytes = body.readableBytesUInt8Span
        let request: AcquireBody
        do {
            request = try AcquireScanner.scan(bytes)
        } catch {
            throw Acquirer.problem(error)
        }
        guard (1...Rule.longestKey).contains(request.key.byteCount) else {
            throw .malformed(
                "the key has \(request.key.byteCount) bytes", remedy: "use a key of 1 to \(Rule.longestKey) bytes")
        }
        guard let directory = path.directory else {
            throw Acquirer.problem(.starting)
        }
        guard var bucket = Acquirer.bucket(request, in: bytes, directory) else {
            let name = request.rule.string(in: bytes)
            throw .unknownRule(name, near: Acquirer.near(name, in: directory))
        }
        guard bucket.limit.time(of: request.cost) != nil else {
            throw Problem(
                status: .unprocessableContent, name: "cost-above-burst", title: "The request can never pass",
                detail: "a cost of \(request.cost) is above the burst of \(bucket.limit.burst) tokens",
                remedy: "ask for less at a time, or raise the rule's burst")
        }
        if let waitMs = request.waitMs {
            // The caller's own word on waiting replaces the rule's.
            bucket.longestWait = min(waitMs, Acquirer.longestWait / 1_000_000) * 1_000_000
        }
        let answer = DecisionAnswer(
            rule: directory.ruleName(of: bucket) ?? RuleDirectory.adHocName, limit: bucket.limit,
            hasLegacyHeaders: hasLegacyHeaders)
        // The clock is read now, after the whole request was: this is the instant at which it is admitted.
        let now = path.clock()
        if request.cost > 0, let decision = path.decide(bucket, cost: request.cost, drift: directory.drift, now: now) {
            return .decided(decision, answer)
        }
        return .undecided(bucket, key: request.key.bytes(in: bytes), cost: request.cost, answer)
    }

    private static func bucket(
        _ request: borrowing AcquireBody, in bytes: Span<UInt8>, _ directory: RuleDirectory
    ) -> Bucket? {
        // The usual request has no escapes, and is hashed where it stands.
        if request.rule.unescaped == nil, request.key.unescaped == nil {
            return directory.bucket(
                rule: bytes.extracting(request.rule.range).bytes, key: bytes.extracting(request.key.range).bytes)
        }
        let rule = request.rule.bytes(in: bytes)
        let key = request.key.bytes(in: bytes)
        return directory.bucket(rule: rule.span.bytes, key: key.span.bytes)
    }

    /// Turns the runtime's decision into an answer, waiting for the request's turn if it got one.
    private func finish(_ decision: Decision, _ answer: DecisionAnswer, client channel: any Channel) async throws
        -> Response
    {
        if decision.outcome == .unavailable { throw Acquirer.problem(decision.cause) }
        guard decision.isAllowed, decision.dueIn > 0 else { return answer.response(decision) }
        switch await turn.wait(decision.dueIn, client: channel) {
        case .come: return answer.response(decision, waited: decision.dueIn)
        case .clientGone: throw CancellationError()
        case .serverStopping:
            throw Problem.unavailable("the node is stopping", remedy: "send the request to another node")
        }
    }

    // MARK: Problems

    private static func problem(_ error: ScanError) -> Problem {
        if error.isUnsupported {
            return Problem(
                status: .badRequest, name: "unsupported", title: "This version cannot do that",
                detail: "body, byte \(error.offset): \(error.message)", remedy: "send one request for each permit")
        }
        return .malformed(
            "body, byte \(error.offset): \(error.message)",
            remedy: "send JSON such as {\"rule\":\"api\",\"key\":\"user:42\",\"cost\":1}")
    }

    static func problem(_ cause: Decision.Cause) -> Problem {
        switch cause {
        case .isolated:
            .unavailable(
                "this node cannot reach the owner of the key",
                remedy:
                    "send the request to another node, or wait for a new owner; GET /v1/cluster shows who is reachable")
        case .timeout, .none:
            .unavailable("no decision came in time; the tokens may have been spent", remedy: "try again")
        case .overloaded:
            .unavailable("too many requests are waiting at this node", remedy: "try again later, or at another node")
        case .starting:
            .unavailable("the cluster is still forming", remedy: "wait until GET /readyz answers 200")
        }
    }

    /// Names like the one that does not exist. Looks at a bounded number of rules, since anybody can ask for any name.
    private static func near(_ name: String, in directory: RuleDirectory) -> [String] {
        let names = directory.rules.lazy.map(\.rule.name)
        let first = name.utf8.first
        let candidates =
            directory.rules.count <= mostNearCandidates
            ? Array(names) : Array(names.filter { $0.utf8.first == first }.prefix(mostNearCandidates))
        return NearestName.near(name, among: candidates, limit: 5)
    }
}

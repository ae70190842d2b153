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
        /// Several at once.
        case permits([Wish])
    }

    /// One of several permits, or what is to be reserved.
    struct Wish {
        var bucket: Bucket
        var key: [UInt8]
        var cost: Int64
        var drift: DriftBound
        var answer: DecisionAnswer
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
        case .permits(let wishes):
            return try await gather(wishes)
        }
    }

    /// All of them or none.
    private func gather(_ wishes: [Wish]) async throws -> Response {
        var gathering = Gathering(count: wishes.count)
        var missing: [Int] = []
        let drift = wishes[0].drift
        for (i, wish) in wishes.enumerated() {
            if let (held, decision) = path.hold(wish.bucket, cost: wish.cost, drift: drift, now: path.clock()) {
                gathering.add(i, decision, held)
            } else {
                missing.append(i)
            }
        }
        await withTaskGroup(of: (Int, Decision, HeldTokens?).self) { group in
            for i in missing {
                let wish = wishes[i]
                let (pending, handler) = (pending, handler)
                group.addTask {
                    let (decision, held) = await pending.gather(
                        wish.bucket, key: wish.key, cost: wish.cost, by: handler)
                    return (i, decision, held)
                }
            }
            for await (i, decision, held) in group { gathering.add(i, decision, held) }
        }
        let (index, decision) = gathering.settle(on: path, drift: drift, now: path.clock())
        if decision.outcome == .unavailable { throw Acquirer.problem(decision.cause) }
        return wishes[index].answer.response(decision, rule: wishes[index].answer.rule)
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
        guard request.permits.isEmpty else {
            return .permits(
                try request.permits.map { permit throws(Problem) in
                    try wish(permit, priority: request.priority, in: bytes)
                })
        }
        if request.ttlMs != nil {
            throw .malformed("'ttlMs' is for reservations", remedy: "POST it to \(Router.reservePath)")
        }
        var (bucket, directory, answer) = try resolve(request, priority: request.priority, in: bytes)
        if let waitMs = request.waitMs, bucket.mayWait {
            // The caller's own word on waiting replaces the rule's.
            bucket.longestWait = min(waitMs, Acquirer.longestWait / 1_000_000) * 1_000_000
        }
        // The clock is read now, after the whole request was: this is the instant at which it is admitted.
        let now = path.clock()
        if request.cost > 0, let decision = path.decide(bucket, cost: request.cost, drift: directory.drift, now: now) {
            return .decided(decision, answer)
        }
        return .undecided(bucket, key: request.key.bytes(in: bytes), cost: request.cost, answer)
    }

    /// One permit, looked at before any is asked for: what can never pass must cost nothing.
    func wish(
        _ request: borrowing AcquireBody, priority: Priority, in bytes: Span<UInt8>
    ) throws(Problem) -> Wish {
        let (bucket, directory, answer) = try resolve(request, priority: priority, in: bytes)
        return Wish(
            bucket: bucket, key: request.key.bytes(in: bytes), cost: request.cost, drift: directory.drift,
            answer: answer)
    }

    /// The request's bucket; throws what is wrong with it.
    private func resolve(
        _ request: borrowing AcquireBody, priority: Priority, in bytes: Span<UInt8>
    ) throws(Problem) -> (Bucket, RuleDirectory, DecisionAnswer) {
        guard (1...Rule.longestKey).contains(request.key.byteCount) else {
            throw .malformed(
                "the key has \(request.key.byteCount) bytes", remedy: "use a key of 1 to \(Rule.longestKey) bytes")
        }
        guard let directory = path.directory else {
            throw Acquirer.problem(.starting)
        }
        guard let bucket = Acquirer.bucket(request, in: bytes, directory)?.with(priority) else {
            let name = request.rule.string(in: bytes)
            throw .unknownRule(name, near: Acquirer.near(name, in: directory))
        }
        guard bucket.limit.time(of: request.cost) != nil else {
            throw Problem(
                status: .unprocessableContent, name: "cost-above-burst", title: "The request can never pass",
                detail: "a cost of \(request.cost) is above the burst of \(bucket.limit.burst) tokens"
                    + (bucket.isPartlyClosed ? " that are open to requests of normal priority" : ""),
                remedy: "ask for less at a time, or raise the rule's burst")
        }
        let answer = DecisionAnswer(
            rule: directory.ruleName(of: bucket) ?? RuleDirectory.adHocName, limit: bucket.limit,
            hasLegacyHeaders: hasLegacyHeaders)
        return (bucket, directory, answer)
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

    static func problem(_ error: ScanError) -> Problem {
        .malformed(
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

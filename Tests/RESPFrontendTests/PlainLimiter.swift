import LimiterCore
import Synchronization

/// A clock that tests set.
final class TestClock: Sendable {
    private let now = Atomic<Int64>(1_000_000_000_000)

    var read: @Sendable () -> ClockTime { { ClockTime(ns: self.now.load(ordering: .relaxed)) } }

    func advance(seconds: Double) { now.add(Int64((seconds * 1e9).rounded()), ordering: .relaxed) }
}

/// Stands in for the runtime: one `tat` per bucket, as the textbook has it. It decides at once or keeps requests
/// until it is told.
final class PlainLimiter: PendingRequestHandler {
    private struct State {
        var tats: [BucketID: Int64] = [:]
        var isHolding = false
        var held: [(request: PendingRequest, sink: any DecisionSink)] = []
        var batches: [Int] = []
    }

    private let state = Mutex(State())
    private let clock: TestClock

    init(clock: TestClock) { self.clock = clock }

    /// Whether requests are kept.
    var isHolding: Bool {
        get { state.withLock { $0.isHolding } }
        set { state.withLock { $0.isHolding = newValue } }
    }

    var heldCount: Int { state.withLock { $0.held.count } }

    /// The sizes of the batches that came in.
    var batches: [Int] { state.withLock { $0.batches } }

    func submit(_ requests: [PendingRequest], to sink: any DecisionSink) {
        let decisions: [(token: UInt64, decision: Decision)] = state.withLock { state in
            state.batches.append(requests.count)
            if state.isHolding {
                state.held += requests.map { ($0, sink) }
                return []
            }
            return requests.map { ($0.token, decide($0, &state)) }
        }
        if !decisions.isEmpty { sink.deliver(decisions) }
    }

    /// What a bucket says to a request, by the definition.
    func decide(_ request: PendingRequest) -> Decision { state.withLock { decide(request, &$0) } }

    private func decide(_ request: PendingRequest, _ state: inout State) -> Decision {
        let now = clock.read().ns
        let limit = request.bucket.limit
        let tat = max(now, state.tats[request.bucket.id] ?? now)
        let after = tat + (limit.time(of: request.cost) ?? 0)
        // A look never is refused.
        let isAllowed = request.cost == 0 || after <= now + limit.tolerance + request.longestWait
        if isAllowed { state.tats[request.bucket.id] = after }
        var decision = Decision.settled(
            allowed: isAllowed, limit: limit, tat: AxisTime(ns: isAllowed ? after : tat), cost: request.cost,
            at: AxisTime(ns: now))
        if isAllowed { decision.dueIn = max(0, after - limit.tolerance - now) }
        return decision
    }

    /// Takes the requests that are held, in the order in which they came.
    func takeHeld() -> [(request: PendingRequest, sink: any DecisionSink)] {
        state.withLock { state in
            defer { state.held = [] }
            return state.held
        }
    }

    /// Decides what is held, in the order given by `order` or as it came, each delivered on its own.
    func release(_ order: (Int) -> [Int] = { Array(0..<$0) }) {
        let held = takeHeld()
        for i in order(held.count) { held[i].sink.deliver([(held[i].request.token, decide(held[i].request))]) }
    }
}

/// A path with a few rules, for tests.
struct TestNode {
    let clock = TestClock()
    let path: DecisionPath
    let limiter: PlainLimiter
    let directory: RuleDirectory

    static let drift = DriftBound(partsPerBillion: 500_000)

    init(isFormed: Bool = true) throws {
        path = DecisionPath(capacity: 1000, shards: 4, clock: clock.read)
        limiter = PlainLimiter(clock: clock)
        let second: Int64 = 1_000_000_000
        let rules = [
            try Rule(name: "api", limit: Limit(tokens: 10, per: second, burst: 20)),
            try Rule(name: "slow", limit: Limit(tokens: 20, per: second, burst: 1), onLimit: .delay(second)),
            try Rule(
                name: "vip", limit: Limit(tokens: 1, per: second, burst: 1),
                overrides: [.init(key: "boss", limit: Limit(tokens: 100, per: second, burst: 100))]),
        ]
        directory = RuleDirectory(
            rules: rules.map { VersionedRule(rule: $0, version: 1) }, hash: KeyedHash(secret: (1, 2)), drift: Self.drift
        )
        if isFormed { path.setDirectory(directory) }
    }

    /// Puts an allowance for a caller's own limit into the table.
    func lend(key: String, limit: Limit, tokens: Int64) {
        let key = Array(key.utf8)
        let bucket = directory.bucket(limit: limit, key: key.span.bytes)
        let scaled = Self.drift.longest(clock.read().ns)
        let start = AxisTime(ns: scaled)
        let end = start + limit.emissionInterval * tokens
        let isInstalled = path.withTable(for: bucket.id) {
            $0.install(bucket.id, span: (start, end), tat: end, base: 0, tag: 1, scaled: scaled)
        }
        precondition(isInstalled)
    }
}

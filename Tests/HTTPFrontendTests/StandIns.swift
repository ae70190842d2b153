import HTTPFrontend
import LimiterCore
import Synchronization

/// A clock that stands still until it is moved.
final class ManualClock: Sendable {
    private let ns = Mutex<Int64>(1_000_000_000_000)

    var now: ClockTime { ClockTime(ns: ns.withLock { $0 }) }

    func advance(_ by: Int64) { ns.withLock { $0 += by } }
}

/// Decides as one ideal bucket for each identity would: plain GCRA, in this process, on the manual clock.
final class PlainHandler: PendingRequestHandler {
    private struct State {
        var tats: [BucketID: Int64] = [:]
        var answer: Decision.Cause?
        var isHolding = false
        var held: [@Sendable () -> Void] = []
        var submitted: [PendingRequest] = []
    }

    private let clock: ManualClock
    private let state = Mutex(State())

    init(clock: ManualClock) { self.clock = clock }

    /// From now on nothing can be decided, for this reason; nil for "decide again".
    func fail(_ cause: Decision.Cause?) { state.withLock { $0.answer = cause } }

    /// From now on decisions are kept back until ``release()``.
    func hold() { state.withLock { $0.isHolding = true } }

    /// Delivers what was kept back.
    func release() {
        let held = state.withLock { state in
            state.isHolding = false
            defer { state.held = [] }
            return state.held
        }
        for deliver in held { deliver() }
    }

    /// What was submitted so far.
    var submitted: [PendingRequest] { state.withLock { $0.submitted } }

    func submit(_ requests: [PendingRequest], to sink: any DecisionSink) {
        let isHolding = state.withLock { state in
            state.submitted += requests
            let decisions = requests.map { (token: $0.token, decision: decide($0, &state)) }
            let pieces = zip(requests, decisions).compactMap { request, decided in piece(request, decided.decision) }
            let deliver: @Sendable () -> Void = {
                if !pieces.isEmpty { sink.deliver(pieces: pieces) }
                sink.deliver(decisions)
            }
            if state.isHolding { state.held.append(deliver) }
            return (state.isHolding, deliver)
        }
        if !isHolding.0 { isHolding.1() }
    }

    /// Where an admitted request's tokens lie, on an axis that is the clock itself.
    private func piece(_ request: PendingRequest, _ decision: Decision) -> (token: UInt64, piece: Piece)? {
        guard request.gathers, decision.isAllowed, request.cost > 0 else { return nil }
        let (now, drift) = (clock.now, DriftBound(partsPerBillion: 500_000))
        let end = AxisTime(ns: now.ns + decision.resetAfter)
        return (
            request.token,
            Piece(
                start: end - request.bucket.limit.time(of: request.cost)!, end: end,
                base: now.ns - drift.longest(now.ns),
                tag: 0, generation: 0)
        )
    }

    private func decide(_ request: PendingRequest, _ state: inout State) -> Decision {
        let limit = request.bucket.limit
        if let cause = state.answer { return .unavailable(cause, limit: limit.burst) }
        let now = clock.now.ns
        let tat = max(state.tats[request.bucket.id] ?? now, now)
        let time = limit.time(of: request.cost)!
        let wait = max(0, tat + time - limit.tolerance - now)
        let isAllowed = wait <= request.longestWait
        if isAllowed { state.tats[request.bucket.id] = tat + time }
        var decision = Decision.settled(
            allowed: isAllowed, limit: limit, tat: AxisTime(ns: isAllowed ? tat + time : tat), cost: request.cost,
            at: AxisTime(ns: now))
        if isAllowed { decision.dueIn = wait }
        if !isAllowed, request.bucket.shadow {
            decision.outcome = .allowed
            decision.isShadowed = true
        }
        return decision
    }
}

/// A node's control with everything in memory.
final class PlainControl: NodeControl {
    struct State {
        var readiness = Readiness.ready
        var rules: [VersionedRule] = []
        var index: UInt64 = 10
        var failure: ControlError?
    }

    let state = Mutex(State())
    private let path: DecisionPath

    init(path: DecisionPath) {
        self.path = path
        publish([])
    }

    private func publish(_ rules: [VersionedRule]) {
        path.setDirectory(
            RuleDirectory(
                rules: rules, hash: KeyedHash(secret: (1, 2)), drift: DriftBound(partsPerBillion: 500_000)))
    }

    var isReady: Readiness { state.withLock { $0.readiness } }

    func clusterStatus() async -> ClusterStatus {
        ClusterStatus(
            node: 1, leader: nil, term: 5,
            members: [.init(id: 1, address: "127.0.0.1:7101", role: "follower", reachable: true)],
            ranges: [.init(id: 0, owner: 1, epoch: 3), .init(id: 1, owner: nil, epoch: 4)], commitIndex: 17,
            clusterTimeMs: 42, incarnation: 2, version: "0.1.0", health: "no leader \"yet\"")
    }

    func rules() async -> [VersionedRule] { state.withLock { $0.rules } }

    func apply(_ rules: [Rule]) async throws(ControlError) -> UInt64 {
        let result: Result<(UInt64, [VersionedRule]), ControlError> = state.withLock { state in
            if let failure = state.failure { return .failure(failure) }
            state.index += 1
            for rule in rules {
                state.rules.removeAll { $0.rule.name == rule.name }
                state.rules.append(VersionedRule(rule: rule, version: state.index))
            }
            return .success((state.index, state.rules))
        }
        let (index, all) = try result.get()
        publish(all)
        return index
    }

    func delete(rule name: String) async throws(ControlError) -> Bool {
        let result: Result<(Bool, [VersionedRule]), ControlError> = state.withLock { state in
            if let failure = state.failure { return .failure(failure) }
            let count = state.rules.count
            state.rules.removeAll { $0.rule.name == name }
            return .success((state.rules.count < count, state.rules))
        }
        let (wasThere, all) = try result.get()
        publish(all)
        return wasThere
    }

    func hotKeys(rule: String?, top: Int) async -> [HotKey] {
        [
            HotKey(
                key: "user:\"1\"", rule: rule ?? "any", tokens: 3, limit: 5, holders: top, admittedPerSecond: 1.5,
                refusedPerSecond: .infinity)
        ]
    }

    func metricsText() async -> String { "# HELP millrace_up Whether the node runs.\nmillrace_up 1\n" }
}

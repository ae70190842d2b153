/// Several permits, all or nothing: what each of them got, and what follows from that.
///
/// First each is gathered, from an allowance or from its owner; once all have answered either all are spent or all are put back among
/// the gatherer's own allowances. Nothing is charged for a refusal but what expires while it is held.
public struct Gathering: Sendable {
    private var decisions: [Decision?]
    private var held: [HeldTokens] = []

    public init(count: Int) {
        precondition(count > 0, "nothing to gather")
        decisions = Array(repeating: nil, count: count)
    }

    /// The `index`-th permit was decided; `tokens` is what was gathered for it, if anything.
    public mutating func add(_ index: Int, _ decision: Decision, _ tokens: HeldTokens?) {
        precondition(decisions[index] == nil, "permit \(index) was decided twice")
        decisions[index] = decision
        if let tokens { held.append(tokens) }
    }

    /// Whether all have been decided.
    public var isComplete: Bool { !decisions.contains { $0 == nil } }

    /// Whether it is already clear that not all pass.
    public var isRefused: Bool { decisions.contains { $0.map { !$0.isAllowed } ?? false } }

    /// Spends or puts back all that was gathered, and returns the permit that decided with its decision: of those that stood in the way
    /// the one that does so for the longest time, else the one with the least left of its bucket.
    public func settle(on path: DecisionPath, drift: DriftBound, now: ClockTime) -> (index: Int, decision: Decision) {
        let isAllowed = !isRefused
        for tokens in held { path.settle(tokens, used: isAllowed ? tokens.cost : 0, drift: drift, now: now) }
        var chosen: (index: Int, decision: Decision)?
        for (i, decision) in decisions.enumerated() {
            guard let decision else { continue }
            if isAllowed {
                if chosen == nil || Gathering.isScarcer(decision, chosen!.decision) { chosen = (i, decision) }
            } else if !decision.isAllowed {
                if chosen == nil || Gathering.isWorse(decision, chosen!.decision) { chosen = (i, decision) }
            }
        }
        guard let chosen else { preconditionFailure("a gathering was settled before any permit was decided") }
        return chosen
    }

    /// Puts back all that was gathered: not all permits will be decided.
    public func giveUp(on path: DecisionPath, drift: DriftBound, now: ClockTime) {
        for tokens in held { path.settle(tokens, used: 0, drift: drift, now: now) }
    }

    private static func isScarcer(_ a: Decision, _ b: Decision) -> Bool {
        // remaining / limit, in whole numbers.
        let (x, y) = (
            a.remaining.multipliedFullWidth(by: max(1, b.limit)), b.remaining.multipliedFullWidth(by: max(1, a.limit))
        )
        return x.high != y.high ? x.high < y.high : x.low < y.low
    }

    private static func isWorse(_ a: Decision, _ b: Decision) -> Bool {
        // Nobody can tell is worse than a wait.
        if (a.outcome == .unavailable) != (b.outcome == .unavailable) { return a.outcome == .unavailable }
        return a.retryAfter > b.retryAfter
    }
}

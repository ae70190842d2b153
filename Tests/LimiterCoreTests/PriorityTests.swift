import LimiterCore
import Testing

/// A part of a bucket is kept for critical requests: what each kind of request sees of it.
@Suite("Priority")
struct PriorityTests {
    private static let second: Int64 = 1_000_000_000

    private func rule(_ burst: Int64, _ percent: Int, tokens: Int64 = 10) throws -> Rule {
        try Rule(
            name: "r", limit: Limit(tokens: tokens, per: Self.second, burst: burst), reserveForCritical: percent,
            overrides: [Rule.Override(key: "vip", limit: Limit(tokens: 100, per: Self.second, burst: 1_000))])
    }

    private func bucket(_ rule: Rule, _ key: String = "k") -> Bucket {
        RuleDirectory(
            rules: [VersionedRule(rule: rule, version: 3)], hash: KeyedHash(secret: (1, 2)),
            drift: DriftBound(partsPerBillion: 500_000)
        ).bucket(rule: Array("r".utf8).span.bytes, key: Array(key.utf8).span.bytes)!
    }

    @Test(
        "whole tokens, rounded up, never all of them",
        arguments: [
            (100, 0, 100), (100, 20, 80), (100, 99, 1), (3, 1, 2), (2, 99, 1), (2, 1, 1), (10, 95, 1), (7, 50, 3),
            (1_000_000_000, 99, 10_000_000),
        ] as [(burst: Int64, percent: Int, open: Int64)])
    func parts(burst: Int64, percent: Int, open: Int64) throws {
        let bucket = bucket(try rule(burst, percent))
        #expect(bucket.limit.burst == open)
        #expect(bucket.limit.tolerance + bucket.reserve == bucket.wholeLimit.tolerance)
        #expect(bucket.with(.critical).limit.burst == burst && bucket.wholeLimit.burst == burst)
        #expect(bucket.with(.critical).with(.normal).limit == bucket.limit)
        #expect(bucket.isPartlyClosed == (percent > 0) && bucket.mayWait == (percent == 0))
        #expect(bucket.with(.critical).mayWait)
    }

    @Test("coarse units stay whole: both limits hold what they say")
    func units() throws {
        let bucket = bucket(try rule(1_000_003, 20, tokens: 50_000_000))
        let unit = bucket.limit.unit
        #expect(unit == 5)
        #expect(bucket.with(.critical).limit.burst == 1_000_003)
        #expect(bucket.limit.time(of: 800_000 / unit * unit) != nil)
        #expect(bucket.reserve == bucket.limit.emissionInterval * 40_000)
    }

    @Test("an override keeps the same share of its own burst")
    func overrides() throws {
        let bucket = bucket(try rule(10, 20), "vip")
        #expect(bucket.limit.burst == 800 && bucket.with(.critical).limit.burst == 1_000)
    }

    @Test("the identity is the whole bucket's: both kinds of requests share it")
    func identity() throws {
        let bucket = bucket(try rule(100, 20))
        #expect(bucket.id == bucket.with(.critical).id)
        #expect(bucket.id.toleranceClass == self.bucket(try rule(100, 0)).id.toleranceClass)
    }

    @Test("what a rule may keep: 0 to 99 percent of what can be divided, and nobody waits")
    func errors() throws {
        #expect(throws: RuleError.self) { try rule(10, -1) }
        #expect(throws: RuleError.self) { try rule(10, 100) }
        #expect(throws: RuleError.self) { try rule(1, 20) }
        #expect(throws: Never.self) { try rule(1, 0) }
        #expect(throws: RuleError.self) {
            try Rule(
                name: "r", limit: Limit(tokens: 10, per: Self.second, burst: 10), onLimit: .delay(1),
                reserveForCritical: 1)
        }
    }

    @Test("the words for a priority")
    func names() {
        #expect(Priority(name: "critical") == .critical && Priority(name: "normal") == .normal)
        #expect(Priority(name: "Critical") == nil && Priority(name: "") == nil)
    }

    @Test("from an allowance both are decided alike; a sure refusal goes by each one's own limit")
    func fastPath() throws {
        let bucket = bucket(try rule(100, 20))
        let drift = DriftBound(partsPerBillion: 500_000)
        let path = DecisionPath(capacity: 64, shards: 1, clock: { ClockTime(ns: 0) })
        let now = ClockTime(ns: 1_000)
        let scaled = drift.longest(now.ns)
        let token = bucket.limit.emissionInterval
        // The bucket is down to 25 tokens, two of which are held here.
        let tat = AxisTime(ns: scaled + 75 * token)
        #expect(
            path.withTable(for: bucket.id) {
                $0.install(bucket.id, span: (tat + -2 * token, tat), tat: tat, base: 0, tag: 1, scaled: scaled)
            })
        func decide(_ priority: Priority, _ cost: Int64) -> Decision? {
            path.decide(bucket.with(priority), cost: cost, drift: drift, now: now)
        }
        #expect(decide(.normal, 1)?.isAllowed == true)
        #expect(decide(.critical, 1)?.isAllowed == true)
        #expect(decide(.normal, 5) == nil && decide(.critical, 25) == nil)
        #expect(decide(.normal, 6)?.outcome == .limited && decide(.critical, 26)?.outcome == .limited)
        let refused = try #require(decide(.normal, 6))
        #expect(refused.limit == 80 && refused.remaining == 5 && refused.retryAfter == token)
    }
}

import LimiterCore
import Testing
import Simulator

/// What redis-cell answers to the same calls, to the nanosecond (its `it_rate_limits`; burst 4, one token a second).
@Suite struct ConformanceTests {
    struct Step {
        var at: Double
        var cost: Int64
        var remaining: Int64
        var reset: Double
        var retry: Double = -1
        var isLimited = false
    }

    static let steps = [
        Step(at: 0, cost: 0, remaining: 5, reset: 0),  // a cost of 6 can never pass: the front door asks for 0
        Step(at: 0, cost: 1, remaining: 4, reset: 1), Step(at: 0, cost: 1, remaining: 3, reset: 2),
        Step(at: 0, cost: 1, remaining: 2, reset: 3), Step(at: 0, cost: 1, remaining: 1, reset: 4),
        Step(at: 0, cost: 1, remaining: 0, reset: 5),
        Step(at: 0, cost: 1, remaining: 0, reset: 5, retry: 1, isLimited: true),
        Step(at: 3, cost: 1, remaining: 2, reset: 3), Step(at: 3.1, cost: 1, remaining: 1, reset: 3.9),
        Step(at: 4, cost: 1, remaining: 1, reset: 4), Step(at: 8, cost: 1, remaining: 4, reset: 1),
        Step(at: 9.5, cost: 1, remaining: 4, reset: 1), Step(at: 9.5, cost: 0, remaining: 4, reset: 1),
        Step(at: 9.5, cost: 2, remaining: 2, reset: 3),
        Step(at: 9.5, cost: 5, remaining: 2, reset: 3, retry: 3, isLimited: true),
    ]

    @Test func answersAsRedisCellDoes() throws {
        let cluster = cluster(seed: 71, nodes: 1, []) {
            $0.drifts = false
            $0.delay = 0...0
            $0.syncTime = 0...0
        }
        cluster.keepsDecisions = true
        let bucket = try #require(cluster.bucket(0, limit: limit(1, burst: 5), key: "k"))
        let start = cluster.time
        for step in ConformanceTests.steps {
            cluster.run(until: start + Int64(step.at * 1e9))
            let number = try #require(cluster.request(0, bucket, key: "k", cost: step.cost))
            cluster.run(for: 0)
            let decision = try #require(cluster.decisions[number], "at \(step.at) s there was no decision")
            #expect(decision.limit == 5)
            #expect((decision.outcome == .limited) == step.isLimited, "at \(step.at) s")
            #expect(decision.remaining == step.remaining, "at \(step.at) s, cost \(step.cost)")
            #expect(decision.resetAfter == Int64(step.reset * 1e9), "at \(step.at) s, cost \(step.cost)")
            #expect(decision.retryAfter == (step.retry < 0 ? -1 : Int64(step.retry * 1e9)), "at \(step.at) s")
        }
    }
}

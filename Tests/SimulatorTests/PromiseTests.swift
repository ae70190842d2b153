import LimiterCore
import Testing

@testable import Simulator

/// The shadow bucket against a dumb twin that looks at every window.
@Suite struct PromiseTests {
    @Test func agreesWithEveryWindow() throws {
        var draws = Draws(seed: 7)
        var (broken, kept) = (0, 0)
        for _ in 0..<400 {
            let rho = [0, 500_000, 20_000_000][draws.below(3, .tests)]
            let tolerance: Int64 = 1_000
            let cluster = SimulatedCluster(seed: 1)
            let promise = Promise(rho: Int64(rho))
            let limit = try Limit(tokens: 1, per: 10, burst: 100)
            let bucket = Bucket(id: BucketID(high: 1, low: 1), range: RangeID(0), limit: limit)
            var admitted: [(time: Int64, span: Int64)] = []
            var time: Int64 = 0
            for _ in 0..<40 {
                time += draws.within(0...120, .tests)
                let span = draws.within(1...16, .tests) * 10
                admitted.append((time, span))
                cluster.run(until: max(cluster.time, time))
                promise.holderAdmitted(bucket, span, by: 0, cluster)
            }
            var worst = Int64.min
            for i in admitted.indices {
                for j in i..<admitted.count {
                    let sum = admitted[i...j].reduce(0) { $0 + $1.span }
                    let elapsed = Double(admitted[j].time - admitted[i].time) * (1 + Double(rho) / 1e9)
                    worst = max(worst, sum - tolerance - Int64(elapsed.rounded(.up)))
                }
            }
            // Two nanoseconds are the shadow's rounding.
            if worst > 4 { #expect(!promise.violations.isEmpty, "\(worst) ns too many were not seen") }
            if worst <= 0 {
                #expect(promise.violations.isEmpty, "\(promise.violations) although the worst window is \(worst)")
            }
            if worst > 4 { broken += 1 } else { kept += 1 }
        }
        #expect(broken > 40 && kept > 40, "\(broken) broken, \(kept) kept")
    }
}

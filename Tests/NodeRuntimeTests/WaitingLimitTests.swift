import Coordination
import LimiterCore
import NodeRuntime
import Testing
import Simulator

@Suite struct WaitingLimitTests {
    /// As many requests as may wait do wait; one more is told at once that it is too many.
    @Test func oneRequestTooManyIsToldSo() throws {
        let cluster = cluster(seed: 81, [try Rule(name: "r", limit: limit(100, burst: 50))])
        cluster.keepsDecisions = true
        let key = cluster.key("k", rule: "r", ownedBy: 1)
        let bucket = try #require(cluster.bucket(0, rule: "r", key: key))
        cluster.partition([[0], [1, 2]])
        let requests = (0..<Holder.mostWaiting).map {
            PendingRequest(bucket: bucket, key: Array(key.utf8), cost: 1, token: 1 << 40 + UInt64($0))
        }
        let waiting = cluster.act(0) { runtime, now in
            runtime.submit(requests, sink: 0, now: now)
            return runtime.view.waitingAtHolder
        }
        #expect(waiting == Holder.mostWaiting)
        let one = try #require(cluster.request(0, rule: "r", key: key))
        #expect(cluster.decisions[one]?.outcome == .unavailable)
        #expect(cluster.decisions[one]?.cause == .overloaded)
    }
}

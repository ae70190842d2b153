import Glibc
import Testing

extension IntegrationTests {
    @Suite(.timeLimit(.minutes(5)))
    struct ShutdownTests {
        @Test("A node that is asked to stop hands its keys over")
        func handover() throws {
            try ClusterHarness.run(nodes: 3) { cluster in
                let keys = try cluster.keys("key")
                var streams = keys.sorted { $0.key < $1.key }.map {
                    Stream(name: $0.value, tokens: 100, period: 1_000_000_000, burst: 100, perSecond: 60)
                }
                streams.append(.ping)
                let leaving = cluster.nodes[1]
                let staying: Set = [1, 3]
                // Clients of the leaving node go elsewhere when it says so; here only those of the others are watched.
                let load = LoadGenerator(streams, at: cluster.nodes.filter { staying.contains($0.id) })
                pause(seconds: 2)

                let asked = MachineClock.now()
                let end = cluster.terminate(leaving)
                let stopped = MachineClock.now()
                #expect(end == .exited(0), "\(end as Any)\n\(leaving.logTail)")
                pause(seconds: 3)
                let record = load.stop()

                let errors = record.outcomes.filter { $0.kind == .error }
                let lastError = errors.map { $0.sent - asked }.max() ?? 0
                print(
                    "  asked to stop: ended after \(milliseconds(stopped - asked)); \(errors.count) error answers in "
                        + "\(record.outcomes.count), the last \(milliseconds(lastError)) after it was asked; \(record.errors)"
                )
                for (i, stream) in streams.enumerated() where !stream.isPing {
                    let gap = record.longestPause(of: i, from: asked - 500_000_000, to: asked + 2_500_000_000)
                    print("  \(stream.name): longest pause \(milliseconds(gap))")
                    #expect(gap < generousPause)
                }
                #expect(lastError < 2_500_000_000)
                #expect(!leaving.logTail.contains("could not hand all ranges over"), "\(leaving.logTail)")
                try cluster.waitUntilWhole()
                #expect(try PromiseChecker.violations(cluster.admissions()).isEmpty)
                #expect(record.violations.isEmpty)

                // It is welcome again.
                try cluster.start(leaving)
                try cluster.waitUntilWhole()
                #expect(cluster.fallen.isEmpty)
            }
        }

        @Test("Handed over means exactly: a bucket goes on where it was")
        func exactHandover() throws {
            try ClusterHarness.run(nodes: 3) { cluster in
                // 100 tokens, one a day: whatever a handover gives or takes is seen. Asked for slowly, so that the owner lends nothing: what
                // a node holds of a range is void when the range gets a new owner.
                let key = try #require(try cluster.keys("exact")[2])
                let client = try cluster.nodes[0].client()
                var remaining: Int64 = 0
                for _ in 0..<10 {
                    let reply = try client.ask("CL.THROTTLE", key, "99", "1", "86400")
                    remaining = try #require(reply.integers, "\(reply)")[2]
                    pause(seconds: 0.15)
                }
                #expect(remaining == 90)
                #expect(cluster.terminate(cluster.nodes[1]) == .exited(0))
                try cluster.waitUntilWhole()
                let reply = try client.ask("CL.THROTTLE", key, "99", "1", "86400", "0")
                let after = try #require(reply.integers, "\(reply)")[2]
                #expect(after == remaining)
            }
        }
    }
}

import Glibc
import Testing

extension IntegrationTests {
    @Suite(.timeLimit(.minutes(5)))
    struct MajorityTests {
        @Test("Without a majority the rest denies and says why; with it, all is well again")
        func majority() throws {
            try ClusterHarness.run(nodes: 3) { cluster in
                let survivor = cluster.nodes[2]
                let asks = { try survivor.client().ask("CL.THROTTLE", "user:7", "99", "100", "1") }
                #expect(try asks().integers?.first == 0)

                for node in cluster.nodes.dropLast() { cluster.kill(node) }
                let lostAt = MachineClock.now()
                var reason = ""
                let denies = eventually(within: 30, every: 0.05) {
                    reason = (try? asks())?.errorText ?? ""
                    return reason.hasPrefix("CLUSTERDOWN")
                }
                #expect(denies, "\(reason)")
                print("  without a majority: denies after \(milliseconds(MachineClock.now() - lostAt)): \(reason)")
                #expect(reason.count > "CLUSTERDOWN ".count + 20, "it says why")
                // It stays so, for any key, and for HTTP.
                for i in 0..<5 {
                    let reply = try survivor.client(timeout: 20).ask("CL.THROTTLE", "other:\(i)", "99", "100", "1")
                    #expect(reply.errorText?.hasPrefix("CLUSTERDOWN") == true, "\(reply)")
                }
                let ready = try survivor.get("/readyz")
                #expect(ready.status == 503, "\(ready)")
                let detail = try #require(ready.json["detail"] as? String)
                print("  readyz: \(detail)")
                #expect(detail.count > 20)
                #expect(try survivor.get("/healthz").status == 200)
                let change = try HTTPCall.send(
                    "PUT", "/v1/rules/api", port: survivor.httpPort, body: #"{"rate":{"tokens":1,"per":"1s"}}"#,
                    timeout: 30)
                #expect(change.status == 503, "\(change)")
                let status = try Binary.run("status", "--http", "127.0.0.1:\(survivor.httpPort)")
                #expect(status.code == 1, "\(status)")

                for node in cluster.nodes.dropLast() { try cluster.start(node) }
                let returnedAt = MachineClock.now()
                try cluster.waitUntilWhole()
                let recovers = eventually(within: 10) { (try? asks())?.integers?.first == 0 }
                #expect(recovers)
                print("  with a majority again: grants after \(milliseconds(MachineClock.now() - returnedAt))")
                #expect(cluster.fallen.isEmpty)
                #expect(try PromiseChecker.violations(cluster.admissions()).isEmpty)
            }
        }

        @Test("A restart of everybody loses no rule and gives no spent quota back")
        func everybody() throws {
            try ClusterHarness.run(nodes: 3) { cluster in
                let rule = try HTTPCall.send(
                    "PUT", "/v1/rules/daily", port: cluster.nodes[1].httpPort,
                    body: #"{"rate":{"tokens":10,"per":"1d"},"burst":10}"#)
                #expect(rule.status == 200, "\(rule)")
                #expect(try eventually(within: 5) { try cluster.nodes[0].get("/v1/rules/daily").status == 200 })

                var spent = try spend(cluster)
                print(
                    "  before the restart: \(spent.throttled) of 3 a day by CL.THROTTLE, \(spent.byRule) of 10 a day by the rule"
                )
                #expect((1...3).contains(spent.throttled) && (8...10).contains(spent.byRule))

                for node in cluster.nodes { cluster.kill(node) }
                for node in cluster.nodes { try cluster.start(node) }
                try cluster.waitUntilWhole()
                for node in cluster.nodes {
                    let known = try node.get("/v1/rules/daily")
                    #expect(known.status == 200 && known.json["burst"] as? Int == 10, "\(known)")
                }
                let again = try spend(cluster)
                spent.throttled += again.throttled
                spent.byRule += again.byRule
                #expect(again.throttled == 0 && again.byRule == 0, "given back: \(again)")
                #expect(try PromiseChecker.violations(cluster.admissions()).isEmpty)
                #expect(cluster.fallen.isEmpty)
            }
        }

        /// Asks each node for more than there is.
        private func spend(_ cluster: ClusterHarness) throws -> (throttled: Int, byRule: Int) {
            var (throttled, byRule) = (0, 0)
            for i in 0..<18 {
                let client = try cluster.nodes[i % 3].client()
                let first = try client.ask("CL.THROTTLE", "slow", "2", "3", "86400")
                if try #require(first.integers, "\(first)")[0] == 0 { throttled += 1 }
                let second = try client.ask("MR.ACQUIRE", "daily", "user")
                if try #require(second.integers, "\(second)")[0] == 0 { byRule += 1 }
            }
            return (throttled, byRule)
        }
    }
}

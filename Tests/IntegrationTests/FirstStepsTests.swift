import Foundation
import Testing

extension IntegrationTests {
    /// What a new user tries, and what the command line answers.
    @Suite(.timeLimit(.minutes(5)))
    struct FirstStepsTests {
        @Test("One bucket is shared by all nodes, over RESP and HTTP")
        func oneBucket() throws {
            try ClusterHarness.run(nodes: 3) { cluster in
                // 16 tokens, hardly any comes back meanwhile; each node spends some, and together they get no more.
                var admitted = 0
                for i in 0..<30 {
                    let reply = try cluster.nodes[i % 3].client().ask("CL.THROTTLE", "user:1", "15", "1", "86400")
                    let numbers = try #require(reply.integers, "\(reply)")
                    #expect(numbers.count == 5 && numbers[1] == 16)
                    if numbers[0] == 0 { admitted += 1 }
                }
                #expect((13...16).contains(admitted), "\(admitted) of 16")

                try applyFindAndDelete(cluster)

                let status = try Binary.run("status", "--http", "127.0.0.1:\(cluster.nodes[1].httpPort)")
                #expect(status.code == 0, "\(status)")
                #expect(status.output.contains("node 2: ok") && status.output.contains("leader"))
                let json = try Binary.run("status", "--json", "--http", "127.0.0.1:\(cluster.nodes[1].httpPort)")
                let object = try JSONSerialization.jsonObject(with: Data(json.output.utf8)) as? [String: Any]
                #expect(object?["node"] as? Int == 2)
                #expect(try PromiseChecker.violations(cluster.admissions()).isEmpty)
                #expect(cluster.fallen.isEmpty)
            }
        }

        /// A rule's life: applied from a file at one node, used at the others, listed, and deleted.
        private func applyFindAndDelete(_ cluster: ClusterHarness) throws {
            let file = try cluster.folder.write(
                "rules.yaml",
                """
                rules:
                  - name: api
                    rate: {tokens: 2, per: 1h}
                    burst: 4
                """)
            let http = cluster.nodes.map { "127.0.0.1:\($0.httpPort)" }
            let applied = try Binary.run("rules", "apply", "-f", file, "--http", http[0])
            #expect(applied.code == 0, "\(applied)")
            #expect(applied.output.contains("api"))

            var statuses: [Int] = []
            for i in 0..<6 {
                let node = cluster.nodes[(i + 1) % 3]
                // Another node may hear of the rule a moment later.
                #expect(try eventually(within: 5) { try node.get("/v1/rules/api").status == 200 })
                let answer = try HTTPCall.send(
                    "POST", "/v1/acquire", port: node.httpPort, body: #"{"rule":"api","key":"user:42","cost":1}"#)
                statuses.append(answer.status)
                #expect(answer.json["allowed"] as? Bool == (answer.status == 200), "\(answer)")
                #expect(answer.json["limit"] as? Int == 4)
                #expect(answer.headers["ratelimit-policy"] != nil && answer.headers["ratelimit"] != nil, "\(answer)")
                if answer.status == 429 { #expect(answer.headers["retry-after"] != nil) }
            }
            let admitted = statuses.count { $0 == 200 }
            #expect((3...4).contains(admitted), "\(statuses)")
            #expect(statuses.allSatisfy { $0 == 200 || $0 == 429 })
            // The same bucket by RESP.
            let byRESP = try cluster.nodes[2].client().ask("MR.ACQUIRE", "api", "user:42")
            #expect(byRESP.integers?.first == 1, "\(byRESP)")
            let tooDear = try cluster.nodes[0].client().ask("MR.ACQUIRE", "api", "user:42", "5")
            #expect(tooDear.errorText?.contains("above the burst") == true, "\(tooDear)")
            let impossible = try HTTPCall.send(
                "POST", "/v1/acquire", port: cluster.nodes[0].httpPort,
                body: #"{"rule":"api","key":"user:42","cost":5}"#)
            #expect(impossible.status == 422, "\(impossible)")

            let list = try Binary.run("rules", "list", "--http", http[1])
            #expect(list.code == 0 && list.output.contains("api"), "\(list)")
            let get = try Binary.run("rules", "get", "api", "--http", http[2])
            let rule = try JSONSerialization.jsonObject(with: Data(get.output.utf8)) as? [String: Any]
            #expect(get.code == 0 && rule?["name"] as? String == "api" && rule?["burst"] as? Int == 4, "\(get)")
            let missing = try Binary.run("rules", "get", "apo", "--http", http[2])
            #expect(missing.code == 1 && missing.errors.contains("'api'"), "\(missing)")
            let deleted = try Binary.run("rules", "delete", "api", "--http", http[2])
            #expect(deleted.code == 0, "\(deleted)")
            #expect(try eventually(within: 5) { try cluster.nodes[0].get("/v1/rules/api").status == 404 })
            let again = try Binary.run("rules", "delete", "api", "--http", http[0])
            #expect(again.code == 1, "\(again)")
        }

        @Test("Help teaches, and the version is told")
        func help() throws {
            let help = try Binary.run("help")
            #expect(help.code == 0)
            for word in ["dev", "serve", "status", "rules", "check", "Exit codes"] {
                #expect(help.output.contains(word))
            }
            for command in ["dev", "serve", "status", "rules", "check"] {
                let result = try Binary.run(command, "--help")
                #expect(result.code == 0 && result.output.contains("USAGE"), "\(result)")
            }
            #expect(try Binary.run("--version").code == 0)
        }

        @Test("Wrong usage is told apart from what failed")
        func wrongUsage() throws {
            #expect(try Binary.run("frobnicate").code == 64)
            #expect(try Binary.run("serve", "--frobnicate").code == 64)
            #expect(try Binary.run("serve", "--node", "one").code == 64)
            #expect(try Binary.run("dev", "--nodes", "2").code == 64)
            // Nobody listens there.
            let port = try FreePorts.take(1)[0]
            let status = try Binary.run("status", "--http", "127.0.0.1:\(port)")
            #expect(status.code == 1 && status.errors.contains("no node answers"), "\(status)")
        }

        @Test("A good file passes the check, and a bad one names the line")
        func check() throws {
            let folder = try TemporaryFolder()
            let good = try folder.write("good.yaml", "rules:\n  - name: api\n    rate: {tokens: 100, per: 1s}\n")
            let result = try Binary.run("check", good)
            #expect(result.code == 0 && result.output.contains("api"), "\(result)")
            let json = try folder.write("good.json", #"{"rules":[{"name":"api","rate":{"tokens":1,"per":"1d"}}]}"#)
            #expect(try Binary.run("check", json).code == 0)
            let configuration = try folder.write(
                "node.yaml", "node: 1\ncluster: 1=127.0.0.1:7101\ndata: /tmp/x\nresp: 127.0.0.1:6381\n")
            #expect(try Binary.run("check", configuration).code == 0)

            let bad: [(text: String, mention: String)] = [
                ("rules:\n  - name: api\n    rate: {tokens: 0, per: 1s}\n", ":3"),
                ("rules:\n  - name: api\n    rate: {tokens: 1, per: 1s}\n    brust: 5\n", "burst"),
                (
                    "rules:\n  - name: api\n    rate: {tokens: 1, per: 1s}\n  - name: api\n    rate: {tokens: 1, per: 1s}\n",
                    "api"
                ),
                ("rules:\n  - name: api\n    rate: {tokens: 1, per: 100y}\n", ":3"),
                ("rules: [", "yaml"), ("rules:\n  - name: No Such Name\n    rate: {tokens: 1, per: 1s}\n", ":2"),
                ("node: 1\ncluster: 1=127.0.0.1:7101\ndatum: /tmp/x\n", "datum"),
            ]
            for (i, (text, mention)) in bad.enumerated() {
                let file = try folder.write("bad-\(i).yaml", text)
                let result = try Binary.run("check", file)
                #expect(result.code == 78, "\(text): \(result)")
                #expect(result.errors.contains(mention), "\(text): \(result)")
            }
            #expect(try Binary.run("check", folder.file("none.yaml")).code == 78)
        }
    }
}

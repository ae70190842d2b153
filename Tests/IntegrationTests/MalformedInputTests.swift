import Foundation
import Testing

extension IntegrationTests {
    /// Whatever a client sends, it gets an answer or a closed connection, and the node lives on.
    @Suite(.timeLimit(.minutes(5)))
    struct MalformedInputTests {
        @Test("Bad input is refused, and everybody still answers")
        func badInput() throws {
            try ClusterHarness.run(nodes: 3) { cluster in
                let node = cluster.nodes[0]
                try wrongCommands(node)
                try brokenProtocol(node)
                try randomBytes(cluster)
                try badHTTP(node)
                try badRules(node)
                // One conversation was open all the time: nobody else's mistakes are its business.
                for node in cluster.nodes {
                    #expect(try node.client().ask("PING") == .simple("PONG"))
                    #expect(try node.client().ask("CL.THROTTLE", "after", "9", "10", "60").integers?.count == 5)
                    #expect(try node.get("/readyz").status == 200)
                }
                #expect(cluster.fallen.isEmpty)
            }
        }

        /// Well-formed, but wrong: an error that says what, and the connection goes on.
        private func wrongCommands(_ node: ClusterHarness.Node) throws {
            let client = try node.client()
            let cases: [(words: [String], mention: String)] = [
                (["CL.THROTTLE", "key", "15", "30"], "Usage"), (["CL.THROTTLE"], "Usage"),
                (["CL.THROTTLE", "key", "15", "30", "60", "1", "1"], "Usage"),
                (["CL.THROTTLE", "key", "many", "30", "60"], "integer: many"),
                (["CL.THROTTLE", "key", "15", "30", "60", "1.5"], "integer: 1.5"),
                (["CL.THROTTLE", "key", "15", "99999999999999999999", "60"], "integer"),
                (["CL.THROTTLE", "key", "15", "0", "60"], "Zero rates"),
                (["CL.THROTTLE", "key", "15", "30", "0"], "Zero rates"),
                (["CL.THROTTLE", "key", "-2", "30", "60"], "0 or more"),
                (["CL.THROTTLE", "key", "15", "-1", "60"], "at least 1"),
                (["CL.THROTTLE", "key", "9223372036854775807", "1", "9223372036854775807"], "too large"),
                (["CL.THROTTLE", "key", "15", "30", "60", "-1"], "0 or more"),
                (["MR.ACQUIRE", "no-such-rule", "key"], "no such rule"), (["MR.ACQUIRE", "rule"], "wrong number"),
                (["NO.SUCH.COMMAND", "a", "b"], "unknown command"), (["HELLO", "9"], "NOPROTO"),
                (["SELECT", "1"], "out of range"),
                (["CL.THROTTLE", String(repeating: "k", count: 70_000), "15", "30", "60"], "bytes"),
            ]
            for (words, mention) in cases {
                let reply = try client.ask(words)
                let text = try #require(reply.errorText, "\(words.prefix(2)): \(reply)")
                #expect(text.contains(mention), "\(words): \(text)")
            }
            // Above the burst: limited, and for ever so.
            #expect(try client.ask("CL.THROTTLE", "dear", "15", "30", "60", "17").integers?[0] == 1)
            #expect(try client.ask("CL.THROTTLE", "dear", "15", "30", "60", "17").integers?[3] == -1)
            #expect(try client.ask("PING") == .simple("PONG"))
        }

        /// No commands at all: an error and the end of the connection, or just the end.
        private func brokenProtocol(_ node: ClusterHarness.Node) throws {
            let megabyte = String(repeating: "k", count: 1 << 20)
            let cases = [
                "*3\r\n$4\r\nPING\r\n:1\r\n", "*1\r\n$99999999999\r\n", "*1\r\n$-5\r\n", "*999999999\r\n", "*x\r\n",
                "*1\r\n$x\r\n",
                "*1\r\n$4\r\nPINGxx", "$4\r\nPING\r\n", "*-7\r\n", "*1\r\n$2147483648\r\n", "\u{0}\u{0}\u{0}\u{0}",
                "GET / HTTP/1.1\r\nHost: x\r\n\r\n",
                "*5\r\n$11\r\nCL.THROTTLE\r\n$1048576\r\n\(megabyte)\r\n$2\r\n15\r\n$2\r\n30\r\n$2\r\n60\r\n",
                megabyte + megabyte,
            ]
            for text in cases {
                let socket = try Socket(port: node.respPort)
                // The node may have closed before all of it was written; that is an answer, too.
                try? socket.write(Array(text.utf8))
                socket.finishWriting()
                let answer = (try? socket.readToEnd()) ?? []
                let first = String(decoding: answer.prefix(1), as: UTF8.self)
                #expect(
                    first == "-" || first == "+" || answer.isEmpty,
                    "\(text.prefix(60)): \(String(decoding: answer, as: UTF8.self))")
            }
            // Half frames, and then nothing.
            let frame = RESPClient.command(["CL.THROTTLE", "half", "15", "30", "60"])
            for end in stride(from: 1, to: frame.count, by: 5) {
                let socket = try Socket(port: node.respPort)
                try socket.write(Array(frame[..<end]))
            }
            // In two halves with time between, it is whole.
            let client = try node.client()
            try client.socket.write(Array(frame[..<17]))
            pause(seconds: 0.05)
            try client.socket.write(Array(frame[17...]))
            #expect(try client.reply().integers?.count == 5)
        }

        /// At all three doors, the peers' included.
        private func randomBytes(_ cluster: ClusterHarness) throws {
            for round in 0..<40 {
                let node = cluster.nodes[round % 3]
                for port in [node.respPort, node.httpPort, node.peerPort] {
                    let socket = try Socket(port: port, timeout: 2)
                    var bytes = (0..<Int.random(in: 1...5000)).map { _ in UInt8.random(in: .min ... .max) }
                    if round % 2 == 0 { bytes.insert(contentsOf: Array("*2\r\n$".utf8), at: 0) }
                    try? socket.write(bytes)
                    socket.finishWriting()
                    if round % 4 == 0 { _ = try? socket.readToEnd() }
                }
            }
        }

        private func badHTTP(_ node: ClusterHarness.Node) throws {
            let cases: [(body: String, status: Int)] = [
                ("", 400), ("{", 400), ("nonsense", 400), ("[]", 400), (#"{"rule":"api"}"#, 400),
                (#"{"rule":5,"key":"k"}"#, 400),
                (#"{"rule":"api","key":"k","cost":"x"}"#, 400), (#"{"rule":"api","key":"k","cost":-1}"#, 400),
                (#"{"rule":"api","key":"k","cost":1e99}"#, 400), (#"{"rule":"api","key":"k"}"#, 404),
                (#"{"rule":"api","key":"\#(String(repeating: "k", count: 1 << 20))"}"#, 413),
                (String(repeating: "[", count: 100_000), 400),
            ]
            for (body, status) in cases {
                let answer = try HTTPCall.send("POST", "/v1/acquire", port: node.httpPort, body: body)
                #expect(
                    answer.status == status || (status == 400 && answer.status == 413), "\(body.prefix(60)): \(answer)")
                #expect(answer.headers["content-type"] == "application/problem+json", "\(answer)")
                #expect(answer.json["title"] != nil && answer.json["detail"] != nil, "\(answer)")
            }
            #expect(try node.get("/v1/nothing").status == 404)
            #expect(try HTTPCall.send("GET", "/v1/acquire", port: node.httpPort).status == 405)
        }

        /// Absurd rules are refused whole; a good one in their company, too.
        private func badRules(_ node: ClusterHarness.Node) throws {
            let bad = [
                #"{"rate":{"tokens":0,"per":"1s"}}"#, #"{"rate":{"tokens":1,"per":"0s"}}"#,
                #"{"rate":{"tokens":1,"per":"500y"}}"#,
                #"{"rate":{"tokens":1,"per":"1s"},"burst":-1}"#, #"{"rate":{"tokens":1,"per":"1s"},"unknown":1}"#, "{}",
                "{",
            ]
            for body in bad {
                let answer = try HTTPCall.send("PUT", "/v1/rules/bad", port: node.httpPort, body: body)
                #expect([400, 422].contains(answer.status), "\(body): \(answer)")
                #expect(answer.json["detail"] != nil, "\(answer)")
            }
            let mixed =
                #"{"rules":[{"name":"good","rate":{"tokens":1,"per":"1s"}},{"name":"bad","rate":{"tokens":0,"per":"1s"}}]}"#
            let answer = try HTTPCall.send("PUT", "/v1/rules", port: node.httpPort, body: mixed)
            #expect([400, 422].contains(answer.status), "\(answer)")
            #expect(try node.get("/v1/rules/good").status == 404)
        }
    }
}

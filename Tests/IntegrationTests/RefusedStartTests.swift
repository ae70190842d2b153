import Foundation
import Testing

extension IntegrationTests {
    /// What a node does not start with, and what it does.
    @Suite(.timeLimit(.minutes(5)))
    struct RefusedStartTests {
        @Test("A damaged log is refused with the way back; a cut tail is not; and the way back works")
        func damagedLog() throws {
            try ClusterHarness.run(nodes: 3) { cluster in
                try fillLog(cluster)
                let (damaged, cut) = (cluster.nodes[0], cluster.nodes[1])
                for node in cluster.nodes { cluster.kill(node) }

                let end = try writtenBytes(of: damaged)
                try change(segment(of: damaged), at: end / 2)
                let refusal = try start(cluster, damaged)
                #expect(refusal.code == 79, "\(refusal)")
                for word in ["damaged", "byte", "rejoin", "move the data folder away"] {
                    #expect(refusal.errors.contains(word), "\(refusal.errors)")
                }
                // It is no accident of the first try, and nothing was repaired behind the operator's back.
                #expect(try start(cluster, damaged).code == 79)

                // A torn last write: the record's end is gone.
                let tail = try writtenBytes(of: cut)
                try truncate(segment(of: cut), to: tail - 5)
                try cluster.start(cut)
                try cluster.start(cluster.nodes[2])
                try cluster.waitUntilWhole()
                #expect(try cut.get("/v1/rules/rule-39").status == 200)

                // As the refusal says: with an empty folder it joins and gets everything from the others.
                try FileManager.default.moveItem(atPath: damaged.dataFolder, toPath: damaged.dataFolder + "-damaged")
                try cluster.start(damaged)
                try cluster.waitUntilWhole()
                #expect(try damaged.get("/v1/rules/rule-39").status == 200)
                #expect(cluster.fallen.isEmpty)
            }
        }

        @Test("A folder of another node, of another cluster, or in use is refused, and so is a taken port")
        func identity() throws {
            try ClusterHarness.run(nodes: 3) { cluster in
                let (first, second) = (cluster.nodes[0], cluster.nodes[1])
                // While it runs: the folder and the ports are taken.
                let twice = try start(cluster, first)
                #expect(twice.code == 78, "\(twice)")
                #expect(twice.errors.contains(first.dataFolder) && twice.errors.contains("process"), "\(twice.errors)")

                for (flag, port) in [("--resp", second.respPort), ("--http", second.httpPort)] {
                    cluster.kill(first)
                    var arguments = cluster.arguments(of: first)
                    arguments[arguments.firstIndex(of: flag)! + 1] = "127.0.0.1:\(port)"
                    let result = try Binary.run(program: Binary.path(), arguments)
                    #expect(result.code == 78, "\(flag): \(result)")
                    #expect(
                        result.errors.contains("\(port)") && result.errors.contains("another process listens there"),
                        "\(flag): \(result.errors)")
                }
                // The peers' port: somebody else listens there.
                let listener = try Listener(port: first.peerPort)
                let peers = try start(cluster, first)
                listener.stop()
                #expect(peers.code == 78, "\(peers)")
                #expect(peers.errors.contains("\(first.peerPort)"), "\(peers.errors)")

                var foreign = cluster.arguments(of: first)
                foreign[foreign.firstIndex(of: "--data")! + 1] = second.dataFolder
                cluster.kill(second)
                let other = try Binary.run(program: Binary.path(), foreign)
                #expect(other.code == 78 && other.errors.contains("node"), "\(other)")

                var elsewhere = cluster.arguments(of: first)
                elsewhere[elsewhere.firstIndex(of: "--cluster")! + 1] = cluster.members.replacingOccurrences(
                    of: ":\(cluster.nodes[2].peerPort)", with: ":\(try FreePorts.take(1)[0])")
                let moved = try Binary.run(program: Binary.path(), elsewhere)
                #expect(moved.code == 78 && moved.errors.contains("cluster"), "\(moved)")

                // Nothing of this did any harm.
                try cluster.start(first)
                try cluster.start(second)
                try cluster.waitUntilWhole()
                #expect(cluster.fallen.isEmpty)
            }
        }

        @Test("Wrong settings are refused before anything starts")
        func settings() throws {
            let folder = try TemporaryFolder()
            func serve(_ arguments: String...) throws -> Binary.Result {
                try Binary.run(program: Binary.path(), ["serve"] + arguments)
            }
            let cluster = ["--cluster", "1=127.0.0.1:7101", "--data", folder.file("data")]
            let cases: [(arguments: [String], code: Int32, mention: String)] = [
                (["--unknown"] + cluster, 64, "--unknown"),
                (["--node", "1", "--resp", "0.0.0.0:0"] + cluster, 78, "--insecure"),
                (["--node", "1", "--http", "0.0.0.0:0"] + cluster, 78, "--insecure"),
                (["--node", "1", "--cluster", "1=10.0.0.1:7101", "--data", folder.file("data")], 78, "--insecure"),
                (["--node", "4"] + cluster, 78, "not among the members"),
                (cluster, 78, "--node"), (["--node", "1", "--cluster", "1=127.0.0.1:7101"], 78, "--data"),
                (["--node", "1", "--cluster", "one", "--data", folder.file("data")], 78, "NUMBER=HOST:PORT"),
                (
                    ["--node", "1", "--cluster", "1=127.0.0.1:7101,1=127.0.0.1:7102", "--data", folder.file("data")],
                    78, "twice"
                ),
                (["--node", "1", "--timescale", "1"] + cluster, 78, "timescale"),
                (["--node", "1", "--log-level", "loud"] + cluster, 78, "loud"),
                (["--node", "1", "--rules", folder.file("none")] + cluster, 78, "none"),
                (["--config", folder.file("none")], 78, "none"),
            ]
            for (arguments, code, mention) in cases {
                let result = try Binary.run(program: Binary.path(), ["serve"] + arguments)
                #expect(result.code == code, "\(arguments): \(result)")
                #expect(result.errors.contains(mention), "\(arguments): \(result.errors)")
            }
            #expect(!FileManager.default.fileExists(atPath: folder.file("data")), "nothing was started")
        }

        // MARK: Steps

        private func start(_ cluster: ClusterHarness, _ node: ClusterHarness.Node) throws -> Binary.Result {
            try Binary.run(program: Binary.path(), cluster.arguments(of: node))
        }

        /// Rules enough for a log with a middle.
        private func fillLog(_ cluster: ClusterHarness) throws {
            for i in 0..<40 {
                let overrides = (0..<20).map { #""user:\#(i)-\#($0)":{"rate":{"tokens":5,"per":"1s"},"burst":5}"# }
                let answer = try HTTPCall.send(
                    "PUT", "/v1/rules/rule-\(i)", port: cluster.nodes[i % 3].httpPort,
                    body: #"{"rate":{"tokens":1,"per":"1s"},"overrides":{\#(overrides.joined(separator: ","))}}"#)
                #expect(answer.status == 200, "\(answer)")
            }
            for node in cluster.nodes {
                #expect(try eventually(within: 5) { try node.get("/v1/rules/rule-39").status == 200 })
            }
        }

        /// The file that is written to: the first, as long as the log is small.
        private func segment(of node: ClusterHarness.Node) throws -> String {
            let names = try FileManager.default.contentsOfDirectory(atPath: node.dataFolder).filter {
                $0.hasPrefix("segment-")
            }
            return node.dataFolder + "/" + (try #require(names.min()))
        }

        /// Where the zeros begin that were written in advance.
        private func writtenBytes(of node: ClusterHarness.Node) throws -> Int {
            let data = try #require(FileManager.default.contents(atPath: segment(of: node)))
            let last = try #require(data.lastIndex { $0 != 0 })
            #expect(last > 20_000, "a log that is long enough to have a middle")
            return last + 1
        }

        private func change(_ file: String, at offset: Int) throws {
            let handle = try #require(FileHandle(forUpdatingAtPath: file))
            try handle.seek(toOffset: UInt64(offset))
            let byte = try #require(try handle.read(upToCount: 1))[0]
            try handle.seek(toOffset: UInt64(offset))
            try handle.write(contentsOf: Data([byte ^ 0x10]))
            try handle.close()
        }

        private func truncate(_ file: String, to size: Int) throws {
            let handle = try #require(FileHandle(forUpdatingAtPath: file))
            try handle.truncate(atOffset: UInt64(size))
            try handle.close()
        }
    }
}

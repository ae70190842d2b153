import Foundation
import Testing

extension IntegrationTests {
    /// A client that we did not write.
    @Suite(.timeLimit(.minutes(5)))
    struct RedisCLITests {
        private static let program = ["/usr/bin/redis-cli", "/usr/local/bin/redis-cli"].first {
            FileManager.default.isExecutableFile(atPath: $0)
        }

        @Test("redis-cli talks to a node", .enabled(if: program != nil, "redis-cli is not installed"))
        func smoke() throws {
            let program = try #require(RedisCLITests.program)
            try ClusterHarness.run(nodes: 3) { cluster in
                func cli(_ words: String...) throws -> Binary.Result {
                    try Binary.run(program: program, ["-p", "\(cluster.nodes[1].respPort)"] + words)
                }
                #expect(try cli("PING").output == "PONG\n")
                #expect(try cli("ECHO", "hello").output == "hello\n")
                let first = try cli("CL.THROTTLE", "user:1", "15", "30", "60")
                let numbers = first.output.split(separator: "\n").compactMap { Int($0) }
                #expect(numbers.count == 5 && numbers[0] == 0 && numbers[1] == 16 && numbers[3] == -1, "\(first)")
                let third = try cli("-3", "HELLO", "3")
                #expect(third.code == 0 && third.output.contains("proto"), "\(third)")
                #expect(try cli("-3", "CL.THROTTLE", "user:1", "15", "30", "60").output.contains("16"))
                #expect(try cli("INFO").output.contains("millrace_version"))
                #expect(try cli("COMMAND", "COUNT").code == 0)
                let error = try cli("CL.THROTTLE", "user:1")
                #expect((error.output + error.errors).contains("Usage"), "\(error)")
            }
        }
    }
}

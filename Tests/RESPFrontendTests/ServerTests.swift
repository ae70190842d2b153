import LimiterCore
import Logging
import NIOCore
import NIOPosix
import RESPFrontend
import TestSupport
import Testing

/// Real sockets on loopback, raw bytes.
@Suite(.inRealTime) struct ServerTests {
    static func server(_ node: TestNode, _ change: (inout RESPServer.Options) -> Void = { _ in }) async throws
        -> RESPServer
    {
        var options = RESPServer.Options(port: 0)
        change(&options)
        return try await RESPServer.start(
            options, group: MultiThreadedEventLoopGroup.singleton, path: node.path, handler: node.limiter,
            logger: Logger(label: "test"))
    }

    /// Lets others run until something is so.
    static func wait(_ isSo: () -> Bool) async throws {
        while !isSo() { try await Task.sleep(for: .milliseconds(1)) }
    }

    @Test func answersInOrderHoweverTheBytesArrive() async throws {
        let node = try TestNode()
        let server = try await Self.server(node)
        let client = try await TestClient(server.address)
        let expected = "+PONG\r\n*5\r\n:0\r\n:5\r\n:4\r\n:-1\r\n:1\r\n$1\r\nx\r\n"
        let commands = "PING\r\n*5\r\n$11\r\nCL.THROTTLE\r\n$1\r\na\r\n$1\r\n4\r\n$1\r\n1\r\n$1\r\n1\r\nECHO x\r\n"
        try await client.send(commands)
        #expect(await client.receive(expected) == expected)
        node.clock.advance(seconds: 10)
        for byte in commands { try await client.send(String(byte)) }
        #expect(await client.receive(expected) == expected)
        await client.close()
        await server.stop()
        #expect(server.statistics[.commands] == 6)
        #expect(server.statistics[.allowed] == 2)
        #expect(server.statistics[.openConnections] == 0)
    }

    @Test func decisionsFromElsewhereComeInTheOrderOfCommands() async throws {
        let node = try TestNode()
        node.limiter.isHolding = true
        let server = try await Self.server(node)
        let client = try await TestClient(server.address)
        try await client.send((0..<10).map { "CL.THROTTLE k\($0) \($0) 1000 1\r\nPING \($0)\r\n" }.joined())
        try await Self.wait { node.limiter.heldCount == 10 }
        #expect(node.limiter.batches.count <= 2, "what came in one read leaves as one batch")
        node.limiter.release { Array((0..<$0).reversed()) }
        let expected = (0..<10).map { "*5\r\n:0\r\n:\($0 + 1)\r\n:\($0)\r\n:-1\r\n:1\r\n$1\r\n\($0)\r\n" }.joined()
        #expect(await client.receive(expected) == expected)
        await server.stop()
    }

    @Test func aDelayedAdmissionHoldsUpWhatFollows() async throws {
        let server = try await Self.server(try TestNode())
        let client = try await TestClient(server.address)
        try await client.send("MR.ACQUIRE slow k\r\nMR.ACQUIRE slow k\r\nPING\r\n")
        let expected = "*5\r\n:0\r\n:1\r\n:0\r\n:-1\r\n:1\r\n*5\r\n:0\r\n:1\r\n:0\r\n:-1\r\n:1\r\n+PONG\r\n"
        #expect(await client.receive(expected) == expected)
        await server.stop()
    }

    @Test func anAddressInUseIsNamedWithTheRemedy() async throws {
        let node = try TestNode()
        let server = try await Self.server(node)
        let port = try #require(server.address.port)
        do {
            _ = try await Self.server(node) { $0.port = port }
            Issue.record("two servers on one port")
        } catch let error as RESPServerError {
            #expect(error.code == .addressInUse)
            #expect("\(error)".contains("127.0.0.1:\(port)"))
            #expect("\(error)".contains("--resp"))
        }
        await server.stop()
    }

    // MARK: Limits

    @Test func oneConnectionTooMany() async throws {
        let server = try await Self.server(try TestNode()) { $0.mostConnections = 2 }
        let clients = [try await TestClient(server.address), try await TestClient(server.address)]
        for client in clients {
            try await client.send("PING\r\n")
            #expect(await client.receive("+PONG\r\n") == "+PONG\r\n")
        }
        let third = try await TestClient(server.address)
        #expect(await third.receiveToEnd() == "-ERR max number of clients reached\r\n")
        #expect(server.statistics[.refusedConnections] == 1)
        await clients[0].close()
        await third.close()
        try await Self.wait { server.statistics[.openConnections] == 1 }
        let fourth = try await TestClient(server.address)
        try await fourth.send("PING\r\n")
        #expect(await fourth.receive("+PONG\r\n") == "+PONG\r\n", "there is room again")
        await server.stop()
    }

    @Test func readingStopsWhileTooManyWait() async throws {
        let node = try TestNode()
        node.limiter.isHolding = true
        let server = try await Self.server(node) { $0.mostWaiting = 16 }
        let client = try await TestClient(server.address)
        client.sendSoon((0..<20_000).map { "CL.THROTTLE k\($0) 9 1000 1\r\n" }.joined())
        let reply = "*5\r\n:0\r\n:10\r\n:9\r\n:-1\r\n:1\r\n"
        var answered = 0
        while answered < 20_000 {
            try await Self.wait { node.limiter.heldCount > 0 }
            let held = node.limiter.takeHeld()
            #expect(held.count <= 16)
            for (request, sink) in held { sink.deliver([(request.token, node.limiter.decide(request))]) }
            answered += held.count
        }
        let answers = await client.receive(reply.utf8.count * 20_000)
        #expect(answers == String(repeating: reply, count: 20_000))
        await server.stop()
    }

    @Test func aClientThatDoesNotReadIsNotReadFrom() async throws {
        let server = try await Self.server(try TestNode())
        let client = try await TestClient(server.address)
        try await client.setReading(false)
        let count = 20_000
        client.sendSoon(String(repeating: "ECHO \(String(repeating: "x", count: 1000))\r\n", count: count))
        // It is over when nothing more happens; that less was taken than sent shows that something waited.
        var seen = -1
        while seen != server.statistics[.commands] {
            seen = server.statistics[.commands]
            try await Task.sleep(for: .milliseconds(200))
        }
        #expect(server.statistics[.commands] < count)
        #expect(!client.isSent, "the server does not keep what it cannot answer")
        try await client.setReading(true)
        let reply = "$1000\r\n\(String(repeating: "x", count: 1000))\r\n"
        let answers = await client.receive(reply.utf8.count * count)
        #expect(answers == String(repeating: reply, count: count))
        await server.stop()
    }

    @Test func idleConnectionsAreClosed() async throws {
        let server = try await Self.server(try TestNode()) { $0.idleTimeout = .milliseconds(20) }
        let client = try await TestClient(server.address)
        #expect(await client.receiveToEnd() == "")
        try await Self.wait { server.statistics[.idleConnections] == 1 }
        await server.stop()
    }

    // MARK: Ending

    @Test func quitAndBrokenStreamsClose() async throws {
        let server = try await Self.server(try TestNode())
        let polite = try await TestClient(server.address)
        try await polite.send("PING\r\nQUIT\r\nPING\r\n")
        #expect(await polite.receiveToEnd() == "+PONG\r\n+OK\r\n")
        let rude = try await TestClient(server.address)
        try await rude.send("*1\r\n$-5\r\n")
        #expect(await rude.receiveToEnd() == "-ERR Protocol error: invalid bulk length\r\n")
        await server.stop()
        #expect(server.statistics[.protocolErrors] == 1)
    }

    @Test func aHalfClosedConnectionIsStillAnswered() async throws {
        let node = try TestNode()
        node.limiter.isHolding = true
        let server = try await Self.server(node)
        let client = try await TestClient(server.address)
        try await client.send("CL.THROTTLE a 4 1 1\r\n")
        try await client.closeOutput()
        try await Self.wait { node.limiter.heldCount == 1 }
        node.limiter.release()
        #expect(await client.receiveToEnd() == "*5\r\n:0\r\n:5\r\n:4\r\n:-1\r\n:1\r\n")
        await server.stop()
    }

    @Test func decisionsForClientsThatLeftAreDropped() async throws {
        let node = try TestNode()
        node.limiter.isHolding = true
        let server = try await Self.server(node)
        let client = try await TestClient(server.address)
        try await client.send("CL.THROTTLE a 4 1 1\r\n")
        try await Self.wait { node.limiter.heldCount == 1 }
        await client.close()
        await server.stop(within: .milliseconds(1))
        node.limiter.release()
        #expect(server.statistics[.openConnections] == 0)
    }

    @Test func stoppingAnswersWhatWasAsked() async throws {
        let node = try TestNode()
        node.limiter.isHolding = true
        let server = try await Self.server(node)
        let client = try await TestClient(server.address)
        let idle = try await TestClient(server.address)
        try await client.send("CL.THROTTLE a 4 1 1\r\n")
        try await Self.wait { node.limiter.heldCount == 1 }
        async let stopped: Void = server.stop(within: .seconds(60))
        #expect(await idle.receiveToEnd() == "", "whoever waits for nothing is let go at once")
        node.limiter.release()
        #expect(await client.receiveToEnd() == "*5\r\n:0\r\n:5\r\n:4\r\n:-1\r\n:1\r\n")
        await stopped
        await #expect(throws: (any Error).self) { try await TestClient(server.address) }
    }

    @Test func stoppingDoesNotWaitForEver() async throws {
        let node = try TestNode()
        node.limiter.isHolding = true
        let server = try await Self.server(node)
        let client = try await TestClient(server.address)
        try await client.send("CL.THROTTLE a 4 1 1\r\n")
        try await Self.wait { node.limiter.heldCount == 1 }
        await server.stop(within: .milliseconds(10))
        #expect(await client.receiveToEnd() == "")
        node.limiter.release()
    }
}

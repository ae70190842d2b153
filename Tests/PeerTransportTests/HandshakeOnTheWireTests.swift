import NIOCore
import NIOEmbedded
import PeerTransport
import Raft
import TestSupport
import Testing

@Suite("Strangers and misconfigured nodes", .inRealTime)
struct HandshakeOnTheWireTests {
    /// A node 2 that knows nodes 1 and 3, at addresses where nobody is.
    private func node2(_ change: (inout PeerTransport.Configuration) -> Void = { _ in }) async throws
        -> (TestNode, PeerAddress)
    {
        let node = TestNode(2, change)
        let address = try await node.start()
        for other in [1, 3] as [UInt32] {
            try await node.knows(TestNode(other), at: PeerAddress(host: "127.0.0.1", port: 1))
        }
        return (node, address)
    }

    private func refusal(of bytes: [UInt8], by address: PeerAddress) async throws -> Refusal? {
        let raw = try await RawPeer.dial(address)
        try await raw.write(bytes)
        return try await raw.refusal()
    }

    @Test("each kind of stranger is told why it is refused")
    func refusals() async throws {
        let (node, address) = try await node2()
        #expect(try await refusal(of: hello(3, to: 2, version: 9), by: address)?.reason == .otherVersion)
        #expect(try await refusal(of: hello(3, to: 2, cluster: "west"), by: address)?.reason == .otherCluster)
        #expect(try await refusal(of: hello(3, to: 1), by: address)?.reason == .wrongNode)
        #expect(try await refusal(of: hello(9, to: 2), by: address)?.reason == .unknownNode)
        #expect(try await refusal(of: hello(2, to: 2, incarnation: 5), by: address)?.reason == .duplicateNode)
        #expect(try await refusal(of: hello(2, to: 3, incarnation: 2000), by: address)?.reason == .wrongNode)
        #expect(try await node.on { $0.transport.statistics.refusedHandshakes } == 6)
        #expect(try await node.on { $0.events.isEmpty && $0.fatals.isEmpty })
        try await node.stop()
    }

    @Test("a cause is logged once, however often it comes")
    func loggedOnce() async throws {
        let (node, address) = try await node2()
        for _ in 0..<5 { _ = try await refusal(of: hello(3, to: 2, cluster: "west"), by: address) }
        #expect(node.log.count(containing: "clusters differ") == 1)
        // Many made-up ids are one cause, not many.
        for id in 10..<15 as Range<UInt32> { _ = try await refusal(of: hello(id, to: 2), by: address) }
        #expect(node.log.count(containing: "is not a member") == 1)
        try await node.stop()
    }

    @Test(
        "garbage is a violation: closed, counted, logged once, and harmless",
        arguments: [
            Array("GET / HTTP/1.1\r\nHost: x\r\n\r\n".utf8),
            frame(.hello, Array("not a hello".utf8)),
            frame(.message, [1, 2, 3]),
            frame(.probe, []),
            relayFrame(from: 1, to: 2, "x"),
            [0x01, 0x08, 0x00, 0x00],  // announces 2049 bytes before any handshake
            hello(3, to: 2) + frame(.message, [1]),
            hello(3, to: 2) + hello(3, to: 2),
            hello(3, to: 2) + frame(.probe, []) + hello(3, to: 2),
        ])
    func garbage(bytes: [UInt8]) async throws {
        let (node, address) = try await node2()
        #expect(try await refusal(of: bytes, by: address)?.reason == .violation)
        #expect(try await node.on { $0.transport.statistics.violations } == 1)
        #expect(node.log.count(containing: "broke the protocol") == 1)
        #expect(try await node.on { $0.received.isEmpty })
        let good = try await RawPeer.dial(address)
        try await good.write(hello(3, to: 2, attempt: 2) + frame(.probe, []) + frame(.message, [42]))
        try await node.until("a good peer is heard") { $0.received.count == 1 }
        try await good.close()
        try await node.stop()
    }

    @Test("random bytes never get anything through", arguments: 0..<30 as Range<UInt64>)
    func fuzz(seed: UInt64) throws {
        var generator = TestGenerator(state: seed)
        let loop = EmbeddedEventLoop()
        let node = TestNode(2, loop: loop)
        node.transport.setPeer(NodeID(3), address: PeerAddress(host: "127.0.0.1", port: 1))
        let channel = EmbeddedChannel(loop: loop)
        try node.transport.initialise(accepted: channel).wait()
        try channel.connect(to: SocketAddress(ipAddress: "127.0.0.1", port: 9)).wait()
        var bytes = hello(3, to: 2) + frame(.probe, []) + relayFrame(from: 3, to: 2, "x") + frame(.refusal, [1])
        for _ in 0..<3 { bytes[generator.below(bytes.count)] ^= UInt8(1 << generator.below(8)) }
        for byte in bytes where channel.isActive { _ = try? channel.writeInbound(ByteBuffer(bytes: [byte])) }
        #expect(node.received.isEmpty)
        _ = try? channel.finish(acceptAlreadyClosed: true)
    }

    @Test("the handshake works byte by byte, and everything behind it is delivered")
    func byteByByte() throws {
        let loop = EmbeddedEventLoop()
        let node = TestNode(2, loop: loop)
        node.transport.setPeer(NodeID(3), address: PeerAddress(host: "127.0.0.1", port: 1))
        let channel = EmbeddedChannel(loop: loop)
        try node.transport.initialise(accepted: channel).wait()
        let bytes = hello(3, to: 2) + frame(.probe, []) + frame(.message, [1]) + frame(.message, [2, 3])
        for byte in bytes { try channel.writeInbound(ByteBuffer(bytes: [byte])) }
        #expect(node.events == ["+3"])
        #expect(node.received.map(\.bytes) == [[1], [2, 3]])
        #expect(node.bursts == 2)
        let answer = try #require(try channel.readOutbound(as: ByteBuffer.self))
        #expect(Array(buffer: answer) == hello(2, to: 3, incarnation: 2000))
        let stopped = node.transport.stop()
        loop.run()
        try stopped.wait()
        #expect(node.events == ["+3"])
    }

    @Test("as many handshakes as allowed may be open; one more is closed at once")
    func handshakeLimit() async throws {
        let (node, address) = try await node2 { $0.maxHandshakes = 2 }
        let idle = [try await RawPeer.dial(address), try await RawPeer.dial(address)]
        try await node.until("both are open") { $0.transport.openConnections >= 2 }
        let third = try await RawPeer.dial(address)
        try await third.until { $0.isClosed }
        #expect(try await node.on { $0.transport.statistics.rejectedAccepts } == 1)
        #expect(try await idle[0].on { $0.isClosed } == false)
        // One that finishes its handshake makes room.
        try await idle[0].write(hello(3, to: 2) + frame(.probe, []))
        try await node.until("it is connected") { $0.transport.isConnected(NodeID(3)) }
        let fourth = try await RawPeer.dial(address)
        try await fourth.write(hello(9, to: 2))
        #expect(try await fourth.refusal()?.reason == .unknownNode)
        for raw in idle { try await raw.close() }
        try await node.stop()
    }

    @Test("who says nothing is closed after the handshake timeout")
    func handshakeTimeout() async throws {
        let (node, address) = try await node2 { $0.handshakeTimeout = .milliseconds(20) }
        let silent = try await RawPeer.dial(address)
        let unconfirmed = try await RawPeer.dial(address)
        try await unconfirmed.write(hello(3, to: 2))
        #expect(try await silent.refusal() == nil)
        #expect(try await unconfirmed.refusal() == nil)
        #expect(try await node.on { $0.events.isEmpty })
        try await node.stop()
    }

    @Test("a node of another cluster learns that it is in the wrong place; the cluster carries on")
    func otherCluster() async throws {
        let nodes = try await startCluster(2)
        let lost = TestNode(3, cluster: "west")
        let address = try await lost.start()
        for node in nodes {
            try await node.knows(lost, at: address)
            let its = try await node.on { $0.transport.boundAddress! }
            try await lost.knows(node, at: its)
        }
        try await lost.until("it is told") { !$0.fatals.isEmpty }
        try await nodes[0].until("it has refused several times") { $0.transport.statistics.refusedHandshakes > 3 }
        let fatals = try await lost.on { $0.fatals }
        #expect(fatals.map(\.code) == [.otherCluster])
        #expect(fatals.first?.message.contains("cluster 'test'") == true)
        #expect(nodes[0].log.count(containing: "refused a peer connection") == 1)
        #expect(lost.log.count(containing: "node 1 refuses us") == 1)
        #expect(try await nodes[0].on { $0.fatals.isEmpty && $0.transport.isConnected(NodeID(2)) })
        try await stopAll(nodes + [lost])
    }

    @Test("peers of another version are fatal, one stray refusal among several peers is not")
    func otherVersion() async throws {
        let (raw, address) = try await RawPeer.listen { _ in hello(1, to: 2, version: 2) }
        let (node, _) = try await node2()
        try await node.knows(TestNode(1), at: address)
        try await node.until("it has met the other version") { $0.transport.statistics.refusedHandshakes > 2 }
        #expect(try await node.on { $0.fatals.isEmpty })
        try await node.on { $0.transport.removePeer(NodeID(3)) }
        try await node.until("most peers are of another version") { $0.fatals.map(\.code) == [.otherVersion] }
        try await node.stop()
        try await raw.close()
    }

    @Test("a wrong address is named at both ends")
    func wrongAddress() async throws {
        let nodes = try await startCluster(2)
        let third = TestNode(3)
        try await third.start()
        let wrong = try await nodes[0].on { $0.transport.boundAddress! }
        try await nodes[0].knows(third, at: PeerAddress(host: "127.0.0.1", port: 1))
        try await third.knows(nodes[1], at: wrong)
        try await third.until("it has tried") { $0.transport.statistics.peers[NodeID(2)]!.failedDials > 2 }
        let advice = "correct the address of node 2 in the configuration of node 3"
        #expect(third.log.count(containing: advice) == 1)
        #expect(nodes[0].log.count(containing: advice) == 1)
        try await stopAll(nodes + [third])
    }

    @Test("the older of two processes with one id is told, the newer one works")
    func duplicate() async throws {
        let nodes = try await startCluster(2)
        let impostor = TestNode(2, incarnation: 99)
        try await impostor.start()
        let address = try await nodes[0].on { $0.transport.boundAddress! }
        try await impostor.knows(nodes[0], at: address)
        try await nodes[1].until("it is told") { !$0.fatals.isEmpty }
        let fatals = try await nodes[1].on { $0.fatals }
        #expect(fatals.map(\.code) == [.duplicateNode])
        #expect(fatals.first?.message.contains("stop one of them") == true)
        #expect(try await impostor.on { $0.fatals.isEmpty && $0.transport.isConnected(NodeID(1)) })
        try await stopAll(nodes + [impostor])
    }
}

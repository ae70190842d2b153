import NIOCore
import PeerTransport
import Raft
import TestSupport
import Testing

@Suite("Connections come, go and are replaced", .inRealTime)
struct ConnectionTests {
    private let nowhere = PeerAddress(host: "127.0.0.1", port: 1)

    @Test("two nodes that dial at once end with one connection and lose nobody", arguments: 0..<20)
    func simultaneousDials(round: Int) async throws {
        let nodes = [TestNode(1), TestNode(2)]
        let addresses = [try await nodes[0].start(), try await nodes[1].start()]
        // In one turn of the loop, so that neither hears of the other first.
        try await testLoop.submit {
            nodes[0].transport.setPeer(NodeID(2), address: addresses[1])
            nodes[1].transport.setPeer(NodeID(1), address: addresses[0])
        }.get()
        try await settle(nodes)
        #expect(try await nodes[0].send("to 2", to: NodeID(2)) == .queued)
        #expect(try await nodes[1].send("to 1", to: NodeID(1)) == .queued)
        try await nodes[0].until("it hears") { $0.received.count == 1 }
        try await nodes[1].until("it hears") { $0.received.count == 1 }
        for node in nodes {
            // At most the one that came first, and the one that is kept.
            #expect(try await node.on { $0.transport.statistics.peers.values.first!.connects } <= 2)
        }
        try await stopAll(nodes)
    }

    @Test("the rule: a later dial replaces, an earlier one is redundant, a new process replaces, an old one is refused")
    func replacement() async throws {
        let node = TestNode(2)
        let address = try await node.start()
        try await node.knows(TestNode(3), at: nowhere)
        func dial(_ incarnation: UInt64, _ attempt: UInt64) async throws -> RawPeer {
            let raw = try await RawPeer.dial(address)
            try await raw.write(hello(3, to: 2, incarnation: incarnation, attempt: attempt) + frame(.probe, []))
            return raw
        }
        let first = try await dial(77, 5)
        try await node.until("it is connected") { $0.events == ["+3"] }

        let same = try await dial(77, 5)
        #expect(try await same.refusal()?.reason == .redundant)
        // The one that is kept is asked whether it still lives.
        try await first.until { $0.frames.map(\.kind) == [.hello, .probe] }

        let later = try await dial(77, 6)
        #expect(try await first.refusal()?.reason == .redundant)
        #expect(try await node.on { $0.events } == ["+3", "-3", "+3"])

        let restarted = try await dial(88, 1)
        #expect(try await later.refusal()?.reason == .redundant)
        #expect(try await node.on { $0.events } == ["+3", "-3", "+3", "-3", "+3"])

        let old = try await dial(77, 9)
        #expect(try await old.refusal()?.reason == .duplicateNode)
        #expect(try await restarted.on { $0.isClosed } == false)
        #expect(try await node.on { $0.events.count } == 5)
        try await restarted.close()
        try await node.stop()
    }

    @Test("a hello whose sender has gone away replaces nothing")
    func unconfirmed() async throws {
        let node = TestNode(2)
        let address = try await node.start()
        try await node.knows(TestNode(3), at: nowhere)
        let good = try await RawPeer.dial(address)
        try await good.write(hello(3, to: 2, incarnation: 77) + frame(.probe, []))
        try await node.until("it is connected") { $0.events == ["+3"] }
        let ghost = try await RawPeer.dial(address)
        try await ghost.write(hello(3, to: 2, incarnation: 66))
        try await ghost.until { $0.frames.map(\.kind) == [.hello] }
        try await ghost.close()
        try await good.write(frame(.message, [1]))
        try await node.until("the good one is heard") { $0.received.count == 1 }
        #expect(try await node.on { $0.events } == ["+3"])
        try await good.close()
        try await node.stop()
    }

    @Test("a restarted node is back, and messages flow again", arguments: [1, 2] as [UInt32])
    func restart(id: UInt32) async throws {
        let nodes = try await startCluster(2)
        let other = nodes[2 - Int(id)]
        let address = try await nodes[Int(id) - 1].on { $0.transport.boundAddress! }
        let otherAddress = try await other.on { $0.transport.boundAddress! }
        try await nodes[Int(id) - 1].stop()
        try await other.until("it has noticed") { $0.events.last == "-\(id)" }
        try await other.until("it has tried in vain") { $0.transport.statistics.peers[NodeID(id)]!.failedDials > 2 }
        #expect(try await other.send("lost", to: NodeID(id)) == .unreachable)
        let again = TestNode(id, incarnation: 5555, port: address.port)
        try await again.start()
        try await again.knows(other, at: otherAddress)
        try await settle([again, other])
        _ = try await other.send("hello again", to: NodeID(id))
        try await again.until("it hears") { $0.received.count == 1 }
        for node in [again, other] { #expect(try await node.on { $0.fatals.isEmpty }) }
        #expect(other.log.count(containing: "does not answer") <= 2)
        try await stopAll([again, other])
    }

    @Test("the lower id dials if the higher one cannot, again and again")
    func oneSided() async throws {
        let low = TestNode(1)
        let high = TestNode(2)
        try await low.start()
        let address = try await high.start()
        try await high.knows(low, at: nowhere)
        try await high.until("it has tried in vain") { $0.transport.statistics.peers[NodeID(1)]!.failedDials > 2 }
        try await low.knows(high, at: address)
        try await low.isConnected(high)
        try await high.stop()
        try await low.until("it has noticed") { $0.events.last == "-2" }
        let again = TestNode(2, incarnation: 5, port: address.port)
        try await again.start()
        try await again.knows(low, at: nowhere)
        try await again.isConnected(low)
        try await stopAll([low, again])
    }

    @Test("a port in use is told with the address and what to do")
    func portInUse() async throws {
        let first = TestNode(1)
        let address = try await first.start()
        let second = TestNode(2, port: address.port)
        let error = await #expect(throws: PeerTransportError.self) { try await second.start() }
        #expect(error?.code == .addressInUse)
        #expect(error?.message.contains("\(address)") == true)
        #expect(error?.message.contains("stop it, or give node 2 another peer port") == true)
        try await stopAll([first, second])
    }

    @Test("an address that is not ours is told, too")
    func foreignAddress() async throws {
        let node = TestNode(1) { $0.listen = PeerAddress(host: "192.0.2.1", port: 0) }
        let error = await #expect(throws: PeerTransportError.self) { try await node.start() }
        #expect(error?.code == .cannotListen)
        #expect(error?.message.contains("no address of this machine") == true)
    }

    @Test("after stop the port is free, the peers know, and nothing is told any more")
    func stop() async throws {
        let nodes = try await startCluster(3)
        let address = try await nodes[0].on { $0.transport.boundAddress! }
        try await nodes[0].stop()
        #expect(try await nodes[0].on { $0.transport.openConnections } == 0)
        let events = try await nodes[0].on { $0.events }
        let next = TestNode(1, incarnation: 4, port: address.port)
        #expect(try await next.start() == address)
        try await nodes[1].until("it has noticed") { $0.events.last == "-1" }
        #expect(try await nodes[0].on { $0.events } == events)
        // Stopping twice is harmless.
        try await nodes[0].stop()
        try await stopAll([next, nodes[1], nodes[2]])
    }

    @Test("a delegate may stop the transport in the middle of a burst")
    func stopInCallback() async throws {
        let nodes = try await startCluster(2)
        try await nodes[1].on { node in
            node.onReceive = { [unowned node] _, _ in
                if node.received.count == 3 { _ = node.transport.stop() }
            }
        }
        try await nodes[0].on { node in
            for i in 0..<10 as Range<UInt8> { node.transport.send([i], to: NodeID(2)) }
            node.transport.flush()
        }
        try await nodes[0].until("it has noticed") { $0.events.last == "-2" }
        #expect(try await nodes[1].on { $0.received.count } == 3)
        try await stopAll(nodes)
    }

    @Test("a connection that breaks inside a flush is reported after it")
    func breakInsideFlush() async throws {
        let (raw, address) = try await RawPeer.listen { _ in hello(1, to: 2) }
        let node = TestNode(2)
        try await node.start()
        try await node.knows(TestNode(1), at: address)
        try await node.until("it is connected") { $0.transport.isConnected(NodeID(1)) }
        let before = try await testLoop.submit {
            raw.closeNow(after: frame(.message, [9]))
            for _ in 0..<20 {
                node.transport.send([1], to: NodeID(1))
                node.transport.flush()
            }
            return (events: node.events, received: node.received.count)
        }.get()
        #expect(before.events == ["+1"])
        #expect(before.received == 0)
        try await node.until("it is reported") { $0.events.prefix(2) == ["+1", "-1"] }
        try await node.stop()
        try await raw.close()
    }

    @Test("a removed peer is cut off and refused; added again it is back")
    func membership() async throws {
        let nodes = try await startCluster(2)
        let addresses = [
            try await nodes[0].on { $0.transport.boundAddress! }, try await nodes[1].on { $0.transport.boundAddress! },
        ]
        try await nodes[0].on { $0.transport.removePeer(NodeID(2)) }
        try await nodes[0].until("it is told") { $0.events.last == "-2" }
        try await nodes[1].until("it is refused") { $0.transport.statistics.peers[NodeID(1)]!.failedDials > 2 }
        #expect(nodes[1].log.count(containing: "node 2 was removed from the cluster") == 1)
        #expect(try await nodes[0].send("x", to: NodeID(2)) == .unreachable)
        try await nodes[0].knows(nodes[1], at: addresses[1])
        try await nodes[0].isConnected(nodes[1])
        try await nodes[1].isConnected(nodes[0])
        try await stopAll(nodes)
    }
}

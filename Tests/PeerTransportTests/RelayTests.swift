import NIOCore
import PeerTransport
import Raft
import TestSupport
import Testing

@Suite("Messages through a third node", .inRealTime)
struct RelayTests {
    @Test("two nodes that cannot meet talk through the third, and see each other as the senders")
    func relay() async throws {
        let nodes = try await startCluster(3, apart: [[2, 3]])
        #expect(try await nodes[1].send("there", to: NodeID(3)) == .relayed)
        try await nodes[2].until("it hears") { $0.received.count == 1 }
        #expect(try await nodes[2].texts() == ["2:there"])
        #expect(try await nodes[2].send("and back", to: NodeID(2)) == .relayed)
        try await nodes[1].until("it hears") { $0.received.count == 1 }
        #expect(try await nodes[1].texts() == ["3:and back"])
        #expect(try await nodes[0].on { $0.received.isEmpty })
        #expect(try await nodes[0].on { $0.transport.statistics.peers[NodeID(3)]?.relayedFor } == 1)
        #expect(try await nodes[1].on { $0.transport.statistics.peers[NodeID(3)]?.relayedAway } == 1)
        #expect(try await nodes[1].on { $0.transport.statistics.peers[NodeID(3)]?.relayedIn } == 1)
        #expect(try await nodes[1].on { $0.transport.isConnected(NodeID(3)) } == false)
        try await stopAll(nodes)
    }

    @Test("the longest message can be relayed")
    func longest() async throws {
        let nodes = try await startCluster(3, apart: [[2, 3]]) { $0.maxFrameBytes = 1000 }
        try await nodes[1].on { node in
            #expect(node.transport.send([UInt8](repeating: 1, count: 992), to: NodeID(3)) == .tooLarge)
            #expect(node.transport.send([UInt8](repeating: 1, count: 991), to: NodeID(3)) == .relayed)
            node.transport.flush()
        }
        try await nodes[2].until("it hears") { $0.received.count == 1 }
        #expect(try await nodes[2].on { $0.received[0].bytes.count } == 991)
        try await stopAll(nodes)
    }

    @Test("a message is not passed on a second time: without a direct connection the relay drops it")
    func noSecondHop() async throws {
        // 4 reaches only 1, which does not reach 3, although 2 would.
        let nodes = try await startCluster(4, apart: [[1, 3], [3, 4], [2, 4]])
        #expect(try await nodes[3].send("x", to: NodeID(3)) == .relayed)
        try await nodes[0].until("it has dropped the message") {
            $0.transport.statistics.peers[NodeID(3)]?.droppedUnreachable == 1
        }
        #expect(try await nodes[0].on { $0.transport.statistics.peers[NodeID(3)]?.relayedAway } == 0)
        #expect(try await nodes[2].on { $0.received.isEmpty })
        try await stopAll(nodes)
    }

    @Test(
        "implausible relays are violations",
        arguments: [
            (2, 1),  // from ourselves
            (2, 2),
            (9, 2),  // from a stranger
            (3, 9),  // to a stranger
            (3, 3),  // back to its origin
            (3, 2),  // to us, from the one who could say so directly
            (1, 3),  // for another, to the one it comes from: a second hop
            (1, 1),
            (1, 4),  // for another: a second hop
        ] as [(UInt32, UInt32)])
    func implausible(origin: UInt32, destination: UInt32) async throws {
        let (node, raw) = try await node2()
        try await raw.write(relayFrame(from: origin, to: destination, "x"))
        #expect(try await raw.refusal()?.reason == .violation)
        try await node.until("it has cut the peer off") { $0.events == ["+3", "-3"] }
        #expect(try await node.on { $0.received.isEmpty })
        #expect(try await node.on { $0.transport.statistics.violations } == 1)
        try await node.stop()
    }

    @Test("a relay frame that is too short is a violation")
    func short() async throws {
        let (node, raw) = try await node2()
        try await raw.write(frame(.relay, [1, 0, 0, 0, 2, 0, 0]))
        #expect(try await raw.refusal()?.reason == .violation)
        try await node.stop()
    }

    @Test("plausible relays are delivered, or dropped where there is no way on")
    func plausible() async throws {
        let (node, raw) = try await node2()
        try await raw.write(relayFrame(from: 3, to: 4, "x") + relayFrame(from: 1, to: 2, "y"))
        try await node.until("it hears") { $0.received.count == 1 }
        #expect(try await node.texts() == ["1:y"])
        #expect(try await node.on { $0.transport.statistics.peers[NodeID(4)]?.droppedUnreachable } == 1)
        try await raw.close()
        try await node.stop()
    }

    /// A node 2 that knows 1, 3 and 4, and is connected with a handmade 3.
    private func node2() async throws -> (TestNode, RawPeer) {
        let node = TestNode(2)
        let address = try await node.start()
        for other in [1, 3, 4] as [UInt32] {
            try await node.knows(TestNode(other), at: PeerAddress(host: "127.0.0.1", port: 1))
        }
        let raw = try await RawPeer.dial(address)
        try await raw.write(hello(3, to: 2) + frame(.probe, []))
        try await node.until("it is connected") { $0.transport.isConnected(NodeID(3)) }
        return (node, raw)
    }
}

import NIOCore
import PeerTransport
import Raft
import TestSupport
import Testing

@Suite("Messages between connected nodes", .inRealTime)
struct MessageTests {
    @Test("messages arrive in order, both ways, with one burst end after them")
    func ordering() async throws {
        let nodes = try await startCluster(2)
        try await nodes[0].on { node in
            for i in 0..<10 { #expect(node.transport.send(Array("a\(i)".utf8), to: NodeID(2)) == .queued) }
            node.transport.flush()
        }
        #expect(try await nodes[1].send("back", to: NodeID(1)) == .queued)
        try await nodes[1].until("all have arrived") { $0.received.count == 10 }
        try await nodes[0].until("the answer has arrived") { $0.received.count == 1 }
        #expect(try await nodes[1].texts() == (0..<10).map { "1:a\($0)" })
        #expect(try await nodes[0].texts() == ["2:back"])
        #expect(try await nodes[1].on { $0.bursts } <= 10)
        let statistics = try await nodes[1].on { $0.transport.statistics.peers[NodeID(1)] }
        #expect(statistics?.messagesReceived == 10)
        #expect(statistics?.messagesSent == 1)
        #expect(statistics?.bytesSent == 9)
        try await stopAll(nodes)
    }

    @Test("nothing leaves before the flush")
    func flushing() async throws {
        let nodes = try await startCluster(3)
        try await nodes[0].on { _ = $0.transport.send([1], to: NodeID(2)) }
        // Another message makes its way meanwhile.
        #expect(try await nodes[2].send("first", to: NodeID(2)) == .queued)
        try await nodes[1].until("the other message has arrived") { $0.received.count == 1 }
        try await nodes[0].on { $0.transport.flush() }
        try await nodes[1].until("both have arrived") { $0.received.count == 2 }
        #expect(try await nodes[1].on { $0.received.map(\.from) } == [NodeID(3), NodeID(1)])
        try await stopAll(nodes)
    }

    @Test("a burst of 100 000 small messages arrives complete and in order, in few bursts")
    func burst() async throws {
        let nodes = try await startCluster(2)
        let count = 100_000
        let queued = try await nodes[0].on { node in
            var queued = 0
            for i in 0..<count {
                let message = withUnsafeBytes(of: UInt64(i).littleEndian) { Array($0) }
                if node.transport.send(message, to: NodeID(2)) == .queued { queued += 1 }
                if i % 1000 == 999 { node.transport.flush() }
            }
            return queued
        }
        #expect(queued == count)
        try await nodes[1].until("all have arrived") { $0.received.count == count }
        let inOrder = try await nodes[1].on { node in
            node.received.enumerated().allSatisfy { i, message in
                message.bytes.withUnsafeBytes { $0.loadUnaligned(as: UInt64.self) } == UInt64(i)
            }
        }
        #expect(inOrder)
        #expect(try await nodes[1].on { $0.bursts } < count / 100)
        try await stopAll(nodes)
    }

    @Test("the empty message and the longest arrive; one byte more is refused on the spot, and nothing breaks")
    func limits() async throws {
        let nodes = try await startCluster(2)
        let results = try await nodes[0].on { node in
            let longest = (16 << 20) - 9
            let results = [0, longest, longest + 1, 1].map {
                node.transport.send([UInt8](repeating: 7, count: $0), to: NodeID(2))
            }
            node.transport.flush()
            return results
        }
        #expect(results == [.queued, .queued, .tooLarge, .queued])
        try await nodes[1].until("they have arrived") { $0.received.count == 3 }
        #expect(try await nodes[1].on { $0.received.map(\.bytes.count) } == [0, (16 << 20) - 9, 1])
        #expect(try await nodes[0].on { $0.transport.statistics.peers[NodeID(2)]?.droppedTooLarge } == 1)
        #expect(nodes[0].log.count(containing: "16777208 bytes was dropped") == 1)
        try await stopAll(nodes)
    }

    @Test("a peer that sends longer frames than we allow is cut off")
    func longFrame() async throws {
        let small = TestNode(1) { $0.maxFrameBytes = 100 }
        let large = TestNode(2) { $0.maxFrameBytes = 1000 }
        let addresses = [try await small.start(), try await large.start()]
        try await small.knows(large, at: addresses[1])
        try await large.knows(small, at: addresses[0])
        try await settle([small, large])
        #expect(try await large.on { $0.transport.send([UInt8](repeating: 0, count: 99), to: NodeID(1)) } == .queued)
        try await large.on { $0.transport.flush() }
        try await small.until("the message at the limit has arrived") { $0.received.count == 1 }
        #expect(try await large.on { $0.transport.send([UInt8](repeating: 0, count: 100), to: NodeID(1)) } == .queued)
        try await large.on { $0.transport.flush() }
        try await small.until("it has cut the peer off") { $0.transport.statistics.violations == 1 }
        #expect(small.log.count(containing: "a frame of 101 bytes where at most 100 are allowed") == 1)
        // And they find together again.
        try await small.until("it is connected again") { $0.events.suffix(1) == ["+2"] }
        #expect(try await small.on { $0.received.count } == 1)
        try await stopAll([small, large])
    }

    @Test("an answer given in the callback leaves with the burst's flush")
    func pingPong() async throws {
        let nodes = try await startCluster(2)
        for node in nodes {
            try await node.on { node in
                node.onReceive = { [unowned node] message, peer in
                    guard message.first! > 0 else { return }
                    node.transport.send([message.first! - 1], to: peer)
                }
            }
        }
        try await nodes[0].on {
            _ = $0.transport.send([200], to: NodeID(2))
            $0.transport.flush()
        }
        try await nodes[1].until("the ball has stopped") { $0.received.last?.bytes == [0] }
        #expect(try await nodes[1].on { $0.received.count } == 101)
        try await stopAll(nodes)
    }

    @Test("messages to nobody are dropped and counted")
    func unreachable() async throws {
        let node = TestNode(1)
        try await node.start()
        try await node.knows(TestNode(2), at: PeerAddress(host: "127.0.0.1", port: 1))
        #expect(try await node.send("x", to: NodeID(2)) == .unreachable)
        #expect(try await node.send("x", to: NodeID(3)) == .unreachable)
        #expect(try await node.on { $0.transport.statistics.peers[NodeID(2)]?.droppedUnreachable } == 1)
        try await node.stop()
    }

    @Test("a slow reader gets what was queued in order; what comes after a full queue is dropped and counted")
    func slowReader() async throws {
        let (raw, address) = try await RawPeer.listen { _ in hello(1, to: 2) }
        let node = TestNode(2) {
            $0.maxFrameBytes = 64 << 10
            $0.maxBufferedBytesPerPeer = 256 << 10
        }
        try await node.start()
        try await node.knows(TestNode(1), at: address)
        try await node.until("it is connected") { $0.transport.isConnected(NodeID(1)) }
        #expect(try await raw.on { $0.accepted } == 1)
        try await raw.setReading(false)
        var queued = 0
        var dropped = 0
        while dropped < 50 {
            let result = try await node.on { [queued] node in
                var message = withUnsafeBytes(of: UInt32(queued).littleEndian) { Array($0) }
                message += [UInt8](repeating: 1, count: 10_000)
                let result = node.transport.send(message, to: NodeID(1))
                node.transport.flush()
                return result
            }
            if result == .full { dropped += 1 } else { queued += 1 }
            try #require(queued < 10_000)
        }
        #expect(try await node.on { $0.transport.statistics.peers[NodeID(1)]?.droppedFull } == 50)
        #expect(try await node.on { $0.transport.isConnected(NodeID(1)) })
        try await raw.setReading(true)
        try await raw.until { [queued] in $0.frames.count { $0.kind == .message } == queued }
        let numbers = try await raw.on { raw in
            raw.frames.filter { $0.kind == .message }
                .map { $0.body.prefix(4).reversed().reduce(0) { $0 << 8 | Int($1) } }
        }
        #expect(numbers == Array(0..<queued))
        // The queue has room again.
        try await node.until("it may send again") { $0.transport.send([1], to: NodeID(1)) == .queued }
        try await node.stop()
        try await raw.close()
    }

    @Test("a message that fills the queue to its limit is taken, one byte more is not")
    func queueLimit() async throws {
        let nodes = try await startCluster(2) {
            $0.maxFrameBytes = 100
            $0.maxBufferedBytesPerPeer = 200
        }
        let results = try await nodes[0].on { node in
            // The first takes 95 bytes with its frame; room is reckoned as if a message had to be relayed.
            let results = [90, 93, 92, 0].map { node.transport.send([UInt8](repeating: 0, count: $0), to: NodeID(2)) }
            #expect(node.transport.statistics.peers[NodeID(2)]?.droppedTooLarge == 2)
            return results
        }
        #expect(results == [.queued, .tooLarge, .tooLarge, .queued])
        let full = try await nodes[0].on { node in
            // 100 bytes are queued now: 95 and 5.
            [88, 87].map { node.transport.send([UInt8](repeating: 0, count: $0), to: NodeID(2)) }
        }
        #expect(full == [.full, .queued])
        try await stopAll(nodes)
    }
}

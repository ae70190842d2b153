import PeerTransport
import Raft
import Testing

@Suite("Handshake")
struct HandshakeTests {
    private let admission = Admission(cluster: "east", node: NodeID(1), incarnation: 10)

    private func read(_ bytes: [UInt8]) throws -> Hello.Reading { try Hello.read(bytes.dropFirst(5)) }

    private func refusal(_ bytes: [UInt8], dialled: UInt32? = nil) throws -> Refusal? {
        admission.refusal(of: try read(bytes), dialled: dialled.map { NodeID($0) }) { [2, 3].contains($0.rawValue) }
    }

    @Test("a hello survives the trip")
    func roundTrip() throws {
        let hello = Hello(cluster: "häuser", node: NodeID(7), target: NodeID(9), incarnation: .max, attempt: 3)
        #expect(try Hello.read(hello.encoded()[...]) == .hello(hello))
    }

    @Test("every truncated or prolonged hello is a violation")
    func damaged() {
        let good = Hello(cluster: "c", node: NodeID(7), target: NodeID(9), incarnation: 1, attempt: 3).encoded()
        for length in 0..<good.count {
            #expect(throws: ProtocolViolation.self) { try Hello.read(good.prefix(length)) }
        }
        #expect(throws: ProtocolViolation.self) { try Hello.read((good + [0])[...]) }
        #expect(throws: ProtocolViolation.self) { try Hello.read(([0] + good.dropFirst())[...]) }
    }

    @Test("a cluster identity at its limit passes, one past it does not")
    func clusterIdentityLimit() throws {
        let limit = PeerTransport.Configuration.maxClusterIdentityBytes
        let atLimit = String(repeating: "x", count: limit)
        _ = try read(hello(2, to: 1, cluster: atLimit))
        #expect(throws: ProtocolViolation.self) { try read(hello(2, to: 1, cluster: atLimit + "x")) }
        #expect(hello(2, to: 1, cluster: atLimit).count <= Frame.maxHandshakeBytes)
    }

    @Test("each mismatch has its own reason, and words that say what to do")
    func reasons() throws {
        #expect(try refusal(hello(2, to: 1, cluster: "east")) == nil)
        #expect(try refusal(hello(2, to: 1, cluster: "east"), dialled: 2) == nil)
        let cases: [([UInt8], UInt32?, Refusal.Reason, String)] = [
            (hello(2, to: 1, cluster: "east", version: 9), nil, .otherVersion, "run releases of Millrace"),
            (hello(2, to: 1, cluster: "west"), nil, .otherCluster, "node 2 of cluster 'west'"),
            (hello(1, to: 3, cluster: "east", incarnation: 10), nil, .wrongNode, "leads back to node 1 itself"),
            (hello(1, to: 3, cluster: "east", incarnation: 11), nil, .duplicateNode, "two processes run as node 1"),
            (
                hello(2, to: 3, cluster: "east"), nil, .wrongNode,
                "correct the address of node 3 in the configuration of node 2"
            ),
            (
                hello(3, to: 1, cluster: "east"), 2, .wrongNode,
                "correct the address of node 2 in the configuration of node 1"
            ),
            (hello(4, to: 1, cluster: "east"), nil, .unknownNode, "add it to the members"),
        ]
        for (bytes, dialled, reason, words) in cases {
            let refusal = try #require(try refusal(bytes, dialled: dialled))
            #expect(refusal.reason == reason)
            #expect(refusal.text.contains(words), "\(refusal.text)")
        }
    }

    @Test("a refusal survives the trip; control characters and excess do not; a reason from the future is no error")
    func refusals() throws {
        let refusal = Refusal(.wrongNode, "text")
        #expect(try Refusal.read(refusal.encoded()[...]) == refusal)
        let nasty = try Refusal.read(
            Refusal(.violation, "a\u{1B}[2Jb\nc" + String(repeating: "é", count: 600)).encoded()[...])
        #expect(nasty.text.hasPrefix("a [2Jb cé"))
        #expect(nasty.text.utf8.count <= Refusal.maxTextBytes && nasty.text.utf8.count > Refusal.maxTextBytes - 2)
        #expect(try Refusal.read([200, 1, 0, 0, 0, 65]) == Refusal(.unknown, "A"))
        #expect(throws: ProtocolViolation.self) { try Refusal.read([1, 9, 0, 0, 0, 65]) }
    }
}

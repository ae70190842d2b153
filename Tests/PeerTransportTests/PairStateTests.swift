import PeerTransport
import Raft
import Testing

@Suite("Which connection of a pair is kept")
struct PairStateTests {
    private func connection(_ incarnation: UInt64, dialler: UInt32, _ attempt: UInt64) -> ConnectionIdentity {
        ConnectionIdentity(incarnation: incarnation, dialler: NodeID(dialler), attempt: attempt)
    }

    @Test("between the same two processes the higher dialler wins, then the later dial")
    func preference() {
        var pair = PairState()
        #expect(pair.judge(connection(1, dialler: 1, 5)) == .adopt)
        pair.adopt(connection(1, dialler: 1, 5))
        #expect(pair.judge(connection(1, dialler: 1, 5)) == .redundant)
        #expect(pair.judge(connection(1, dialler: 1, 4)) == .redundant)
        #expect(pair.judge(connection(1, dialler: 1, 6)) == .replace)
        #expect(pair.judge(connection(1, dialler: 2, 1)) == .replace)
        pair.adopt(connection(1, dialler: 2, 1))
        #expect(pair.judge(connection(1, dialler: 1, 9)) == .redundant)
        pair.lost()
        #expect(pair.judge(connection(1, dialler: 1, 9)) == .adopt)
    }

    @Test("a new process replaces the old one, which never comes back")
    func restart() {
        var pair = PairState()
        pair.adopt(connection(1, dialler: 2, 5))
        #expect(pair.judge(connection(7, dialler: 1, 1)) == .replace)
        pair.adopt(connection(7, dialler: 1, 1))
        #expect(pair.judge(connection(1, dialler: 2, 6)) == .duplicate)
        pair.lost()
        #expect(pair.judge(connection(1, dialler: 2, 6)) == .duplicate)
        #expect(pair.judge(connection(7, dialler: 2, 1)) == .adopt)
    }

    @Test("as many superseded processes are remembered as the limit says, and no more")
    func memory() {
        var pair = PairState()
        for i in 0...UInt64(PairState.maxSuperseded) { pair.adopt(connection(i, dialler: 2, 1)) }
        #expect(pair.judge(connection(0, dialler: 2, 1)) == .duplicate)
        pair.adopt(connection(1000, dialler: 2, 1))
        #expect(pair.judge(connection(0, dialler: 2, 1)) == .replace)
        #expect(pair.judge(connection(1, dialler: 2, 1)) == .duplicate)
    }

    @Test("both ends keep the same connection, in whichever order they see them", arguments: 0..<200 as Range<UInt64>)
    func agreement(seed: UInt64) {
        var generator = TestGenerator(state: seed)
        let candidates = (0..<6).map { i in (dialler: UInt32(1 + generator.below(2)), attempt: UInt64(i)) }
        let kept = (0..<2).map { end in
            var pair = PairState()
            for candidate in candidates.shuffled(using: &generator) {
                // The incarnation seen at each end is that of the other.
                let connection = connection(UInt64(end) + 50, dialler: candidate.dialler, candidate.attempt)
                switch pair.judge(connection) {
                case .adopt, .replace: pair.adopt(connection)
                case .redundant: break
                case .duplicate: Issue.record("nobody restarted")
                }
            }
            return pair.current
        }
        #expect(kept[0]?.dialler == kept[1]?.dialler)
        #expect(kept[0]?.attempt == kept[1]?.attempt)
    }
}

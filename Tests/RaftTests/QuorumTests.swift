import Raft
import Testing

struct QuorumTests {
    /// By the definition: some majority, all of whose members have reached the value.
    private func reachedByDefinition(_ values: [UInt64]) -> UInt64 {
        var best: UInt64 = 0
        for subset in 0..<(1 << values.count) where subset.nonzeroBitCount * 2 > values.count {
            let members = values.indices.filter { subset >> $0 & 1 == 1 }
            best = max(best, members.map { values[$0] }.min()!)
        }
        return best
    }

    @Test("What a majority has reached, against all subsets", arguments: 1...7)
    func reached(members: Int) {
        var random = Random(UInt64(members))
        for _ in 0..<500 {
            let values = (0..<members).map { _ in UInt64(random.below(5)) }
            #expect(Quorum(members: members).reached { values[$0] } == reachedByDefinition(values), "\(values)")
        }
    }

    @Test("An election is won, lost or open, against all ways it can end", arguments: 1...7)
    func outcome(members: Int) {
        for granted in 0...members {
            for refused in 0...(members - granted) {
                let open = members - granted - refused
                let canWin = (granted + open) * 2 > members
                let hasWon = granted * 2 > members
                let expected: Quorum.Outcome = hasWon ? .won : canWin ? .open : .lost
                #expect(Quorum(members: members).outcome(granted: granted, refused: refused) == expected)
            }
        }
    }

    @Test("Any two quorums meet", arguments: 1...31)
    func intersection(members: Int) {
        #expect(Quorum(members: members).size * 2 > members)
        #expect((Quorum(members: members).size - 1) * 2 <= members)
    }
}

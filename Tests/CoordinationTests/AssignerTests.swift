import LimiterCore
import Raft
import Testing

@testable import Coordination

/// Whom the leader gives ranges, and whom it asks for them.
struct AssignerTests {
    /// A leader, node 1 of three, that has formed its cluster; all three speak at every tick.
    private struct Leader: ~Copyable {
        var assigner = Assigner(node: NodeID(1), voters: [1, 2, 3].map { NodeID($0) }, detectionTicks: 8)
        var state = ReplicatedState()
        var index: LogIndex = 1
        /// What each node says of itself, and who says nothing.
        var reports: [NodeID: NodeReport] = [:]
        var silent: Set<NodeID> = []

        init() {
            let genesis = Genesis(secretHigh: 1, secretLow: 2, cluster: 3, parameters: ClusterParameters())
            _ = state.apply(.genesis(genesis), at: index)
            for node in 1...3 {
                reports[NodeID(UInt32(node))] = NodeReport(
                    incarnation: 7, applied: index, served: 0, isDraining: false)
            }
            while !tick().assignments.isEmpty || state.owner(of: RangeID(63)) == nil {}
        }

        func served(by node: NodeID) -> UInt64 {
            RangeID.all.reduce(0) { state.owner(of: $1)?.node == node ? $0 | $1.bit : $0 }
        }

        /// A tick, and the log with what the leader wished for; nodes serve what they are given at once.
        mutating func tick() -> Assigner.Wishes {
            let wishes = assigner.tick(term: 1, commit: index, state: state)
            if !wishes.assignments.isEmpty {
                index += 1
                _ = state.apply(.assign(wishes.assignments), at: index)
                for assignment in wishes.assignments { reports[assignment.node]!.served |= assignment.range.bit }
            }
            for node in reports.keys.sorted() where !silent.contains(node) {
                reports[node]!.applied = index
                assigner.heard(reports[node]!, from: node)
            }
            return wishes
        }

        /// The entry with which a node gives a range back.
        mutating func release(_ range: RangeID) {
            index += 1
            let chunk = ReleaseChunk(
                range: range, epoch: state.epoch(of: range), chunk: 0, count: 1, stamp: AxisTime(ns: 0), tats: [],
                floors: [])
            let effects = state.apply(.release(chunk), at: index)
            #expect(effects == [.released(range)])
        }
    }

    @Test func everyRangeHasAnOwnerAndEveryOwnerItsPart() {
        let leader = Leader()
        for node: UInt32 in 1...3 { #expect((21...22).contains(leader.served(by: NodeID(node)).nonzeroBitCount)) }
    }

    /// It is asked for everything at each tick until all has come back, and none of it goes back to it: neither while it still serves
    /// other ranges, nor when a word from before comes late.
    @Test func whoDrainsIsAskedForItsRangesAndGivenNone() {
        var leader = Leader()
        let node = NodeID(2)
        let before = leader.reports[node]!
        let mine = leader.served(by: node)
        leader.reports[node]!.isDraining = true
        _ = leader.tick()  // hears it
        for range in RangeMask(mine) {
            let wishes = leader.tick()
            #expect(wishes.handOvers.filter { $0.to == node }.map(\.range) == Array(RangeMask(leader.served(by: node))))
            leader.release(range)
            leader.assigner.heard(before, from: node)
            let assignments = leader.tick().assignments
            #expect(assignments.map(\.range) == [range])
            #expect(assignments.allSatisfy { $0.node != node })
            leader.reports[node]!.served &= ~range.bit
        }
        _ = leader.tick()
        #expect(leader.tick().handOvers.isEmpty)
        #expect(leader.served(by: node) == 0)
        for other: UInt32 in [1, 3] { #expect(leader.served(by: NodeID(other)).nonzeroBitCount == 32) }
        // A new process of the node is another matter: it gets its part.
        leader.reports[node] = NodeReport(incarnation: 8, applied: leader.index, served: 0, isDraining: false)
        for _ in 0..<30 { for wish in leader.tick().handOvers { leader.release(wish.range) } }
        #expect(leader.served(by: node).nonzeroBitCount >= 4)
    }

    /// If all stop together nobody is left to take the ranges, but all may give them back: the log then has their exact state.
    @Test func allMayDrainTogether() {
        var leader = Leader()
        for node: UInt32 in 1...3 { leader.reports[NodeID(node)]!.isDraining = true }
        _ = leader.tick()
        let wishes = leader.tick()
        #expect(Set(wishes.handOvers.map(\.range)) == Set(RangeID.all))
        for wish in wishes.handOvers { leader.release(wish.range) }
        #expect(leader.tick().assignments.isEmpty)
    }

    /// What is being given back still counts as served: to take it before the log has it would cost what the owner's slack may have
    /// granted. What is not served any more, without a word, goes to somebody else at once.
    @Test func onlyWhatIsGivenUpIsTaken() {
        var leader = Leader()
        let node = NodeID(3)
        let range = RangeMask(leader.served(by: node)).first { _ in true }!
        for _ in 0..<20 { #expect(leader.tick().assignments.isEmpty) }
        leader.reports[node]!.served &= ~range.bit
        _ = leader.tick()
        #expect(leader.tick().assignments.map(\.range) == [range])
    }

    @Test func theSilentLoseTheirRangesAfterTheDetectionTime() {
        var leader = Leader()
        let node = NodeID(3)
        let mine = leader.served(by: node)
        leader.silent = [node]
        for _ in 0..<7 { #expect(leader.tick().assignments.isEmpty) }
        #expect(Set(leader.tick().assignments.map(\.range)) == Set(RangeMask(mine)))
    }
}

import LimiterCore
import Raft
import Testing

@testable import Coordination

/// The owner's side of giving a range back.
struct ReleaseTests {
    private static let range = RangeID(9)

    /// An owner of one range, and how often it proposes a release of it in the next three seconds.
    private func releasesProposed(after story: (inout Owner, inout ReplicatedState) -> Void) -> Int {
        let range = ReleaseTests.range
        var owner = Owner(tenant: Tenant(node: NodeID(1), incarnation: 7))
        var state = ReplicatedState()
        let now = ClockTime(ns: 1_000)
        let genesis = Genesis(secretHigh: 1, secretLow: 2, cluster: 3, parameters: ClusterParameters())
        owner.applied(state.apply(.genesis(genesis), at: 1), state: state, now: now)
        let ours = Assignment(range: range, replaces: 0, node: NodeID(1), incarnation: 7)
        owner.applied(state.apply(.assign([ours]), at: 2), state: state, now: now)
        let wasReleased = owner.release(range, state: state, now: now)
        #expect(wasReleased && owner.releasing == range.bit && owner.served == 0)
        _ = owner.flush(state: state, now: now, isTick: false)
        story(&owner, &state)
        var proposed = 0
        for millisecond in 1...3_000 {
            let (_, proposals) = owner.flush(state: state, now: now + Int64(millisecond) * 1_000_000, isTick: true)
            proposed += proposals.count { if case .release = $0 { true } else { false } }
        }
        return proposed
    }

    @Test func aReleaseIsProposedUntilTheLogHasIt() {
        // Every 150 ms.
        #expect(releasesProposed { _, _ in } == 20)
    }

    @Test func aReleaseThatSomebodyElseOvertookIsNotProposedAgain() {
        let proposed = releasesProposed { owner, state in
            let theirs = Assignment(range: ReleaseTests.range, replaces: 2, node: NodeID(2), incarnation: 8)
            owner.applied(state.apply(.assign([theirs]), at: 3), state: state, now: ClockTime(ns: 2_000))
            #expect(owner.releasing == 0)
        }
        #expect(proposed == 0)
    }
}

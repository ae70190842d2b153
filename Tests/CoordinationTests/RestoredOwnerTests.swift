import LimiterCore
import Raft
import Testing

@testable import Coordination

/// An owner whose node got a snapshot in the place of entries: no entry says to it that its covers were applied.
struct RestoredOwnerTests {
    private static let range = RangeID(3)
    private static let id = BucketID(high: 1, low: 30)

    /// An owner of a range whose first cover, with a bound, is on its way; and the log's state before that cover.
    private final class World {
        var owner = Owner(tenant: Tenant(node: NodeID(1), incarnation: 7))
        var state = ReplicatedState()
        var index: LogIndex = 0
        var now = ClockTime(ns: 1_000)

        init() {
            let genesis = Genesis(secretHigh: 1, secretLow: 2, cluster: 3, parameters: ClusterParameters())
            index += 1
            let formed = state.apply(.genesis(genesis), at: index)
            owner.applied(formed, state: state, now: now)
            let assignment = Assignment(range: range, replaces: 0, node: NodeID(1), incarnation: 7)
            index += 1
            let assigned = state.apply(.assign([assignment]), at: index)
            owner.applied(assigned, state: state, now: now)
        }

        var isCovered: Bool { owner.isCovered(range) }
        var isServing: Bool { owner.isServing(range) }
        var coversInFlight: Int { owner.coversInFlight }
        var waiting: Int { owner.waitingGroups }

        func flush() -> [Command] { owner.flush(state: state, now: now, isTick: false).proposals }

        /// What others have applied while this node only got the snapshot.
        func adopt(_ commands: [Command]) throws {
            var ahead = try ReplicatedState(snapshot: state.snapshot())
            index += 1
            for command in commands {
                index += 1
                _ = ahead.apply(command, at: index)
            }
            state = try ReplicatedState(snapshot: ahead.snapshot())
            owner.restored(state: state, now: now)
        }
    }

    @Test func aCoverInTheSnapshotCounts() throws {
        let world = World()
        let proposals = world.flush()
        #expect(proposals.count == 1 && world.coversInFlight == 1)
        #expect(!world.isCovered)
        try world.adopt(proposals)
        #expect(world.isCovered)
        #expect(world.coversInFlight == 0)
        let more = world.flush()
        #expect(more.isEmpty)
        // The same after each further snapshot: what has been granted since is not waited for in vain.
        world.owner.needCover(Self.range)
        world.now = world.now + 100_000_000
        let next = world.flush()
        #expect(next.count == 1)
        try world.adopt(next)
        #expect(world.coversInFlight == 0)
    }

    @Test func aCoverThatIsNotInItIsAskedForAgain() throws {
        let world = World()
        let first = world.flush()
        try world.adopt([])
        #expect(!world.isCovered)
        let again = world.flush()
        #expect(again.count == 1 && again != first)
        // Both arrive in the end, the old one with a number that nobody waits for.
        try world.adopt(first + again)
        #expect(world.isCovered && world.coversInFlight == 0)
    }

    /// The horizon of the tenure before does not count as ours: nothing is granted before a cover of our own epoch.
    @Test func anEarlierTenuresCoverDoesNotCount() throws {
        let world = World()
        try world.adopt(world.flush())
        #expect(world.isCovered)
        let away = Assignment(range: Self.range, replaces: 2, node: NodeID(2), incarnation: 9)
        try world.adopt([.assign([away])])
        #expect(!world.isServing)
        let epoch = world.state.epoch(of: Self.range)
        try world.adopt([.assign([Assignment(range: Self.range, replaces: epoch, node: NodeID(1), incarnation: 7)])])
        #expect(world.isServing && !world.isCovered)
        // Made in the same nanosecond as the earlier tenure's, this one cannot be told from it: it is asked for again.
        try world.adopt(world.flush())
        #expect(!world.isCovered)
        world.now = world.now + 1
        try world.adopt(world.flush())
        #expect(world.isCovered)
    }

    @Test func boundsThatAreMissingAreProposedAgain() throws {
        let world = World()
        try world.adopt(world.flush())
        // A request beyond the slack of an exact bucket waits for the log.
        let limit = try Limit(tokens: 10, per: 1_000_000_000, burst: 10)
        let terms = BucketTerms(
            emissionInterval: limit.emissionInterval, tolerance: limit.tolerance, unit: limit.unit, exact: true)
        let group = WaitingGroup(firstTicket: 1, count: 1, time: limit.emissionInterval, longestWait: 0)
        let item = ReportItem(range: Self.range, id: Self.id, terms: terms, waiting: [group])
        let answer = world.owner.receive(
            Report(session: 5, number: 1, verdictsSeen: 0, items: [item]), from: NodeID(2), state: world.state,
            now: world.now)
        #expect(answer?.verdicts.verdicts.isEmpty == true && world.waiting == 1)
        let lost = world.flush()
        try world.adopt([])
        #expect(world.waiting == 1)
        let again = world.flush()
        guard case .covers(let covers, _) = again.first, case .covers(let before, _) = lost.first else {
            Issue.record("no covers in \(again)")
            return
        }
        let bounds = covers.flatMap(\.bounds)
        #expect(!bounds.isEmpty && bounds == before.flatMap(\.bounds))
        // And what is in the next snapshot lets the request pass.
        try world.adopt(again)
        #expect(world.waiting == 0)
    }
}

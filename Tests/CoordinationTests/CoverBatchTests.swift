import LimiterCore
import Raft
import Testing

@testable import Coordination

/// What goes into a batch of covers, and when it leaves: each batch is an entry that everybody writes and syncs.
struct CoverBatchTests {
    /// An owner of all ranges whose first covers are applied.
    private final class World {
        var owner = Owner(tenant: Tenant(node: NodeID(1), incarnation: 7))
        private(set) var state = ReplicatedState()
        private var index: LogIndex = 0
        private var reports: UInt64 = 0
        var now = ClockTime(ns: 1_000)
        var waiting: Int { owner.waitingGroups }
        func isCovered(_ range: Int) -> Bool { owner.isCovered(RangeID(range)) }

        init() {
            apply(.genesis(Genesis(secretHigh: 1, secretLow: 2, cluster: 3, parameters: ClusterParameters())))
            apply(.assign(RangeID.all.map { Assignment(range: $0, replaces: 0, node: NodeID(1), incarnation: 7) }))
            for command in flush() { apply(command) }
        }

        func apply(_ command: Command) {
            index += 1
            let effects = state.apply(command, at: index)
            owner.applied(effects, state: state, now: now)
        }

        func flush(isTick: Bool = false) -> [Command] {
            owner.flush(state: state, now: now, isTick: isTick).proposals
        }

        /// A request for a token of a bucket with a hundred, one each 10 ms; `exact` ones wait for the log, the others are
        /// granted on slack.
        func ask(_ range: Int, _ key: UInt64, exact: Bool, count: UInt32 = 1) {
            let limit = try! Limit(tokens: 100, per: 1_000_000_000, burst: 100)
            let terms = BucketTerms(
                emissionInterval: limit.emissionInterval, tolerance: limit.tolerance, unit: limit.unit, exact: exact)
            let id = BucketID(high: key, low: 30)
            let group = WaitingGroup(firstTicket: 1, count: count, time: limit.emissionInterval, longestWait: 0)
            reports += 1
            _ = owner.receive(
                Report(
                    session: 5, number: reports, verdictsSeen: .max / 2,
                    items: [ReportItem(range: RangeID(range), id: id, terms: terms, waiting: [group])]),
                from: NodeID(2), state: state, now: now)
        }
    }

    private func covers(_ commands: [Command]) -> [Cover] {
        commands.flatMap { command -> [Cover] in
            if case .covers(let covers, _) = command { covers } else { [] }
        }
    }

    @Test("Where there is no room for all bounds, every range has its turn")
    func turns() {
        let world = World()
        world.owner.mostBounds = 2
        for key in 0..<10 { for range in [3, 20, 40, 63] { world.ask(range, UInt64(key), exact: true) } }
        var bounds: [Int: Int] = [:]
        for _ in 0..<4 {
            let proposals = world.flush()
            for cover in covers(proposals) { bounds[cover.range.index, default: 0] += cover.bounds.count }
            for command in proposals { world.apply(command) }
        }
        #expect(bounds == [3: 2, 20: 2, 40: 2, 63: 2])
        // And nothing is lost on the way.
        for _ in 0..<16 { for command in world.flush() { world.apply(command) } }
        #expect(world.waiting == 0)
    }

    @Test("What is asked for ahead of need waits for company, and leaves with it")
    func company() {
        let world = World()
        // 26 of 100 tokens are more than slack without a record lets pass, so this waits; its bound is asked for at once.
        world.ask(3, 1, exact: false, count: 26)
        let first = world.flush()
        #expect(covers(first).flatMap(\.bounds).count == 1)
        for command in first { world.apply(command) }
        #expect(world.waiting == 0)
        // Now it is drained further, and the next stretch is asked for ahead: that can wait.
        world.ask(3, 1, exact: false, count: 14)
        #expect(world.waiting == 0)
        let none = world.flush()
        #expect(none.isEmpty)
        // Somebody else cannot.
        world.ask(9, 2, exact: true)
        let both = world.flush()
        #expect(both.count == 1)
        #expect(covers(both).filter { !$0.bounds.isEmpty }.map(\.range.index).sorted() == [3, 9])
    }

    @Test("Without company it leaves by itself before long")
    func noCompany() {
        let world = World()
        world.ask(3, 1, exact: false, count: 26)
        for command in world.flush() { world.apply(command) }
        world.ask(3, 1, exact: false, count: 14)
        var ticks = 0
        var proposals: [Command] = []
        while proposals.isEmpty, ticks < 100 {
            ticks += 1
            proposals = world.flush(isTick: true)
            world.now = world.now + 10_000_000
        }
        #expect(ticks == 1 + Int(Owner.company / 10_000_000))
        #expect(covers(proposals).flatMap(\.bounds).count == 1)
    }

    @Test("A batch that leaves anyway renews the ranges that would soon need one of their own")
    func alongside() {
        let world = World()
        let horizon = ClusterParameters().horizon
        for range in [1, 2, 3] { world.ask(range, 1, exact: false) }
        world.now = world.now + horizon / 5
        let none = world.flush(isTick: true)
        #expect(none.isEmpty)
        // The next tick would renew these three, one batch serves them and who waits.
        world.ask(9, 2, exact: true)
        let proposals = world.flush()
        #expect(proposals.count == 1)
        #expect(covers(proposals).map(\.range.index) == [1, 2, 3, 9])
        for command in proposals { world.apply(command) }
        world.now = world.now + horizon / 5
        let more = world.flush(isTick: true)
        #expect(more.isEmpty)
    }

    @Test("A range whose cover is under way needs no second one, unless that was another tenure's")
    func underWay() {
        let world = World()
        world.owner.needCover(RangeID(3))
        let first = world.flush()
        #expect(covers(first).map(\.range.index) == [3])
        world.owner.needCover(RangeID(3))
        let second = world.flush()
        #expect(second.isEmpty)
        // Nor when it has arrived.
        for command in first { world.apply(command) }
        let third = world.flush()
        #expect(third.isEmpty)

        world.owner.needCover(RangeID(3))
        let old = world.flush()
        let epoch = world.state.epoch(of: RangeID(3))
        world.apply(.assign([Assignment(range: RangeID(3), replaces: epoch, node: NodeID(2), incarnation: 9)]))
        let away = world.state.epoch(of: RangeID(3))
        world.apply(.assign([Assignment(range: RangeID(3), replaces: away, node: NodeID(1), incarnation: 7)]))
        let new = world.flush()
        #expect(covers(new).map(\.range.index) == [3])
        for command in old + new { world.apply(command) }
        #expect(world.isCovered(3))
    }
}

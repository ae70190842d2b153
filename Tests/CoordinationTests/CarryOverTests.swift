import LimiterCore
import Raft
import Testing

@testable import Coordination

/// Who changes a rule does not hand out its burst again, whatever waits for the log at that moment (design, section 2).
struct CarryOverTests {
    /// An owner of all ranges and one key of a rule that changes.
    private final class World {
        private var owner = Owner(tenant: Tenant(node: NodeID(1), incarnation: 7))
        private var state = ReplicatedState()
        private var index: LogIndex = 0
        private var reports: UInt64 = 0
        private let range = RangeID(9)
        var now = ClockTime(ns: 1_000)
        var waiting: Int { owner.waitingGroups }

        init() {
            owner.isTracing = true
            apply(.genesis(Genesis(secretHigh: 1, secretLow: 2, cluster: 3, parameters: ClusterParameters())))
            apply(.assign(RangeID.all.map { Assignment(range: $0, replaces: 0, node: NodeID(1), incarnation: 7) }))
        }

        private func apply(_ command: Command) {
            index += 1
            let effects = state.apply(command, at: index)
            owner.applied(effects, state: state, now: now)
        }

        /// The log takes what is proposed until nobody waits any more. Returns how much each version was granted.
        func commit() -> [UInt64: Int] {
            for _ in 0..<8 {
                for command in owner.flush(state: state, now: now, isTick: false).proposals { apply(command) }
            }
            return owner.admissions.takeAll().reduce(into: [:]) { $0[$1.id.high, default: 0] += 1 }
        }

        /// So many requests for a token, which wait for the log each time.
        func ask(
            _ count: UInt32, version: UInt64, of limit: Limit, after earlier: [(version: UInt64, limit: Limit)] = []
        ) {
            let group = WaitingGroup(firstTicket: 1, count: count, time: limit.emissionInterval, longestWait: 0)
            reports += 1
            let item = ReportItem(
                range: range, id: id(version),
                terms: BucketTerms(
                    emissionInterval: limit.emissionInterval, tolerance: limit.tolerance, unit: limit.unit, exact: true),
                predecessors: earlier.map {
                    .init(id: id($0.version), emissionInterval: $0.limit.emissionInterval, unit: $0.limit.unit)
                }, waiting: [group])
            _ = owner.receive(
                Report(session: 5, number: reports, verdictsSeen: .max / 2, items: [item]), from: NodeID(2),
                state: state,
                now: now)
        }

        private func id(_ version: UInt64) -> BucketID { BucketID(high: version, low: 27) }
    }

    private func limit(_ tokens: Int64, per seconds: Int64 = 1, burst: Int64) throws -> Limit {
        try Limit(tokens: tokens, per: seconds * 1_000_000_000, burst: burst)
    }

    @Test("Requests of the old version that wait before those of the new one use up the new one's burst")
    func waitsBehind() throws {
        let world = World()
        let (old, new) = (try limit(500, burst: 60), try limit(500, burst: 42))
        world.ask(90, version: 1, of: old)
        world.ask(30, version: 2, of: new, after: [(1, old)])
        world.ask(30, version: 3, of: new, after: [(2, new), (1, old)])
        #expect(world.waiting == 3)
        #expect(world.commit() == [1: 60])
        #expect(world.waiting == 0)
        // 20 ms are ten tokens.
        world.now = world.now + 20_000_000
        world.ask(30, version: 3, of: new, after: [(2, new), (1, old)])
        #expect(world.commit() == [3: 10])
    }

    @Test(
        "What the old version has used is carried over once: a bucket that refills slowly does not hold back the one that follows it"
    )
    func onlyOnce() throws {
        let world = World()
        let (old, new) = (try limit(1, per: 60, burst: 10), try limit(100, burst: 100))
        world.ask(10, version: 1, of: old)
        #expect(world.commit() == [1: 10])
        world.ask(100, version: 2, of: new, after: [(1, old)])
        #expect(world.commit() == [2: 90])
        world.now = world.now + 1_000_000_000
        world.ask(100, version: 2, of: new, after: [(1, old)])
        #expect(world.waiting == 1)
        #expect(world.commit() == [2: 100])
    }
}

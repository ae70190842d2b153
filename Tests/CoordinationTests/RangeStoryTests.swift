import LimiterCore
import Raft
import Testing

@testable import Coordination

/// Who may hand out what: the table of design section 3, entry by entry.
struct RangeStoryTests {
    private static let range = RangeID(5)
    private static let id = BucketID(high: 1, low: 30)
    private static let other = BucketID(high: 2, low: 30)

    /// A log that is written as the story goes; every entry has the next index, from 11.
    private final class Log {
        var state = ReplicatedState()
        var index: LogIndex = 10
        private var requests: UInt64 = 0

        @discardableResult
        func append(_ command: Command) -> [Effect] {
            index += 1
            return state.apply(command, at: index)
        }

        @discardableResult
        func assign(replacing epoch: UInt64, to node: UInt32, incarnation: UInt64 = 1) -> [Effect] {
            append(.assign([Assignment(range: range, replaces: epoch, node: NodeID(node), incarnation: incarnation)]))
        }

        /// Whether the cover counted.
        @discardableResult
        func cover(epoch: UInt64, stamp: Int64, horizon: Int64, _ bounds: [Bound] = []) -> Bool {
            requests += 1
            let request = RequestID(incarnation: 9, number: requests)
            let effects = append(
                .covers(
                    [
                        Cover(
                            range: range, epoch: epoch, stamp: AxisTime(ns: stamp), horizon: AxisTime(ns: horizon),
                            bounds: bounds)
                    ], request))
            // The proposer learns that its batch was applied, whether or not it counted.
            #expect(effects.last == .done(request, refusal: nil))
            return effects.first == .covered(range)
        }

        @discardableResult
        func release(
            epoch: UInt64, _ chunk: UInt32, of count: UInt32, stamp: Int64, _ tats: [Bound] = [],
            floors: [AxisTime] = []
        ) -> [Effect] {
            append(
                .release(
                    ReleaseChunk(
                        range: range, epoch: epoch, chunk: chunk, count: count, stamp: AxisTime(ns: stamp), tats: tats,
                        floors: floors)))
        }

        private var range: RangeID { RangeStoryTests.range }
        var epoch: UInt64 { state.epoch(of: range) }
        var owner: NodeID? { state.owner(of: range)?.node }
        var stamp: Int64 { state.stamp(of: range).ns }
        var horizon: AxisTime { state.horizon(of: range) }
        var floor: AxisTime { state.floor(of: range) }
        func bound(_ id: BucketID) -> AxisTime { state.bound(of: id, in: range) }
    }

    private func bound(_ id: BucketID, _ ns: Int64) -> Bound { Bound(id: id, time: AxisTime(ns: ns)) }

    @Test("Two leaders assign one range: the first one counts, and the epoch is its log index")
    func staleAssignment() {
        let log = Log()
        #expect(log.assign(replacing: 0, to: 1) == [.assigned(Self.range)])
        #expect(log.epoch == 11 && log.owner == NodeID(1))
        #expect(log.assign(replacing: 0, to: 2).isEmpty)
        #expect(log.epoch == 11 && log.owner == NodeID(1))
        #expect(log.assign(replacing: 11, to: 2, incarnation: 7) == [.assigned(Self.range)])
        #expect(log.epoch == 13)
        #expect(log.state.owner(of: Self.range) == Tenant(node: NodeID(2), incarnation: 7))
    }

    @Test("Of two assignments of one range in one entry the second finds its epoch replaced")
    func twiceInOneEntry() {
        let log = Log()
        let assignments = [1, 2].map { Assignment(range: Self.range, replaces: 0, node: NodeID($0), incarnation: 1) }
        #expect(log.append(.assign(assignments)) == [.assigned(Self.range)])
        #expect(log.owner == NodeID(1))
    }

    @Test("Covers merge by the maximum, in whatever order they come")
    func covers() {
        let log = Log()
        log.assign(replacing: 0, to: 1)
        #expect(log.horizon == .never && log.stamp == 0)
        #expect(log.cover(epoch: 11, stamp: 2_000, horizon: 2_750, [bound(Self.id, 5_000)]))
        #expect(log.cover(epoch: 11, stamp: 1_000, horizon: 1_750, [bound(Self.id, 4_000), bound(Self.other, 6_000)]))
        #expect(log.stamp == 2_000 && log.horizon.ns == 2_750)
        #expect(log.bound(Self.id).ns == 5_000 && log.bound(Self.other).ns == 6_000)
        #expect(log.cover(epoch: 11, stamp: 3_000, horizon: 3_750, [bound(Self.id, 7_000)]))
        #expect(log.stamp == 3_000 && log.horizon.ns == 3_750 && log.bound(Self.id).ns == 7_000)
    }

    @Test("A cover of any epoch but the current one counts for nothing")
    func coverOfAnotherEpoch() {
        let log = Log()
        #expect(!log.cover(epoch: 0, stamp: 1, horizon: 2))  // nobody owns it yet
        log.assign(replacing: 0, to: 1)
        let first = log.epoch
        log.cover(epoch: first, stamp: 1_000, horizon: 1_750)
        log.assign(replacing: first, to: 2)
        #expect(!log.cover(epoch: first, stamp: 9_000, horizon: 9_750, [bound(Self.id, 9_900)]))
        #expect(!log.cover(epoch: log.epoch + 1, stamp: 9_000, horizon: 9_750, [bound(Self.id, 9_900)]))
        #expect(log.stamp == 1_000 && log.horizon.ns == 1_750 && log.bound(Self.id) == .never)
    }

    @Test("An assignment raises the floor to the horizon, and never lowers it")
    func floor() {
        let log = Log()
        log.assign(replacing: 0, to: 1)
        #expect(log.floor == .never)
        log.cover(epoch: log.epoch, stamp: 1_000, horizon: 1_750, [bound(Self.id, 5_000)])
        log.assign(replacing: log.epoch, to: 2)
        #expect(log.floor.ns == 1_750)
        // What the log knows of the buckets stays.
        #expect(log.bound(Self.id).ns == 5_000)
        // The horizon stays as well: the new owner may use what is left of it once it has covered. Its floor pays for it.
        #expect(log.horizon.ns == 1_750)
        log.cover(epoch: log.epoch, stamp: 1_200, horizon: 1_600)
        log.assign(replacing: log.epoch, to: 3)
        #expect(log.floor.ns == 1_750)
        // A release clears the horizon. What was paid for before it stays paid for: holders of old epochs still have their spans.
        log.release(epoch: log.epoch, 0, of: 1, stamp: 1_300)
        #expect(log.horizon == .never)
        log.assign(replacing: log.epoch, to: 1)
        #expect(log.floor.ns == 1_750)
    }

    @Test("A release in parts takes effect with the last one: exact tats, no horizon, nobody's epoch")
    func release() {
        let log = Log()
        log.assign(replacing: 0, to: 1)
        let epoch = log.epoch
        log.cover(epoch: epoch, stamp: 1_000, horizon: 1_750, [bound(Self.id, 9_000), bound(Self.other, 9_000)])
        var floors = [AxisTime](repeating: .never, count: BucketID.classes)
        floors[30] = AxisTime(ns: 1_600)
        #expect(log.release(epoch: epoch, 0, of: 2, stamp: 1_500, [bound(Self.id, 4_000)]).isEmpty)
        #expect(log.owner == NodeID(1) && log.bound(Self.id).ns == 9_000)
        #expect(log.release(epoch: epoch, 1, of: 2, stamp: 1_500, [], floors: floors) == [.released(Self.range)])
        #expect(log.owner == nil && log.epoch == epoch && log.horizon == .never && log.stamp == 1_500)
        // A bound that was never used is given back; a forgotten bucket starts at its floor.
        #expect(log.bound(Self.id).ns == 4_000)
        #expect(log.bound(Self.other).ns == 1_600)
        // The epoch is closed: nothing that its owner proposed before counts any more.
        #expect(!log.cover(epoch: epoch, stamp: 2_000, horizon: 2_750, [bound(Self.id, 9_500)]))
        #expect(log.release(epoch: epoch, 0, of: 1, stamp: 2_000).isEmpty)
        #expect(log.bound(Self.id).ns == 4_000 && log.stamp == 1_500)
        // The next tenure costs nobody anything: there is no horizon to pay for.
        log.assign(replacing: epoch, to: 2)
        #expect(log.floor == .never && log.owner == NodeID(2))
    }

    @Test("Parts come in any order, and repeated ones are ignored")
    func releaseOutOfOrder() {
        let log = Log()
        log.assign(replacing: 0, to: 1)
        let epoch = log.epoch
        let third = BucketID(high: 3, low: 30)
        let floors = (0..<BucketID.classes).map { AxisTime(ns: Int64($0)) }
        #expect(log.release(epoch: epoch, 2, of: 3, stamp: 100, [bound(third, 3_000)], floors: floors).isEmpty)
        #expect(log.release(epoch: epoch, 0, of: 3, stamp: 100, [bound(Self.id, 1_000)]).isEmpty)
        #expect(log.release(epoch: epoch, 0, of: 3, stamp: 100, [bound(Self.id, 1_000)]).isEmpty)
        #expect(log.release(epoch: epoch, 3, of: 3, stamp: 100, [bound(Self.other, 2_000)]).isEmpty)
        #expect(log.release(epoch: epoch, 2, of: 3, stamp: 100, [bound(third, 3_000)], floors: floors).isEmpty)
        #expect(log.owner == NodeID(1) && log.state.releasedParts(of: Self.range) == [0, 2])
        #expect(log.release(epoch: epoch, 1, of: 3, stamp: 100, [bound(Self.other, 2_000)]) == [.released(Self.range)])
        #expect(
            log.state.bounds(of: Self.range, after: .never)
                == [bound(Self.id, 1_000), bound(Self.other, 2_000), bound(third, 3_000)])
        #expect(log.state.boundFloors(of: Self.range) == floors)
    }

    @Test("Parts that disagree about how many there are do not add up, and half a release dies with its epoch")
    func brokenRelease() {
        let log = Log()
        log.assign(replacing: 0, to: 1)
        let first = log.epoch
        log.release(epoch: first, 0, of: 2, stamp: 100, [bound(Self.id, 1_000)])
        #expect(log.release(epoch: first, 1, of: 3, stamp: 100).isEmpty)
        #expect(log.release(epoch: first, 0, of: 0, stamp: 100).isEmpty)
        log.assign(replacing: first, to: 2)
        // The old owner's second half must not complete anything, and the new owner begins with its own first part.
        #expect(log.release(epoch: first, 1, of: 2, stamp: 100).isEmpty)
        let second = log.epoch
        #expect(log.owner == NodeID(2))
        #expect(log.release(epoch: second, 0, of: 1, stamp: 200) == [.released(Self.range)])
        #expect(log.bound(Self.id) == .never)
    }

    @Test("Half a release travels with a snapshot")
    func releaseAcrossASnapshot() throws {
        let log = Log()
        log.assign(replacing: 0, to: 1)
        let floors = (0..<BucketID.classes).map { AxisTime(ns: Int64($0)) }
        log.release(epoch: 11, 1, of: 2, stamp: 100, [bound(Self.id, 1_000)], floors: floors)
        var copy = try ReplicatedState(snapshot: log.state.snapshot())
        #expect(copy.releasedParts(of: Self.range) == [1])
        let last = Command.release(
            ReleaseChunk(
                range: Self.range, epoch: 11, chunk: 0, count: 2, stamp: AxisTime(ns: 100), tats: [], floors: []))
        #expect(copy.apply(last, at: 13) == [.released(Self.range)])
        #expect(copy.bound(of: Self.id, in: Self.range).ns == 1_000 && copy.boundFloors(of: Self.range) == floors)
    }

    @Test("Of two births the first one counts, and its capacities are everybody's")
    func genesis() {
        var state = ReplicatedState()
        var parameters = ClusterParameters()
        parameters.boundsPerRange = 16
        func genesis(_ cluster: UInt64) -> Command {
            .genesis(Genesis(secretHigh: 1, secretLow: 2, cluster: cluster, parameters: parameters))
        }
        #expect(state.apply(genesis(1), at: 1) == [.formed])
        #expect(state.apply(genesis(2), at: 2).isEmpty)
        #expect(state.genesis?.cluster == 1)
        _ = state.apply(
            .assign([Assignment(range: Self.range, replaces: 0, node: NodeID(1), incarnation: 1)]), at: 3)
        let bounds = (1...17).map { bound(BucketID(high: $0, low: $0 << 6 | 30), Int64($0) * 1_000) }
        func cover(_ bounds: [Bound]) -> Command {
            .covers(
                [
                    Cover(
                        range: Self.range, epoch: 3, stamp: AxisTime(ns: 1), horizon: AxisTime(ns: 2), bounds: bounds)
                ], RequestID(incarnation: 1, number: 1))
        }
        _ = state.apply(cover(Array(bounds.prefix(16))), at: 4)
        #expect(state.boundCount(of: Self.range) == 16 && state.boundFloors(of: Self.range)[30] == .never)
        _ = state.apply(cover([bounds[16]]), at: 5)
        #expect(state.boundCount(of: Self.range) == 13 && state.boundFloors(of: Self.range)[30].ns == 4_000)
    }

    @Test(
        "Bounds that the axis has passed are dropped at the same entry everywhere: when a new stretch of 2^36 ns begins"
    )
    func sweeping() {
        let log = Log()
        log.assign(replacing: 0, to: 1)
        let stretch: Int64 = 1 << 36
        log.cover(epoch: 11, stamp: 1_000, horizon: 1_750, [bound(Self.id, 5_000), bound(Self.other, stretch + 10)])
        log.cover(epoch: 11, stamp: stretch - 1, horizon: stretch)
        #expect(log.state.boundCount(of: Self.range) == 2)
        log.cover(epoch: 11, stamp: stretch, horizon: stretch + 750)
        #expect(log.state.boundCount(of: Self.range) == 1 && log.bound(Self.other).ns == stretch + 10)
    }
}

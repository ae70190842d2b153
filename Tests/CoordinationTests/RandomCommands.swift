import LimiterCore
import Raft

@testable import Coordination

/// Writes a log as a cluster would, and now and then as only a broken one could: late and repeated entries, wrong epochs.
struct CommandWriter {
    var generator: SplitMix64
    /// Few, so that things happen in them.
    static let ranges = (0..<3).map { RangeID($0) }
    /// More than fit into a table of ``capacity``.
    static let ids = (0..<60).map { number(UInt64($0)) }

    /// Of one of three tolerance classes.
    private static func number(_ i: UInt64) -> BucketID {
        let toleranceClass: UInt64 = 28 + i % 3
        return BucketID(high: (i + 1) &* 0x9e37_79b9_7f4a_7c15, low: i << 6 | toleranceClass)
    }

    static let capacity = 16
    private static let names = ["api", "login", "search", "upload"]

    private var epochs = [UInt64](repeating: 0, count: RangeID.count)
    private var clocks = [Int64](repeating: 1_000_000_000, count: RangeID.count)
    private var request: UInt64 = 0
    private var chunks: [ReleaseChunk] = []

    init(seed: UInt64) { generator = SplitMix64(seed: seed) }

    static var genesis: Command {
        var parameters = ClusterParameters()
        parameters.boundsPerRange = capacity
        return .genesis(Genesis(secretHigh: 1, secretLow: 2, cluster: 3, parameters: parameters))
    }

    /// The entry for `index`.
    mutating func command(at index: LogIndex) -> Command {
        if !chunks.isEmpty, generator.chance(2) {
            // In order as a rule; sometimes one is repeated or comes too early.
            return .release(generator.chance(6) ? generator.pick(chunks) : chunks.removeFirst())
        }
        let range = generator.pick(CommandWriter.ranges)
        let epoch = generator.chance(10) ? epochs[range.index] + 1 : epochs[range.index]
        switch generator.below(20) {
        case 0: return CommandWriter.genesis
        case 1: return rules()
        case 2, 3:
            if epoch == epochs[range.index] { epochs[range.index] = index }
            return .assign([
                Assignment(
                    range: range, replaces: epoch, node: NodeID(1 + UInt32(generator.below(3))),
                    incarnation: generator.next())
            ])
        case 4:
            clocks[range.index] += generator.within(0...20_000_000_000)
            let stamp = AxisTime(ns: clocks[range.index])
            let count = 1 + generator.below(3)
            chunks += (0..<count).map { k in
                ReleaseChunk(
                    range: range, epoch: epoch, chunk: UInt32(k), count: UInt32(count), stamp: stamp,
                    tats: bounds(after: stamp), floors: k == count - 1 ? floors(stamp) : [])
            }
            return .release(chunks.removeFirst())
        default: return covers()
        }
    }

    private mutating func covers() -> Command {
        request += 1
        var covers: [Cover] = []
        for range in CommandWriter.ranges where generator.chance(2) {
            clocks[range.index] += generator.within(0...3_000_000_000)
            // Late ones are older than what is known already.
            let stamp = AxisTime(ns: clocks[range.index] - (generator.chance(5) ? 4_000_000_000 : 0))
            covers.append(
                Cover(
                    range: range, epoch: generator.chance(10) ? 1 : epochs[range.index], stamp: stamp,
                    horizon: stamp + 750_000_000, bounds: bounds(after: stamp)))
        }
        return .covers(covers, RequestID(incarnation: 7, number: request))
    }

    private mutating func bounds(after stamp: AxisTime) -> [Bound] {
        var bounds: [BucketID: AxisTime] = [:]
        for _ in 0..<generator.below(8) {
            bounds[generator.pick(CommandWriter.ids)] = stamp + generator.within(-1_000_000_000...30_000_000_000)
        }
        return bounds.map { Bound(id: $0.key, time: $0.value) }.sorted { $0.id < $1.id }
    }

    private mutating func floors(_ stamp: AxisTime) -> [AxisTime] {
        if generator.chance(2) { return [] }
        return (0..<BucketID.classes).map { _ in
            generator.chance(2) ? .never : stamp + generator.within(-1_000_000_000...1_000_000_000)
        }
    }

    mutating func rules() -> Command {
        request += 1
        var changes: [RuleChange] = []
        for _ in 0...generator.below(3) {
            let name = generator.pick(CommandWriter.names)
            changes.append(generator.chance(4) ? .delete(name) : .put(generator.rule(named: name)))
        }
        return .rules(changes, RequestID(incarnation: 7, number: request))
    }
}

extension SplitMix64 {
    mutating func limit() -> Limit {
        try! Limit(tokens: 1 + Int64(below(100)), per: 1_000_000_000, burst: 1 + Int64(below(1_000)))
    }

    mutating func rule(named name: String) -> Rule {
        let keys = (0..<below(4)).map { "key \($0)" }
        let isDelayed = chance(2)
        let (limit, limits) = (limit(), keys.map { _ in self.limit() })
        let canBeDivided = !isDelayed && ([limit] + limits).allSatisfy { $0.burst > 1 }
        return try! Rule(
            name: name, limit: limit, onLimit: isDelayed ? .delay(1 + Int64(below(1_000_000))) : .reject,
            onIsolation: pick(OnIsolation.allCases), exact: chance(2), shadow: chance(2),
            reserveForCritical: canBeDivided ? below(100) : 0,
            overrides: zip(keys, limits).map { Rule.Override(key: $0, limit: $1) })
    }

    /// Any command at all, with numbers as wild as the types allow.
    mutating func command() -> Command {
        switch below(5) {
        case 0:
            var parameters = ClusterParameters()
            parameters.rho = Int64(below(100_000_001))
            parameters.horizon = within(1_000_000...60_000_000_000)
            parameters.boundsPerRange = 16 + below(1_000)
            return .genesis(
                Genesis(secretHigh: number(), secretLow: number(), cluster: number(), parameters: parameters))
        case 1:
            return .rules(
                list(upTo: 4) { generator in
                    let name = generator.pick(["a", "some.rule", "x-1"])
                    return generator.chance(3) ? .delete(name) : .put(generator.rule(named: name))
                }, RequestID(incarnation: number(), number: number()))
        case 2:
            return .assign(
                list(upTo: 5) {
                    Assignment(
                        range: $0.range(), replaces: $0.number(), node: NodeID(1 + UInt32($0.below(9))),
                        incarnation: $0.number())
                })
        case 3:
            return .covers(
                list(upTo: 4) {
                    Cover(
                        range: $0.range(), epoch: $0.number(), stamp: $0.axis(), horizon: $0.axis(), bounds: $0.bounds()
                    )
                }, RequestID(incarnation: number(), number: number()))
        default:
            let floors = chance(2) ? [] : (0..<BucketID.classes).map { _ in axis() }
            return .release(
                ReleaseChunk(
                    range: range(), epoch: number(), chunk: number(), count: number(), stamp: axis(), tats: bounds(),
                    floors: floors))
        }
    }

    private mutating func range() -> RangeID { RangeID(below(RangeID.count)) }
    private mutating func axis() -> AxisTime { AxisTime(ns: number()) }
    private mutating func bounds() -> [Bound] {
        list(upTo: 5) { Bound(id: BucketID(high: $0.next(), low: $0.number()), time: $0.axis()) }
    }
}

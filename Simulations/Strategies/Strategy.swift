import LimiterCore
import Simulator

/// The ways to coordinate that are compared.
package enum Strategy: String, CaseIterable, Sendable {
    case tellEveryone = "tell everyone"
    case gossip = "gossip"
    case cache = "shared cache"
    case replicatedCache = "cache with replica"
    case owners = "leader and owners"
    case localShare = "local share"

    /// The period of gossip where nothing else is said: 100 ms.
    package static let gossipPeriod: Int64 = 100_000_000

    /// One run. Each machine brings `conditions.perSecond` of its requests; servers come on top.
    func run(
        _ conditions: FleetConditions, seed: UInt64, gossipPeriod: Int64 = Strategy.gossipPeriod
    ) throws(LimitError) -> FleetOutcome {
        let n = conditions.perSecond.count
        let limit = conditions.limit
        switch self {
        case .tellEveryone:
            return Strategy.run(n, conditions, seed) { place, _ in TellEveryone(limit, place: place, machines: n) }
        case .gossip:
            return Strategy.run(n, conditions, seed) { place, _ in
                Gossip(limit, place: place, machines: n, period: gossipPeriod, seed: seed)
            }
        case .cache, .replicatedCache:
            let hasReplica = self == .replicatedCache
            return Strategy.run(n + (hasReplica ? 2 : 1), conditions, seed) { place, _ in
                SharedCache(
                    limit, place: place, clients: n, hasReplica: hasReplica, repeats: conditions.links == .udp)
            }
        case .owners:
            return Strategy.run(n, conditions, seed) { place, now in
                LeaderAndOwners(limit, place: place, machines: n, seed: seed, now: now)
            }
        case .localShare:
            // Throws once, here, instead of in each machine.
            _ = try LocalShare(limit, machines: n)
            return Strategy.run(n, conditions, seed) { _, _ in try! LocalShare(limit, machines: n) }
        }
    }

    private static func run<C: Coordinator>(
        _ machines: Int, _ conditions: FleetConditions, _ seed: UInt64, _ make: (Int, ClockTime) -> C
    ) -> FleetOutcome {
        var fleet = Fleet(machines: machines, conditions: conditions, seed: seed, make: make)
        return fleet.run()
    }
}

/// How a load balancer spreads the same requests over the machines.
package enum Spread: String, CaseIterable, Sendable {
    case even = "even"
    /// The k-th machine gets a part in proportion to 1/k (Zipf).
    case skewed = "skewed (1/k)"
    case one = "all on one"

    /// Requests a second for each of `n` machines, `total` together.
    func rates(_ n: Int, total: Double) -> [Double] {
        switch self {
        case .even: return Array(repeating: total / Double(n), count: n)
        case .skewed:
            let sum = (1...n).reduce(0) { $0 + 1 / Double($1) }
            return (1...n).map { total / Double($0) / sum }
        case .one: return (0..<n).map { $0 == 0 ? total : 0 }
        }
    }
}

/// What goes wrong in a fleet while it is loaded.
package enum FleetTrouble: String, CaseIterable, Sendable {
    case none = "none"
    case loss = "the machine that matters most dies"
    case partition = "halves cut off for 3 s"
    case clock = "its clock 2 % fast"

    /// From the third second of the load on.
    var faults: [(at: Int64, FleetFault)] {
        let start: Int64 = 3_000_000_000
        switch self {
        case .none: return []
        case .loss: return [(start, .lossOfEssential)]
        case .partition: return [(start, .partition), (2 * start, .heal)]
        case .clock: return [(start, .clockRate(20_000_000))]
        }
    }
}

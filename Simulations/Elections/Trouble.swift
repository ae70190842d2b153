import Simulator

/// What goes wrong in an election of five.
package enum Trouble: String, CaseIterable, Sendable {
    case none = "none"
    case crashEarly = "one crash in the first 10 ms"
    case crashOfLeader = "the leader crashes after 1 s"
    case twoCrashes = "two crashes in the first second"
    case split32 = "partition 3 and 2"
    case split41 = "partition 4 and 1"
    case splitAndHealed = "partition 3 and 2 healed at 2 s"

    static let members = 5

    /// Faults as they fall for one seed.
    func faults(draws: inout Draws) -> [(at: Int64, ElectionFault)] {
        let second: Int64 = 1_000_000_000
        // A random order, of which the first ones are hit.
        let order = Order.random.uids(Trouble.members, draws: &draws).map { Int($0) - 1 }
        func split(_ few: Int) -> ElectionFault { .partition([Array(order[few...]), Array(order[..<few])]) }
        switch self {
        case .none: return []
        case .crashEarly: return [(draws.within(0...10_000_000, .crash), .crash(order[0]))]
        case .crashOfLeader: return [(second, .crashOfLeader)]
        case .twoCrashes: return order[..<2].map { (draws.within(0...second, .crash), .crash($0)) }
        case .split32: return [(draws.within(0...second, .crash), split(2))]
        case .split41: return [(draws.within(0...second, .crash), split(1))]
        case .splitAndHealed: return [(draws.within(0...second, .crash), split(2)), (2 * second, .heal)]
        }
    }
}

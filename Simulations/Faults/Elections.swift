/// The schedules of the profile `elections`: not single faults but figures, a few faults that belong together and leave the fine timing to
/// chance. Each of them is a way in which a rule of elections or replication is needed.
struct Elections: FigureScript {
    private enum Figure: CaseIterable {
        /// A node stands although all is well; whoever wins may be cut off at once, with its first entry on its own disk only (figure 8 of
        /// the paper begins so, and ends so).
        case upheaval
        /// Two candidates that do not hear each other ask for votes in the same terms; a voter may forget what it was about to write.
        case duel
        /// A candidate dies while it asks, and stands again before the answers are there.
        case relapse
        /// Figure 8 of the paper: two nodes lead in turn and are cut off with their first entries; the first leads again, and is cut off at the
        /// moment it commits something; then the other one leads.
        case eight
        /// A leader loses entries that one follower has, leads again without them, and hears of them late.
        case lateAnswer
        /// A node falls behind, is sent a snapshot, and hears of it more than once.
        case behind
        case crash, crashEverybody, isolate, split, oneWay, slowDisk, slowLinks, lag, storm, pause
        /// Entries, so that logs differ.
        case changeRule
        /// Nothing for a while: something is committed, and somebody starts again under the same leader.
        case rest
        /// A copy is taken of a disk that ends with what a cut-off leader never got committed, and put back later.
        case oldTail

        var weight: Int {
            switch self {
            case .upheaval: 12
            case .duel: 8
            case .relapse, .crash: 5
            case .eight, .behind: 4
            case .lateAnswer, .rest: 3
            case .changeRule: 6
            case .lag, .slowDisk, .isolate, .oneWay: 3
            case .split, .slowLinks, .storm: 2
            case .pause, .crashEverybody, .oldTail: 1
            }
        }
    }

    var draws: Draws
    let nodes: Int
    var faults: [Fault] = []
    var at: Int64 = 0

    private init(seed: UInt64, nodes: Int?) {
        var draws = Draws(seed: seed ^ 0x0E1E_C710)
        let drawn = draws.chance(permille: 350, .schedule) ? 5 : 3
        self.nodes = nodes ?? drawn
        self.draws = draws
    }

    static func schedule(seed: UInt64, nodes: Int?, seconds: Int64, workload: Workload?) -> Schedule {
        var maker = Elections(seed: seed, nodes: nodes)
        let conditions = maker.conditions()
        let faultTime = seconds * 1_000_000_000
        maker.figures(until: faultTime - 700 * ms)
        return Schedule(
            seed: seed, profile: Profile.elections.rawValue, nodes: maker.nodes, faultTime: faultTime,
            conditions: conditions, workload: workload ?? .quiet, faults: maker.faults)
    }

    private mutating func conditions() -> Schedule.Conditions {
        var conditions = Schedule.Conditions()
        if chance(400) {
            conditions.lossPermille = draws.below(50, .schedule)
            conditions.duplicatePermille = draws.below(150, .schedule)
            conditions.latePermille = draws.below(100, .schedule)
        }
        conditions.drift = conditions.rho / 2
        conditions.preVote = chance(500)
        // With it, followers of a live leader ignore whoever stands.
        conditions.checkQuorum = chance(300)
        conditions.compactAfterEntries = one(of: [6, 20, 50_000])
        conditions.retainedBytes = one(of: [0, 0, 200, 1 << 20])
        conditions.tinyBatches = chance(500)
        conditions.syncNanoseconds = one(of: [1, 1, 4, 20]) * Elections.ms
        conditions.timingPercent = conditions.syncNanoseconds < 10 * Elections.ms && chance(600) ? 40 : 100
        conditions.logsInFiles = chance(100)
        return conditions
    }

    private mutating func figures(until end: Int64) {
        let ms = Elections.ms
        // Swarm testing: each seed leaves some out.
        var swarm = Figure.allCases.filter { _ in chance(700) }
        if !swarm.contains(.upheaval), !swarm.contains(.duel) { swarm.append(.upheaval) }
        let weighted = swarm.map { ($0, $0.weight) }
        let longest = one(of: [15, 60, 200]) * ms
        at = within(0...300 * ms)
        while at < end, let figure = draws.pick(weighted) {
            draw(figure)
            at += within(ms / 2...longest)
        }
        putInOrder(until: end)
    }

    private mutating func draw(_ figure: Figure) {
        let ms = Elections.ms
        switch figure {
        case .upheaval:
            add(.stand, .node(anybody()))
            if chance(600) {
                add(chance(800) ? .isolate : .crash, .elected, for: within(ms...60 * ms), within(0...3))
            }
        case .duel: duel()
        case .relapse: relapse()
        case .eight: eight()
        case .lateAnswer: lateAnswer()
        case .behind: behind()
        case .crash:
            let target = one(of: [Fault.Target.node(anybody()), .leader, .writing, .voting, .elected])
            add(.crash, target, for: within(ms / 5...30 * ms), within(0...3))
        case .crashEverybody: add(.crashEverybody, .node(0), for: within(0...20 * ms), within(0...3))
        case .isolate: add(.isolate, chance(300) ? .leader : .node(anybody()), for: within(2 * ms...200 * ms))
        case .split: add(.split, .node(0), for: within(5 * ms...200 * ms), within(1...(1 << nodes) - 2))
        case .oneWay: add(.oneWay, .node(anybody()), for: within(5 * ms...200 * ms), Int64(anybody()))
        case .slowDisk: add(.slowDisk, .node(anybody()), for: within(20 * ms...300 * ms), within(2 * ms...60 * ms))
        case .slowLinks: add(.slowLinks, .node(anybody()), for: within(20 * ms...300 * ms), within(ms...60 * ms))
        case .lag: add(.lag, .node(anybody()), for: within(50 * ms...600 * ms), within(2 * ms...300 * ms))
        case .storm: add(.storm, .node(0), for: within(20 * ms...300 * ms), within(50...400))
        case .pause: add(.pause, .node(anybody()), for: within(5 * ms...300 * ms))
        case .changeRule:
            for _ in 0..<one(of: [1, 3]) {
                add(.changeRule, .node(anybody()), in: within(0...5 * ms), within(100...3_000))
            }
        case .rest:
            at += within(100 * ms...500 * ms)
            if chance(500) { add(.crash, .node(anybody()), in: -within(0...80 * ms), for: within(ms...30 * ms), 3) }
        case .oldTail: oldTail()
        }
    }

    private mutating func duel() {
        let ms = Elections.ms
        let first = anybody()
        let second = (first + 1 + draws.below(nodes - 1, .schedule)) % nodes
        let length = within(5 * ms...50 * ms)
        add(.oneWay, .node(first), for: length, Int64(second))
        add(.oneWay, .node(second), for: length, Int64(first))
        switch draws.below(5, .schedule) {
        case 0, 1: add(.crash, .voting, for: within(ms / 10...3 * ms), 0)
        case 2, 3:
            // What was voted in one term is heard in the next one.
            for other in 0..<nodes where other != first && other != second {
                add(.slowDisk, .node(other), for: length, within(2 * ms...20 * ms))
            }
        default: break
        }
        for node in [first, second] {
            for _ in 0..<one(of: [1, 1, 2, 3]) { add(.stand, .node(node), in: within(0...min(length, 12 * ms))) }
        }
    }

    private mutating func relapse() {
        let ms = Elections.ms
        let node = anybody()
        let dies = within(ms / 10...3 * ms)
        let restarts = within(ms / 10...2 * ms)
        // Something to lose, which the others have.
        add(.slowDisk, .node(node), for: 8 * ms + dies, within(10 * ms...60 * ms))
        for _ in 0..<one(of: [1, 3]) { add(.changeRule, .leader, in: within(0...4 * ms), within(100...3_000)) }
        at += 8 * ms
        for other in 0..<nodes where other != node && chance(700) {
            add(.slowDisk, .node(other), for: within(ms...10 * ms), within(3 * ms...30 * ms))
        }
        add(.stand, .node(node))
        add(.crash, .node(node), in: dies, for: restarts, 0)
        for other in 0..<nodes where other != node && chance(700) {
            add(.oneWay, .node(node), in: dies, for: within(5 * ms...60 * ms), Int64(other))
        }
        add(.stand, .node(node), in: dies + restarts + within(ms / 10...2 * ms))
        at += dies + restarts
    }

    private mutating func eight() {
        let ms = Elections.ms
        let first = anybody()
        let second = (first + 1 + draws.below(nodes - 1, .schedule)) % nodes
        let length = within(5 * ms...15 * ms)
        add(.stand, .node(first))
        add(.isolate, .elected, for: length)
        add(.stand, .node(second), in: within(3 * ms...length))
        add(.isolate, .elected, in: within(2 * ms...3 * ms), for: 2 * length)
        // Twice, since others may be ahead in their terms.
        at += length + within(0...3 * ms)
        add(.stand, .node(first))
        add(.stand, .node(first), in: within(ms / 2...3 * ms))
        add(.isolate, .committing, for: within(20 * ms...60 * ms))
        at += within(length...2 * length)
        add(.stand, .node(second))
        if chance(500) { add(.stand, .node(second), in: within(ms...4 * ms)) }
        at += 5 * ms
    }

    private mutating func lateAnswer() {
        let ms = Elections.ms
        let leader = anybody()
        let follower = (leader + 1 + draws.below(nodes - 1, .schedule)) % nodes
        add(.stand, .node(leader))
        at += within(4 * ms...10 * ms)
        for other in 0..<nodes where other != leader && other != follower {
            add(.oneWay, .node(leader), for: within(3 * ms...6 * ms), Int64(other))
        }
        add(.slowDisk, .node(leader), for: 5 * ms, 50 * ms)
        add(.lag, .node(follower), for: 8 * ms, within(5 * ms...40 * ms))
        for _ in 0..<4 { add(.changeRule, .node(leader), in: within(0...2 * ms), within(100...3_000)) }
        let dies = within(2 * ms...5 * ms)
        add(.crash, .node(leader), in: dies, for: within(ms / 10...ms), 0)
        at += dies + ms
        for _ in 0..<3 { add(.stand, .node(leader), in: within(ms / 5...8 * ms)) }
        at += 8 * ms
    }

    private mutating func behind() {
        let ms = Elections.ms
        let node = anybody()
        let length = within(20 * ms...80 * ms)
        add(.isolate, .node(node), for: length)
        for _ in 0..<8 { add(.changeRule, .leader, in: within(0...length), within(100...3_000)) }
        at += length
        if chance(500) { add(.storm, .node(node), for: within(20 * ms...200 * ms), within(50...300)) }
        if chance(500) { add(.lag, .leader, for: within(20 * ms...200 * ms), within(5 * ms...150 * ms)) }
        if chance(500) { add(.crash, .node(node), in: within(0...150 * ms), for: within(ms / 10...5 * ms), 3) }
        for _ in 0..<8 { add(.changeRule, .leader, in: within(0...200 * ms), within(100...3_000)) }
        at += within(50 * ms...250 * ms)
    }

    private mutating func oldTail() {
        let ms = Elections.ms
        let node = anybody()
        let length = within(50 * ms...150 * ms)
        add(.stand, .node(node))
        add(.isolate, .node(node), in: 30 * ms, for: length)
        for _ in 0..<draws.below(8, .schedule) {
            add(.changeRule, .node(node), in: within(31 * ms...40 * ms), within(100...3_000))
        }
        add(.stand, .node((node + 1) % nodes), in: within(40 * ms...50 * ms))
        add(.oldDisk, .node(node), in: 29 * ms + length, for: within(ms...100 * ms), within(5 * ms...60 * ms))
        at += 30 * ms + length + within(300 * ms...900 * ms)
    }
}

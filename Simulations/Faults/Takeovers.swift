/// The schedules of the profile `takeovers`: figures as in ``Elections``, about ranges that change hands.
struct Takeovers: FigureScript {
    private enum Figure: CaseIterable {
        /// An owner is cut off from the log with a slow clock, and the others' clocks are fast; or the other way round.
        case zombie
        /// A node is cut off from the log for less than detection takes, and distrusts its clock meanwhile: a snapshot says that it still owns.
        case blackout
        /// A clock leaps, and then somebody dies whose ranges the node takes over.
        case leap
        /// Ranges are given away.
        case drain
        /// A node is started again and gets its part back, while answers are late.
        case comeback
        case crash, crashEverybody, pause, suspend, isolate, storm, lag, drift
        case changeRule
        case rest

        var weight: Int {
            switch self {
            case .zombie, .blackout: 5
            case .changeRule, .comeback, .leap, .crash: 4
            case .drain, .rest, .lag: 3
            case .isolate, .storm: 2
            case .pause, .suspend, .drift, .crashEverybody: 1
            }
        }
    }

    var draws: Draws
    let nodes: Int
    private var rho: Int64 = 0
    /// The one figure that some seeds are about.
    private var focus: Figure?
    var faults: [Fault] = []
    var at: Int64 = 0

    private init(seed: UInt64, nodes: Int?) {
        var draws = Draws(seed: seed ^ 0x7A4E_01E5)
        let drawn = draws.chance(permille: 200, .schedule) ? 5 : 3
        self.nodes = nodes ?? drawn
        self.draws = draws
    }

    static func schedule(seed: UInt64, nodes: Int?, seconds: Int64, workload: Workload?) -> Schedule {
        var maker = Takeovers(seed: seed, nodes: nodes)
        let drawn = [Workload.crowd, .tides, .tides, .swings, .standard, .coldKeys][maker.draws.below(6, .schedule)]
        if maker.chance(400) {
            maker.focus = maker.one(of: [.zombie, .zombie, .comeback, .comeback, .blackout, .drain])
        }
        let suiting = maker.focus == .zombie || maker.focus == .comeback ? Workload.tides : drawn
        let workload = workload ?? suiting
        let conditions = maker.conditions(workload)
        let faultTime = seconds * 1_000_000_000
        maker.figures(until: faultTime - 700 * ms, workload)
        return Schedule(
            seed: seed, profile: Profile.takeovers.rawValue, nodes: maker.nodes, faultTime: faultTime,
            conditions: conditions, workload: workload, faults: maker.faults)
    }

    private mutating func conditions(_ workload: Workload) -> Schedule.Conditions {
        var conditions = Schedule.Conditions()
        if chance(300) {
            conditions.lossPermille = draws.below(50, .schedule)
            conditions.duplicatePermille = draws.below(100, .schedule)
            conditions.latePermille = draws.below(100, .schedule)
        }
        if chance(700) { conditions.rho = 20_000_000 }
        conditions.grace = one(of: [0, 0, 500_000_000, 10_000_000_000])
        if focus == .zombie {
            // Where margins are widest, and zombies have to fall silent soonest.
            conditions.rho = 20_000_000
            conditions.grace = 0
        }
        rho = conditions.rho
        conditions.drift = rho / 2
        let isCrowded = workload.name == "crowd"
        if chance(isCrowded || focus == .zombie ? 700 : 100) { conditions.leastSlack = 5_000_000_000 }
        if chance(isCrowded ? 700 : 200) { conditions.bucketsPerRange = 16 }
        if chance(200) { conditions.boundsPerRange = 16 }
        if chance(400) { conditions.boundsPerCommand = one(of: [2, 8]) }
        conditions.compactAfterEntries = one(of: [6, 6, 40, 50_000])
        conditions.retainedBytes = one(of: [0, 0, 1 << 20])
        conditions.tinyBatches = chance(150)
        return conditions
    }

    private mutating func figures(until end: Int64, _ workload: Workload) {
        let ms = Takeovers.ms
        // Swarm testing: each seed leaves some out.
        var swarm = Figure.allCases.filter { _ in chance(650) }
        if let focus { swarm = [focus, .rest] }
        if workload.name == "swings", !swarm.contains(.changeRule) { swarm.append(.changeRule) }
        var weighted = swarm.map { ($0, $0.weight) }
        if swarm.contains(.changeRule), workload.name == "swings" { weighted.append((.changeRule, 16)) }
        guard !weighted.isEmpty else { return }
        let longest = one(of: [150, 400, 1_200]) * ms
        at = within(0...1_000 * ms)
        while at < end, let figure = draws.pick(weighted) {
            draw(figure)
            at += within(longest / 20...longest)
        }
        putInOrder(until: end)
    }

    private mutating func draw(_ figure: Figure) {
        let ms = Takeovers.ms
        let node = anybody()
        let other = (node + 1 + draws.below(nodes - 1, .schedule)) % nodes
        switch figure {
        case .zombie:
            let most = one(of: [rho / 2, rho / 2, -rho / 2])
            for i in 0..<nodes { add(.drift, .node(i), i == node ? -most : most) }
            let length = within(focus == nil ? 500 * ms...6_000 * ms : 2_500 * ms...5_000 * ms)
            add(.cutFromLog, .node(node), for: length)
            if focus != nil { at += length } else if chance(500) { at += within(1_000 * ms...4_000 * ms) }
        case .blackout:
            let length = within(60 * ms...380 * ms)
            add(.cutFromLog, .node(node), for: length)
            add(chance(700) ? .distrust : .leap, .node(node), in: within(0...length), within(ms...2_000 * ms))
            at += length
        case .leap:
            add(.leap, .node(node), within(100 * ms...4_000 * ms))
            add(
                one(of: [.crash, .cutFromLog, .pause]), .node(other), in: within(0...300 * ms),
                for: within(500 * ms...2_000 * ms), 3)
        case .drain: add(.drain, .node(node), for: within(10 * ms...300 * ms))
        case .comeback:
            add(.crash, .node(node), for: within(ms...400 * ms), within(0...3))
            for i in 0..<nodes where i != node {
                add(
                    .lag, .node(i), in: within(200 * ms...600 * ms), for: within(800 * ms...2_000 * ms),
                    within(20 * ms...45 * ms))
            }
            // Balance comes with quiet.
            at += within(500 * ms...2_000 * ms)
        case .crash: add(.crash, .node(node), for: within(ms...1_500 * ms), within(0...3))
        case .crashEverybody: add(.crashEverybody, .node(0), for: within(0...400 * ms), within(0...3))
        case .pause: add(.pause, .node(node), for: within(100 * ms...3_000 * ms))
        case .suspend: add(.suspend, .node(node), for: within(100 * ms...3_000 * ms))
        case .isolate: add(.isolate, .node(node), for: within(100 * ms...2_000 * ms))
        case .storm: add(.storm, .node(0), for: within(100 * ms...1_000 * ms), within(50...400))
        case .lag: add(.lag, .node(node), for: within(100 * ms...2_000 * ms), within(5 * ms...150 * ms))
        case .drift: add(.drift, .node(node), within(-rho / 2...rho / 2))
        case .changeRule: add(.changeRule, .node(node), within(300...3_000))
        case .rest: at += within(300 * ms...1_500 * ms)
        }
    }

    private mutating func add(_ kind: Fault.Kind, _ target: Fault.Target, _ amount: Int64) {
        add(kind, target, in: 0, for: 0, amount)
    }
}

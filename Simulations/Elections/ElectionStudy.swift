import Simulator
package import StudyTools

/// The comparison of ways to elect: what `simulate elections` runs. Every row follows from the seed and its own parameters alone.
package struct ElectionStudy: Sendable {
    /// How much is run.
    package struct Size: Sendable {
        package var rings: [Int]
        package var ringSeeds: Int
        package var groups: [Int]
        package var groupSeeds: Int
        package var losses: [Int]
        package var troubleSeeds: Int
        package var nominations: [Int]
        package var nominationSeeds: Int

        /// What the documents show.
        package static let full = Size(
            rings: [2, 3, 4, 5, 8, 16, 32, 64, 128, 256, 512], ringSeeds: 1_000, groups: [2, 3, 5, 9, 15, 31],
            groupSeeds: 2_000, losses: [0, 10, 20, 50, 100, 150, 200, 250, 300], troubleSeeds: 2_000,
            nominations: [3, 5, 9, 15], nominationSeeds: 2_000)
        /// What a test can run.
        package static let small = Size(
            rings: [2, 3, 5, 8], ringSeeds: 40, groups: [2, 3, 5], groupSeeds: 20, losses: [0, 50, 200],
            troubleSeeds: 30, nominations: [3, 5], nominationSeeds: 10)
    }

    package let seed: UInt64
    package let size: Size
    /// Told what has been run.
    private let progress: @Sendable (String) -> Void

    package init(seed: UInt64, size: Size, progress: @escaping @Sendable (String) -> Void = { _ in }) {
        self.seed = seed
        self.size = size
        self.progress = progress
    }

    /// The tables, in the order of the document.
    package func run() -> [StudyTable] { [rings(), groups(), losses(), troubles(), nominations()] }

    /// The names of ``run()``'s tables.
    package static let names = ["ring-messages", "same-network", "election-loss", "election-faults", "nomination"]

    /// One hop of the synchronous ring, in nanoseconds.
    static let hop: Int64 = 1_000_000

    private func seed(_ number: Int) -> UInt64 { seed &* 1_000_003 &+ UInt64(number) }

    // MARK: Messages of rings

    /// Messages and hops against the size of the ring, all members starting at once and each hop taking the same time.
    package func rings() -> StudyTable {
        var table = StudyTable(
            "ring-messages",
            columns: [
                "algorithm", "ring", "n", "seeds", "messages", "low", "high", "least", "most", "hops", "elected",
                "declarations", "calculated",
            ])
        let algorithms: [Algorithm] = [
            .lcr, .hirschbergSinclair, .toldGreaterPasses, .toldOwnIsSmaller, .toldToTheLetter,
        ]
        for algorithm in algorithms {
            for order in Order.allCases {
                for n in size.rings { table.add(ring(algorithm, order, n)) }
                progress("\(algorithm.rawValue), \(order.rawValue) rings")
            }
        }
        return table
    }

    private func ring(_ algorithm: Algorithm, _ order: Order, _ n: Int) -> [String] {
        // Without chance once is enough; large rings are run less often, the reading that costs n^2 least.
        let most = min(size.ringSeeds, n <= 100 ? .max : algorithm == .toldGreaterPasses ? 10 : 200)
        let seeds = order == .random ? most : 1
        var conditions = ElectionConditions()
        conditions.delay = ElectionStudy.hop...ElectionStudy.hop
        conditions.limit = .max / 2
        var messages: [Double] = []
        var hops: [Double] = []
        var (elected, declarations) = (0, 0)
        for number in 0..<seeds {
            var draws = Draws(seed: seed(number))
            let uids = order.uids(n, draws: &draws)
            let (outcome, declared) = algorithm.run(uids: uids, conditions: conditions, seed: seed(number))
            messages.append(Double(outcome.messages))
            if let agreed = outcome.agreedAt {
                elected += 1
                hops.append(Double(agreed / ElectionStudy.hop))
            }
            declarations += declared
        }
        let mean = Estimate.mean(messages)
        let calculated: String =
            switch algorithm {
            case .lcr: fixed(Calculated.lcr(n, order), 1)
            case .hirschbergSinclair: fixed(Calculated.hirschbergSinclairBound(n), 1)
            default: ""
            }
        return [
            algorithm.rawValue, order.rawValue, "\(n)", "\(seeds)", fixed(mean.value, 1), fixed(mean.low, 1),
            fixed(mean.high, 1), fixed(messages.min()!, 0), fixed(messages.max()!, 0),
            hops.isEmpty ? "" : fixed(Estimate.mean(hops).value, 1), fixed(Double(elected) / Double(seeds), 2),
            fixed(Double(declarations) / Double(seeds), 1), calculated,
        ]
    }

    // MARK: Rings and Raft on the same network

    /// Messages and time until all know the leader, on a network with delays of 0.5 to 1.5 ms, without faults.
    package func groups() -> StudyTable {
        var table = StudyTable(
            "same-network",
            columns: [
                "algorithm", "n", "seeds", "messages", "messages low", "messages high", "ms", "ms low", "ms high",
                "ms p95", "second term",
            ])
        for algorithm in [Algorithm.lcr, .hirschbergSinclair, .repairedRing, .raft, .nominated] {
            for n in size.groups { table.add(group(algorithm, n)) }
            progress("\(algorithm.rawValue) on the same network")
        }
        return table
    }

    private func group(_ algorithm: Algorithm, _ n: Int) -> [String] {
        var conditions = ElectionConditions()
        conditions.limit = 30_000_000_000
        conditions.stopsWhenAgreed = true
        var messages: [Double] = []
        var times: [Double] = []
        var laterTerms = 0
        for number in 0..<size.groupSeeds {
            var draws = Draws(seed: seed(number))
            let uids = Order.random.uids(n, draws: &draws)
            let outcome = algorithm.run(uids: uids, conditions: conditions, seed: seed(number)).outcome
            guard let agreed = outcome.agreedAt else { preconditionFailure("\(algorithm), \(n): no agreement") }
            messages.append(Double(outcome.messages))
            times.append(Double(agreed) / 1e6)
            if let term = outcome.firstTerm, term > 1 { laterTerms += 1 }
        }
        let (count, time) = (Estimate.mean(messages), Estimate.mean(times))
        let isRaft = algorithm == .raft || algorithm == .nominated
        return [
            algorithm.rawValue, "\(n)", "\(size.groupSeeds)", fixed(count.value, 1), fixed(count.low, 1),
            fixed(count.high, 1), fixed(time.value, 1), fixed(time.low, 1), fixed(time.high, 1),
            fixed(times.percentile(0.95)!, 1),
            isRaft ? fixed(Double(laterTerms) / Double(size.groupSeeds), 4) : "",
        ]
    }

    // MARK: Loss

    private static let troubled: [Algorithm] = [
        .lcr, .toldGreaterPasses, .hirschbergSinclair, .repairedRing, .raft,
    ]

    private static let troubleColumns = [
        "seeds", "never", "never low", "never high", "none at the end", "none low", "none high", "two at once",
        "two low", "two high", "two in one term", "one term low", "one term high", "ms of two", "messages",
    ]

    /// Five members whose links lose messages, for three seconds.
    package func losses() -> StudyTable {
        var table = StudyTable("election-loss", columns: ["algorithm", "loss %"] + ElectionStudy.troubleColumns)
        for algorithm in ElectionStudy.troubled {
            for loss in size.losses {
                var conditions = ElectionConditions()
                conditions.lossPermille = loss
                let cells = trouble(algorithm, .none, conditions)
                table.add([algorithm.rawValue, loss % 10 == 0 ? "\(loss / 10)" : fixed(Double(loss) / 10, 1)] + cells)
            }
            progress("\(algorithm.rawValue) under loss")
        }
        return table
    }

    // MARK: Crashes and partitions

    /// Five members, some of which crash or are cut off, for four seconds.
    package func troubles() -> StudyTable {
        var table = StudyTable("election-faults", columns: ["algorithm", "fault"] + ElectionStudy.troubleColumns)
        for trouble in Trouble.allCases where trouble != .none {
            for algorithm in ElectionStudy.troubled {
                var conditions = ElectionConditions()
                conditions.limit = 4_000_000_000
                table.add([algorithm.rawValue, trouble.rawValue] + self.trouble(algorithm, trouble, conditions))
            }
            progress(trouble.rawValue)
        }
        return table
    }

    private func trouble(_ algorithm: Algorithm, _ trouble: Trouble, _ base: ElectionConditions) -> [String] {
        var (never, none, two, twoInOneTerm) = (0, 0, 0, 0)
        var double: Int64 = 0
        var messages = 0
        for number in 0..<size.troubleSeeds {
            var draws = Draws(seed: seed(number))
            let uids = Order.random.uids(Trouble.members, draws: &draws)
            var conditions = base
            conditions.faults = trouble.faults(draws: &draws)
            let outcome = algorithm.run(uids: uids, conditions: conditions, seed: seed(number)).outcome
            if outcome.declaredAt == nil { never += 1 }
            if outcome.endsWithoutLeader { none += 1 }
            if outcome.hadTwoLeaders { two += 1 }
            if outcome.hadTwoInOneTerm { twoInOneTerm += 1 }
            double += outcome.twoLeadersFor
            messages += outcome.messages
        }
        let runs = size.troubleSeeds
        let chances = [never, none, two, twoInOneTerm].flatMap { hits in
            let chance = Estimate.chance(hits, of: runs)
            return [chance.value, chance.low, chance.high].map { fixed($0, 4) }
        }
        return ["\(runs)"] + chances + [
            two == 0 ? "" : fixed(Double(double) / Double(two) / 1e6, 1), fixed(Double(messages) / Double(runs), 1),
        ]
    }

    // MARK: A ring that nominates

    /// Raft, and Raft with a ring that names the candidate: how long until somebody leads.
    package func nominations() -> StudyTable {
        var table = StudyTable(
            "nomination",
            columns: [
                "method", "situation", "delay ms", "n", "seeds", "ms", "low", "high", "ms p95", "ms p99",
                "second term", "second low", "second high", "messages",
            ])
        for (text, delay) in [("0.5-1.5", 500_000...1_500_000), ("10-30", Int64(10_000_000)...30_000_000)] {
            for isCold in [true, false] {
                for algorithm in [Algorithm.raft, .nominated] {
                    for n in size.nominations {
                        let cells = nomination(algorithm, n, delay, isCold: isCold)
                        table.add(
                            [algorithm.rawValue, isCold ? "cold start" : "leader crashed", text, "\(n)"] + cells)
                    }
                    progress("\(algorithm.rawValue), delay \(text) ms, \(isCold ? "cold start" : "leader crashed")")
                }
            }
        }
        return table
    }

    private func nomination(
        _ algorithm: Algorithm, _ n: Int, _ delay: ClosedRange<Int64>, isCold: Bool
    ) -> [String] {
        var conditions = ElectionConditions()
        conditions.delay = delay
        conditions.limit = 60_000_000_000
        conditions.stopsWhenAgreed = true
        var times: [Double] = []
        var laterTerms = 0
        var messages = 0
        for number in 0..<size.nominationSeeds {
            var draws = Draws(seed: seed(number))
            // Anywhere between two heartbeats.
            let crash = draws.within(1_500_000_000...1_550_000_000, .crash)
            conditions.faults = isCold ? [] : [(crash, .crashOfLeader)]
            let uids = (1...n).map { UInt64($0) }
            let outcome = algorithm.run(uids: uids, conditions: conditions, seed: seed(number), isCold: isCold).outcome
            if isCold {
                guard let declared = outcome.declaredAt else { preconditionFailure("no leader in a minute") }
                times.append(Double(declared) / 1e6)
                messages += outcome.messagesUntilDeclared
                if outcome.firstTerm! > 1 { laterTerms += 1 }
            } else {
                guard let died = outcome.leaderDiedAt, let succeeded = outcome.succeededAt else {
                    preconditionFailure("no leader before or after the crash")
                }
                times.append(Double(succeeded - died) / 1e6)
                messages += outcome.messagesOfSuccession
                if outcome.termsOfSuccession > 1 { laterTerms += 1 }
            }
        }
        let runs = size.nominationSeeds
        let (time, later) = (Estimate.mean(times), Estimate.chance(laterTerms, of: runs))
        return [
            "\(runs)", fixed(time.value, 1), fixed(time.low, 1), fixed(time.high, 1),
            fixed(times.percentile(0.95)!, 1), fixed(times.percentile(0.99)!, 1), fixed(later.value, 4),
            fixed(later.low, 4), fixed(later.high, 4), fixed(Double(messages) / Double(runs), 1),
        ]
    }
}

import LimiterCore
import Simulator
package import StudyTools

/// The comparison of ways to coordinate: what `simulate strategies` runs. Every row follows from the seed and its own parameters alone.
///
/// One bucket for the whole fleet. Each machine brings 40 requests a second of one token each; the limit is 20 tokens a second for each
/// machine, together, with a burst of one second's tokens: twice as much is asked as can be had.
package struct StrategyStudy: Sendable {
    /// How much is run.
    package struct Size: Sendable {
        package var machines: [Int]
        /// Runs by the number of machines: this many for ten and fewer, less for more.
        package var growthSeeds: Int
        package var seeds: Int
        package var losses: [Int]
        /// Gossip's periods, in milliseconds.
        package var periods: [Int64]
        package var dozenSeeds: Int
        /// How many machines the tables have that are not about their number.
        package var fleet = 10
        /// How long the load lasts, and where there are faults, in seconds.
        package var seconds: (calm: Int64, faulty: Int64) = (5, 9)

        /// What the documents show.
        package static let full = Size(
            machines: [3, 5, 10, 20, 50, 100, 200], growthSeeds: 40, seeds: 40, losses: [0, 10, 50, 100, 200],
            periods: [10, 20, 50, 100, 200, 500, 1_000], dozenSeeds: 1_000)
        /// What a test can run.
        package static let small = Size(
            machines: [3, 5], growthSeeds: 1, seeds: 1, losses: [0, 100], periods: [20, 200], dozenSeeds: 2, fleet: 4,
            seconds: (2, 7))

        func growthSeeds(_ n: Int) -> Int { n <= 10 ? growthSeeds : min(growthSeeds, max(5, 400 / n)) }
    }

    package let seed: UInt64
    package let size: Size
    private let progress: @Sendable (String) -> Void

    package init(seed: UInt64, size: Size, progress: @escaping @Sendable (String) -> Void = { _ in }) {
        self.seed = seed
        self.size = size
        self.progress = progress
    }

    /// The tables, in the order of the document.
    package func run() -> [StudyTable] { [growth(), spreads(), links(), troubles(), periods(), dozen()] }

    /// The names of ``run()``'s tables.
    package static let names = [
        "strategy-growth", "strategy-load", "strategy-links", "strategy-faults", "gossip-period", "twelve-requests",
    ]

    static let offered = 40.0
    static let tokens: Int64 = 20

    private func conditions(_ n: Int, _ spread: Spread = .even) -> FleetConditions {
        let tokens = StrategyStudy.tokens * Int64(n)
        do throws(LimitError) {
            let limit = try Limit(tokens: tokens, per: 1_000_000_000, burst: tokens)
            var conditions = FleetConditions(
                perSecond: spread.rates(n, total: StrategyStudy.offered * Double(n)), limit: limit)
            conditions.loadTime = size.seconds.calm * 1_000_000_000
            return conditions
        } catch {
            preconditionFailure("a limit of \(tokens) tokens a second: \(error)")
        }
    }

    private static let columns = [
        "seeds", "messages per s", "bytes per s", "messages per request", "excess %", "excess low", "excess high",
        "worst excess %", "used %", "used low", "used high", "ms mean", "ms p99", "unanswered %",
    ]

    /// One cell after the other of ``columns``.
    private func measure(
        _ strategy: Strategy, _ conditions: FleetConditions, seeds: Int, period: Int64 = Strategy.gossipPeriod
    ) -> [String] {
        var (excess, used, messages, bytes) = ([Double](), [Double](), [Double](), [Double]())
        var latencies: [Double] = []
        var (offered, unavailable, sent) = (0, 0, 0)
        let burst = Double(conditions.limit.burst)
        for number in 0..<seeds {
            let outcome: FleetOutcome
            do throws(LimitError) {
                outcome = try strategy.run(
                    conditions, seed: seed &* 1_000_003 &+ UInt64(number), gossipPeriod: period)
            } catch {
                preconditionFailure("\(strategy): \(error)")
            }
            let seconds = Double(conditions.loadTime) / 1e9
            excess.append(max(0, outcome.excess) / burst * 100)
            used.append(outcome.utilisation * 100)
            messages.append(Double(outcome.messages) / seconds)
            bytes.append(Double(outcome.bytes) / seconds)
            latencies += outcome.latencies.map { Double($0) / 1e6 }
            offered += outcome.offered
            sent += outcome.messages
            unavailable += outcome.unavailable
        }
        let (over, use) = (Estimate.mean(excess), Estimate.mean(used))
        latencies.sort()
        return [
            "\(seeds)", fixed(Estimate.mean(messages).value, 1), fixed(Estimate.mean(bytes).value, 0),
            fixed(Double(sent) / Double(offered), 2), fixed(over.value, 2), fixed(max(0, over.low), 2),
            fixed(over.high, 2), fixed(excess.max()!, 2), fixed(use.value, 2), fixed(use.low, 2), fixed(use.high, 2),
            fixed(Estimate.mean(latencies).value, 3), fixed(latencies.percentile(0.99)!, 3),
            fixed(Double(unavailable) / Double(offered) * 100, 2),
        ]
    }

    // MARK: Tables

    /// Against the number of machines: even load, TCP, nothing goes wrong.
    package func growth() -> StudyTable {
        var table = StudyTable("strategy-growth", columns: ["strategy", "machines"] + StrategyStudy.columns)
        for strategy in Strategy.allCases {
            for n in size.machines {
                let cells = measure(strategy, conditions(n), seeds: size.growthSeeds(n))
                table.add([strategy.rawValue, "\(n)"] + cells)
                progress("\(strategy.rawValue), \(n) machines")
            }
        }
        return table
    }

    /// Against the way the load is spread: ten machines, TCP, nothing goes wrong. Also where less is asked than the limit allows.
    package func spreads() -> StudyTable {
        var table = StudyTable("strategy-load", columns: ["strategy", "load", "demand %"] + StrategyStudy.columns)
        for strategy in Strategy.allCases {
            for spread in Spread.allCases {
                for demand in [90, 200] {
                    var conditions = conditions(size.fleet, spread)
                    // 200 % of the limit is what the other tables have.
                    conditions.perSecond = conditions.perSecond.map { $0 * Double(demand) / 200 }
                    table.add(
                        [strategy.rawValue, spread.rawValue, "\(demand)"]
                            + measure(strategy, conditions, seeds: size.seeds))
                }
            }
            progress("\(strategy.rawValue) under uneven load")
        }
        return table
    }

    /// Against lost messages over TCP-like and UDP-like links: ten machines, even load.
    package func links() -> StudyTable {
        var table = StudyTable("strategy-links", columns: ["strategy", "links", "loss %"] + StrategyStudy.columns)
        for strategy in Strategy.allCases {
            for kind in LinkKind.allCases {
                for loss in size.losses {
                    var conditions = conditions(size.fleet)
                    conditions.links = kind
                    conditions.lossPermille = loss
                    table.add(
                        [strategy.rawValue, kind.rawValue, "\(loss / 10)"]
                            + measure(strategy, conditions, seeds: size.seeds))
                }
            }
            progress("\(strategy.rawValue) over lossy links")
        }
        return table
    }

    /// When a machine dies, the network splits, or a clock is wrong: ten machines, TCP, even load, nine seconds of it.
    package func troubles() -> StudyTable {
        var table = StudyTable("strategy-faults", columns: ["strategy", "fault"] + StrategyStudy.columns)
        for strategy in Strategy.allCases {
            for trouble in FleetTrouble.allCases {
                var conditions = conditions(size.fleet)
                conditions.faults = trouble.faults
                conditions.loadTime = size.seconds.faulty * 1_000_000_000
                table.add([strategy.rawValue, trouble.rawValue] + measure(strategy, conditions, seeds: size.seeds))
            }
            progress("\(strategy.rawValue) under faults")
        }
        return table
    }

    /// Gossip against its period: ten machines, TCP, even load.
    package func periods() -> StudyTable {
        var table = StudyTable("gossip-period", columns: ["strategy", "period ms"] + StrategyStudy.columns)
        for period in size.periods {
            let cells = measure(
                .gossip, conditions(size.fleet), seeds: size.seeds, period: period * 1_000_000)
            table.add([Strategy.gossip.rawValue, "\(period)"] + cells)
        }
        progress("gossip's period")
        return table
    }

    // MARK: Twelve requests

    /// The notes' example: three hosts, a limit of twelve a second (and a burst of twelve), and requests that land on the hosts in
    /// some way. How many are admitted; one bucket would admit `ideal`.
    package func dozen() -> StudyTable {
        var table = StudyTable(
            "twelve-requests",
            columns: ["strategy", "requests", "when", "seeds", "ideal", "admitted", "low", "high", "least", "most"])
        let landings: [(name: String, counts: [Int])] = [
            ("4 + 4 + 4", [4, 4, 4]), ("10 + 1 + 1", [10, 1, 1]), ("12 + 0 + 0", [12, 0, 0]),
            ("12 + 12 + 12", [12, 12, 12]), ("36 + 0 + 0", [36, 0, 0]),
        ]
        for strategy in Strategy.allCases {
            for landing in landings {
                // Within 200 us they are closer together than any message travels; what the bucket gets back meanwhile is nothing.
                for (when, within) in [("at once", Int64(200_000)), ("in one second", 1_000_000_000)] {
                    table.add(
                        [strategy.rawValue, landing.name, when] + dozen(strategy, landing.counts, within: within))
                }
            }
            progress("\(strategy.rawValue), twelve requests")
        }
        return table
    }

    private func dozen(_ strategy: Strategy, _ counts: [Int], within: Int64) -> [String] {
        var admitted: [Double] = []
        var ideal: [Double] = []
        for number in 0..<size.dozenSeeds {
            let seed = self.seed &* 1_000_003 &+ UInt64(number)
            var places: [(at: Int64, machine: Int)] = []
            var draws = Draws(seed: seed)
            for (machine, count) in counts.enumerated() {
                for _ in 0..<count { places.append((draws.within(0...within, .tests), machine)) }
            }
            do throws(LimitError) {
                let limit = try Limit(tokens: 12, per: 1_000_000_000, burst: 12)
                var conditions = FleetConditions(perSecond: [0, 0, 0], limit: limit)
                conditions.arrivals = places
                conditions.loadTime = 2_000_000_000
                conditions.settlingTime = 0
                let outcome = try strategy.run(conditions, seed: seed)
                admitted.append(Double(outcome.granted))
                ideal.append(Double(outcome.ideal))
            } catch {
                preconditionFailure("\(strategy): \(error)")
            }
        }
        let mean = Estimate.mean(admitted)
        return [
            "\(size.dozenSeeds)", fixed(Estimate.mean(ideal).value, 1), fixed(mean.value, 2), fixed(mean.low, 2),
            fixed(mean.high, 2), fixed(admitted.min()!, 0), fixed(admitted.max()!, 0),
        ]
    }
}

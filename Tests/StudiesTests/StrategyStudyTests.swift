import LimiterCore
import StudyTools
import Testing

@testable import Strategies

@Suite struct StrategyStudyTests {
    /// The stored files are what `simulate strategies --small --out docs/studies` writes, and that is the same everywhere.
    @Test func theSmallStudyIsTheStoredOne() throws {
        let tables = StrategyStudy(seed: 1, size: .small).run()
        #expect(tables.map(\.name) == StrategyStudy.names)
        try Documents.expectStored(tables, by: "simulate strategies")
    }

    /// The document's tables and plots are those of the stored results.
    @Test func theDocumentShowsTheStoredTables() throws {
        let pages = try #require(StrategyPages(try StrategyStudy.names.map { try Documents.table($0) }))
        try Documents.expectShown(pages.excerpts, pages.plots, in: "coordination.md")
    }

    // MARK: What the document claims, on the full results

    /// Ours admits nothing too much, whatever happens in the study; the mesh and gossip do in a partition.
    @Test func whoKeepsTheLimit() throws {
        for name in ["strategy-growth", "strategy-load", "strategy-links"] {
            let table = try Documents.table(name)
            for row in table.rows(where: ["strategy": "leader and owners"]) {
                #expect(table.number(row, "worst excess %") == 0, "\(row)")
            }
        }
        let faults = try Documents.table("strategy-faults")
        for name in ["tell everyone", "gossip", "cache with replica"] {
            let row = try #require(
                faults.rows(where: ["strategy": name, "fault": "halves cut off for 3 s"]).first)
            #expect(faults.number(row, "excess %")! > 200, "\(row)")
        }
        for fault in ["none", "the machine that matters most dies", "halves cut off for 3 s"] {
            let row = try #require(faults.rows(where: ["strategy": "leader and owners", "fault": fault]).first)
            #expect(faults.number(row, "worst excess %") == 0, "\(row)")
        }
    }

    /// Ten times the machines are a hundred times the mesh's messages, and ten times everybody else's or less.
    @Test func theMeshGrowsWithTheSquare() throws {
        let table = try Documents.table("strategy-growth")
        func messages(_ strategy: String, _ n: Int) throws -> Double {
            let row = try #require(table.rows(where: ["strategy": strategy, "machines": "\(n)"]).first)
            return try #require(table.number(row, "messages per s"))
        }
        let mesh = try messages("tell everyone", 100) / messages("tell everyone", 10)
        #expect((90...120).contains(mesh), "\(mesh)")
        for strategy in ["gossip", "shared cache", "leader and owners"] {
            let growth = try messages(strategy, 100) / messages(strategy, 10)
            #expect((5...13).contains(growth), "\(strategy): \(growth)")
        }
    }
}

/// Each strategy on a fleet where the outcome can be told beforehand.
@Suite struct FleetTests {
    private func conditions(_ perSecond: [Double], tokens: Int64 = 12) throws -> FleetConditions {
        var conditions = FleetConditions(
            perSecond: perSecond, limit: try Limit(tokens: tokens, per: 1_000_000_000, burst: tokens))
        conditions.settlingTime = 0
        conditions.loadTime = 2_000_000_000
        return conditions
    }

    private func landing(_ counts: [Int]) throws -> FleetConditions {
        var conditions = try conditions(counts.map { _ in 0 })
        for (machine, count) in counts.enumerated() {
            for number in 0..<count { conditions.arrivals.append((Int64(number), machine)) }
        }
        return conditions
    }

    /// The notes' twelve requests, all on one of three hosts, and twelve on each.
    @Test func theNotesTwelveRequests() throws {
        let one = try landing([12, 0, 0])
        let each = try landing([12, 12, 12])
        for strategy in Strategy.allCases {
            let (alone, flood) = (try strategy.run(one, seed: 1), try strategy.run(each, seed: 1))
            #expect(alone.offered == 12 && flood.offered == 36)
            switch strategy {
            case .localShare: #expect(alone.granted == 4 && flood.granted == 12)
            case .tellEveryone, .gossip: #expect(alone.granted == 12 && flood.granted == 36, "\(strategy)")
            case .cache, .replicatedCache, .owners:
                #expect(alone.granted == 12 && flood.granted == 12, "\(strategy)")
            }
            #expect(flood.excess > 20 || (flood.granted == 12 && flood.excess <= 0), "\(strategy): \(flood.excess)")
        }
    }

    /// Everything that is asked for is answered, exactly once, also over links that lose a fifth.
    @Test(arguments: Strategy.allCases, LinkKind.allCases)
    func everythingIsAnswered(strategy: Strategy, links: LinkKind) throws {
        var conditions = try conditions(Array(repeating: 30, count: 6), tokens: 60)
        conditions.links = links
        conditions.lossPermille = 200
        let outcome = try strategy.run(conditions, seed: 3)
        #expect(outcome.offered > 300)
        #expect(outcome.latencies.count == outcome.offered)
        #expect(try strategy.run(conditions, seed: 3).messages == outcome.messages, "the same seed, the same run")
    }

    @Test func aMeshTellsEveryOther() throws {
        let outcome = try Strategy.tellEveryone.run(landing([3, 0, 0, 0]), seed: 1)
        #expect(outcome.messages == 3 * 3)
        #expect(outcome.bytes == 9 * (20 + 66))
    }

    @Test func aCacheAnswersAfterARoundTrip() throws {
        var conditions = try landing([2, 1])
        conditions.delay = 300_000...300_000
        let outcome = try Strategy.cache.run(conditions, seed: 1)
        #expect(outcome.messages == 6 && outcome.latencies == [600_000, 600_000, 600_000])
    }

    /// A cut TCP-like link keeps what it is given; a UDP-like one does not.
    @Test func whatAPartitionDoesToLinks() throws {
        var conditions = try landing([0, 0])
        conditions.arrivals = [(100_000_000, 0), (1_500_000_000, 1)]
        conditions.limit = try Limit(tokens: 1, per: 100_000_000_000, burst: 1)
        conditions.faults = [(50_000_000, .partition), (1_000_000_000, .heal)]
        #expect(try Strategy.tellEveryone.run(conditions, seed: 1).granted == 1, "told after healing")
        conditions.links = .udp
        #expect(try Strategy.tellEveryone.run(conditions, seed: 1).granted == 2, "never told")
        // Under way when the link was cut, which takes at least 0.1 ms.
        conditions.arrivals[0].at = 49_950_000
        #expect(try Strategy.tellEveryone.run(conditions, seed: 1).granted == 2)
        conditions.links = .tcp
        #expect(try Strategy.tellEveryone.run(conditions, seed: 1).granted == 1, "sent again")
    }

    @Test func gossipTellsInTheEnd() throws {
        var conditions = try landing([0, 0])
        conditions.limit = try Limit(tokens: 1, per: 100_000_000_000, burst: 1)
        conditions.arrivals = [(100_000_000, 0), (100_500_000, 1)]
        #expect(try Strategy.gossip.run(conditions, seed: 1).granted == 2, "nobody was told yet")
        conditions.arrivals[1].at = 500_000_000
        #expect(try Strategy.gossip.run(conditions, seed: 1).granted == 1, "after a period")
    }

    /// A question that is asked again spends once, and gets the same answer.
    @Test func aRepeatedQuestionSpendsOnce() throws {
        let limit = try Limit(tokens: 1, per: 100_000_000_000, burst: 1)
        let server = SharedCache(limit, place: 2, clients: 2, hasReplica: false, repeats: true)
        var orders = Orders<SharedCache.Message>()
        for _ in 0..<2 { server.receive(.ask(7), from: 0, now: ClockTime(ns: 1), &orders) }
        server.receive(.ask(7), from: 1, now: ClockTime(ns: 1), &orders)
        #expect(orders.spent == [1])
        let answers = orders.sends.map { send in
            if case .answer(7, let isAllowed) = send.message { isAllowed } else { false }
        }
        #expect(answers == [true, true, false], "the other machine's question 7 is another one")
    }

    @Test func aLostCacheIsReplaced() throws {
        var conditions = try conditions(Array(repeating: 20, count: 4), tokens: 40)
        conditions.loadTime = 4_000_000_000
        conditions.faults = [(1_000_000_000, .lossOfEssential)]
        let (alone, replicated) = (
            try Strategy.cache.run(conditions, seed: 1), try Strategy.replicatedCache.run(conditions, seed: 1)
        )
        #expect(Double(alone.unavailable) > 0.6 * Double(alone.offered))
        #expect(replicated.unavailable == 0 && replicated.granted > alone.granted)
        let ours = try Strategy.owners.run(conditions, seed: 1)
        #expect(Double(ours.unavailable) < 0.05 * Double(ours.offered) && ours.excess <= 0)
    }
}

import StudyTools
import Testing

@testable import Elections

@Suite struct ElectionStudyTests {
    /// The stored files are what `simulate elections --small --out docs/studies` writes, and that is the same everywhere.
    @Test func theSmallStudyIsTheStoredOne() throws {
        let tables = ElectionStudy(seed: 1, size: .small).run()
        #expect(tables.map(\.name) == ElectionStudy.names)
        try Documents.expectStored(tables, by: "simulate elections")
    }

    /// The document's tables and plots are those of the stored results.
    @Test func theDocumentShowsTheStoredTables() throws {
        let pages = try #require(ElectionPages(try ElectionStudy.names.map { try Documents.table($0) }))
        try Documents.expectShown(pages.excerpts, pages.plots, in: "elections.md")
    }

    @Test func theSameSeedIsTheSameStudy() {
        var size = ElectionStudy.Size.small
        size.losses = [200]
        size.troubleSeeds = 10
        #expect(ElectionStudy(seed: 3, size: size).losses() == ElectionStudy(seed: 3, size: size).losses())
        #expect(ElectionStudy(seed: 3, size: size).losses() != ElectionStudy(seed: 4, size: size).losses())
    }

    // MARK: What the document claims, on the full results

    private static func number(_ table: StudyTable, _ conditions: KeyValuePairs<String, String>, _ column: String)
        throws
        -> Double
    {
        let row = try #require(table.rows(where: conditions).first)
        return try #require(table.number(row, column))
    }

    /// Raft never has two leaders in one term; the ring that repairs itself has two in every partition.
    @Test func neverTwoInOneTermOfRaft() throws {
        for name in ["election-loss", "election-faults"] {
            let table = try Documents.table(name)
            let rows = table.rows(where: ["algorithm": "Raft"])
            #expect(!rows.isEmpty && rows.allSatisfy { table.number($0, "two in one term") == 0 })
        }
        let faults = try Documents.table("election-faults")
        let split: KeyValuePairs = ["algorithm": "repaired ring", "fault": "partition 3 and 2"]
        #expect(try Self.number(faults, split, "two at once") > 0.99)
    }

    /// Measured means lie at the textbook's, within what 1,000 seeds allow.
    @Test func measuredIsCalculated() throws {
        let table = try Documents.table("ring-messages")
        let rows = table.rows(where: ["algorithm": "LCR"])
        #expect(!rows.isEmpty)
        for row in rows {
            let (mean, calculated) = (table.number(row, "messages")!, table.number(row, "calculated")!)
            if table.cell(row, "ring") != Order.random.rawValue {
                #expect(mean == calculated, "\(row)")
                continue
            }
            // Two and a half standard errors, or a little more; the file has one digit after the point.
            let half = table.number(row, "high")! - mean
            #expect((mean - calculated).magnitude <= 1.3 * half + 0.25, "\(row)")
        }
    }
}

/// One run, event by event, where its outcome can be told beforehand.
@Suite struct ElectionRunTests {
    private var calm: ElectionConditions {
        var conditions = ElectionConditions()
        conditions.delay = 1_000_000...1_000_000
        return conditions
    }

    @Test func hopsAreCounted() {
        let outcome = Algorithm.lcr.run(uids: [1, 2, 3, 4], conditions: calm, seed: 1).outcome
        // Four hops until the greatest is back, three until the last one is told, one more home.
        #expect(outcome.declaredAt == 4_000_000)
        #expect(outcome.agreedAt == 7_000_000)
        #expect(outcome.messages == 2 * 4 - 1 + 4)
        #expect(!outcome.hadTwoLeaders && !outcome.endsWithoutLeader)
    }

    @Test func allLostIsNoLeader() {
        var conditions = calm
        conditions.lossPermille = 1_000
        for algorithm in [Algorithm.lcr, .hirschbergSinclair, .raft] {
            let outcome = algorithm.run(uids: [1, 2, 3], conditions: conditions, seed: 1).outcome
            #expect(outcome.declaredAt == nil && outcome.endsWithoutLeader, "\(algorithm)")
        }
        // A ring that repairs itself closes round each member: all three lead.
        let outcome = Algorithm.repairedRing.run(uids: [1, 2, 3], conditions: conditions, seed: 1).outcome
        #expect(outcome.hadTwoLeaders && outcome.hadTwoInOneTerm)
    }

    @Test func aLeaderThatDiesIsSucceeded() throws {
        var conditions = calm
        conditions.faults = [(1_000_000_000, .crashOfLeader)]
        let outcome = Algorithm.raft.run(uids: [1, 2, 3], conditions: conditions, seed: 1).outcome
        #expect(outcome.leaderDiedAt == 1_000_000_000)
        let succeeded = try #require(outcome.succeededAt)
        #expect((1_200_000_000...1_600_000_000).contains(succeeded), "after a timeout of 250 to 500 ms")
        #expect(outcome.termsOfSuccession == 1)
        let ring = Algorithm.lcr.run(uids: [1, 2, 3], conditions: conditions, seed: 1).outcome
        #expect(ring.endsWithoutLeader && ring.succeededAt == nil, "a plain ring does not notice")
    }

    @Test func twoLeadersAreTimed() {
        var conditions = calm
        conditions.faults = [(500_000_000, .partition([[0, 1], [2, 3]])), (2_000_000_000, .heal)]
        let outcome = Algorithm.repairedRing.run(uids: [1, 2, 3, 4], conditions: conditions, seed: 1).outcome
        #expect(outcome.hadTwoLeaders)
        #expect((1_000_000_000...2_000_000_000).contains(outcome.twoLeadersFor))
        #expect(!outcome.endsWithoutLeader && outcome.agreedAt != nil, "one gave way")
    }

    /// The nominated member stands at once, and the vote confirms it.
    @Test func theRingNominatesTheLast() throws {
        let outcome = Algorithm.nominated.run(uids: [1, 2, 3, 4, 5], conditions: calm, seed: 1).outcome
        let declared = try #require(outcome.declaredAt)
        #expect(declared < 60_000_000, "no timeout had to pass")
        #expect(outcome.attempts == 1)
    }
}

import Testing

/// Figure 3 of the paper under everything that its section 2 allows to go wrong.
struct ChaosTests {
    @Test(
        "Safety at every step, progress after healing",
        arguments: [3, 5], [(true, true), (true, false), (false, true), (false, false)])
    func sweep(size: Int, switches: (preVote: Bool, checkQuorum: Bool)) throws {
        let options = Chaos.Options(
            size: size, steps: 3000, preVote: switches.preVote, checkQuorum: switches.checkQuorum)
        var elections = 0
        var commits = 0
        var rare = Array(repeating: 0, count: 6)
        for seed in 1...40 as ClosedRange<UInt64> {
            do {
                let run = try Chaos.run(seed: seed, options)
                elections += run.seen.elections
                commits += run.seen.commits
                let counts = [
                    run.seen.crashes, run.seen.tornWrites, run.seen.compactions, run.seen.snapshots,
                    run.seen.truncations, run.seen.forwards,
                ]
                rare = zip(rare, counts).map(+)
            } catch {
                Issue.record("seed \(seed), \(options): \(error)")
                return
            }
        }
        // A sweep that reaches nothing proves nothing.
        #expect(elections > 100)
        #expect(commits > 500)
        #expect(!rare.contains(0), "crashes, torn writes, compactions, snapshots, truncations, forwards: \(rare)")
    }

    @Test("A seed is a history")
    func determinism() throws {
        let options = Chaos.Options(size: 5, steps: 1500, preVote: true, checkQuorum: true)
        var traces: Set<UInt64> = []
        for seed in 1...20 as ClosedRange<UInt64> {
            let first = try Chaos.run(seed: seed, options).trace
            #expect(try Chaos.run(seed: seed, options).trace == first)
            traces.insert(first)
        }
        #expect(traces.count == 20)
    }
}

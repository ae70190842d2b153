import LimiterCore
import Raft
import Testing

@testable import Coordination

/// Holders of different weights want one bucket of an owner, report by report.
struct WeightTests {
    /// One that asks for so many tokens a second, in a report every 10 ms.
    private struct Asker {
        var weight: UInt32
        var perSecond: Double
    }

    /// What each was granted, in tokens a second, over the last 8 of 12 seconds; the bucket gets back `rate` a second.
    private func granted(_ askers: [Asker], rate: Int64, burst: Int64, seed: UInt64 = 1) throws -> [Double] {
        let owner = try TestOwner(tokens: rate, burst: burst)
        var generator = SplitMix64(seed: seed)
        var granted = [Int64](repeating: 0, count: askers.count)
        var owed = [Double](repeating: 0, count: askers.count)
        var isShort = [Bool](repeating: true, count: askers.count)
        for step in 0..<1_200 {
            for (i, asker) in askers.enumerated() {
                owed[i] += asker.perSecond / 100
                // The order within a step is the draw's, and not always the same.
                owner.now = ClockTime(
                    ns: Int64(step + 1) * 10_000_000 + Int64(generator.below(9_000_000)))
                let count = UInt32(owed[i])
                guard count > 0 else { continue }
                owed[i] -= Double(count)
                let admitted = owner.ask(holder: i, weight: asker.weight, count: count, isShort: isShort[i])
                isShort[i] = admitted < count
                if step >= 400 { granted[i] += admitted }
            }
        }
        return granted.map { Double($0) / 8 }
    }

    /// Water that is poured into vessels as wide as the weights and as high as the demand for each of them: weighted max-min.
    private func twin(_ askers: [Asker], rate: Double) -> [Double] {
        var parts = [Double](repeating: 0, count: askers.count)
        var open = Set(askers.indices)
        var left = rate
        while !open.isEmpty {
            let weights = open.reduce(0) { $0 + Double(askers[$1].weight) }
            let full = open.filter { askers[$0].perSecond <= left * Double(askers[$0].weight) / weights }
            if full.isEmpty {
                for i in open { parts[i] = left * Double(askers[i].weight) / weights }
                break
            }
            for i in full {
                parts[i] = askers[i].perSecond
                left -= askers[i].perSecond
                open.remove(i)
            }
        }
        return parts
    }

    @Test("Three that want far too much get 1 : 2 : 5")
    func proportion() throws {
        let parts = try granted([1, 2, 5].map { Asker(weight: $0, perSecond: 800) }, rate: 800, burst: 400)
        for (part, expected) in zip(parts, [100.0, 200, 500]) {
            #expect(abs(part - expected) < 0.1 * expected, "\(parts)")
        }
    }

    @Test("Who wants less than its part gets what it wants, and the rest goes to the others by weight")
    func hungryOrNot() throws {
        let parts = try granted(
            [Asker(weight: 1, perSecond: 900), Asker(weight: 2, perSecond: 900), Asker(weight: 5, perSecond: 80)],
            rate: 800, burst: 400)
        for (part, expected) in zip(parts, [240.0, 480, 80]) {
            #expect(abs(part - expected) < 0.1 * expected, "\(parts)")
        }
        let alone = try granted([Asker(weight: 1, perSecond: 900)], rate: 800, burst: 400)
        #expect(abs(alone[0] - 800) < 40, "\(alone)")
    }

    @Test("Nobody is starved, however light it is beside the others")
    func starvation() throws {
        let askers = [Asker(weight: 1, perSecond: 900)] + (0..<4).map { _ in Asker(weight: 100, perSecond: 900) }
        let parts = try granted(askers, rate: 802, burst: 400)
        // A little more than its part, which is 2: a small lead is no lead.
        #expect(parts[0] > 1 && parts[0] < 16, "\(parts)")
        for part in parts.dropFirst() { #expect(abs(part - 200) < 20, "\(parts)") }
    }

    @Test("Like a dumb weighted max-min division", arguments: 1...12 as ClosedRange<UInt64>)
    func agreesWithTheTwin(seed: UInt64) throws {
        var generator = SplitMix64(seed: seed)
        let askers = (0..<2 + generator.below(4)).map { _ in
            Asker(weight: 1 + UInt32(generator.below(10)), perSecond: Double(20 + generator.below(1_000)))
        }
        let parts = try granted(askers, rate: 600, burst: 300, seed: seed)
        let expected = twin(askers, rate: 600)
        for i in askers.indices {
            // Among few tokens a step one more or less shows.
            #expect(abs(parts[i] - expected[i]) < 0.1 * expected[i] + 12, "\(askers): \(parts) and not \(expected)")
        }
    }

    @Test("A part of something, rounded towards zero, whatever the numbers")
    func share() {
        #expect(ContentionTable.Part(weight: 1, total: 3).share(of: 100) == 33)
        #expect(ContentionTable.Part(weight: 2, total: 3).share(of: 100) == 66)
        #expect(ContentionTable.Part(weight: 2, total: 3).share(of: -100) == -66)
        let most = Int64(Report.mostWeight)
        #expect(ContentionTable.Part(weight: most, total: most).share(of: 1 << 60) == 1 << 60)
        #expect(ContentionTable.Part(weight: 1, total: 64 * most).share(of: 1 << 60) == (1 << 60) / (64 * most))
    }
}

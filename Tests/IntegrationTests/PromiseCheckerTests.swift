import Testing

/// The judge itself, against one that looks at every window.
@Suite
struct PromiseCheckerTests {
    private struct SplitMix64: RandomNumberGenerator {
        var state: UInt64
        mutating func next() -> UInt64 {
            state &+= 0x9e37_79b9_7f4a_7c15
            var z = state
            z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
            z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
            return z ^ (z >> 31)
        }
    }

    @Test("Finds the worst window of the nodes' notes", arguments: 0..<50 as Range<UInt64>)
    func worstOfNotes(seed: UInt64) {
        var random = SplitMix64(state: seed)
        let tolerance = Int64.random(in: 1...500, using: &random)
        let admissions = (0..<30).map { _ in
            (at: Int64.random(in: 0...1000, using: &random), time: Int64.random(in: 1...100, using: &random))
        }
        var worst = Int64.min
        for a in admissions {
            for b in admissions where b.at >= a.at {
                let sum = admissions.reduce(0) { $0 + ($1.at >= a.at && $1.at <= b.at ? $1.time : 0) }
                worst = max(worst, sum - (b.at - a.at) - tolerance)
            }
        }
        let found = PromiseChecker.worstExcess(admissions, tolerance: tolerance)
        // Times are so short that the clocks' rates add less than one.
        #expect(abs(found - worst) <= 2)
    }

    @Test("Finds the worst window of what clients saw", arguments: 0..<50 as Range<UInt64>)
    func worstOfSightings(seed: UInt64) {
        var random = SplitMix64(state: seed)
        let tolerance = Int64.random(in: 1...500, using: &random)
        let requests = (0..<30).map { _ in
            let sent = Int64.random(in: 0...1000, using: &random)
            return (
                sent: sent, answered: sent + Int64.random(in: 0...200, using: &random),
                time: Int64.random(in: 1...100, using: &random)
            )
        }
        var worst = -tolerance
        for a in requests {
            for b in requests where b.answered >= a.sent {
                let sum = requests.reduce(0) { $0 + ($1.sent >= a.sent && $1.answered <= b.answered ? $1.time : 0) }
                worst = max(worst, sum - (b.answered - a.sent) - tolerance)
            }
        }
        let found = PromiseChecker.worstExcess(observed: requests, tolerance: tolerance)
        #expect(abs(found - worst) <= 2)
    }

    @Test("A bucket that keeps its limit passes, and one token too many does not")
    func oneTooMany() {
        // Ten at once, then one each 100 ns.
        var admissions = (0..<10).map { _ in (at: Int64(1000), time: Int64(100)) }
        admissions += (1...20).map { (at: 1000 + Int64($0) * 100, time: 100) }
        #expect(PromiseChecker.worstExcess(admissions, tolerance: 1000) <= 0)
        admissions.append((at: 1500, time: 100))
        #expect(PromiseChecker.worstExcess(admissions, tolerance: 1000) >= 98)
    }
}

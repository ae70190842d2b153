import PeerTransport
import Testing

@Suite("When to dial again")
struct DialScheduleTests {
    private func schedule(isPrimary: Bool, seed: UInt64 = 1) -> DialSchedule {
        DialSchedule(
            isPrimary: isPrimary, base: .milliseconds(20), cap: .seconds(1), healthyAfter: .seconds(1),
            reverseDialAfter: .seconds(2), seed: seed)
    }

    @Test("waits stay under a ceiling that doubles up to the cap, and use all of it")
    func backoff() {
        for (attempt, ceiling) in [20, 40, 80, 160, 320, 640, 1000, 1000].enumerated() {
            var longest = Duration.zero
            for seed in 0..<200 as Range<UInt64> {
                var schedule = schedule(isPrimary: true, seed: seed)
                for _ in 0..<attempt { _ = schedule.failed() }
                longest = max(longest, schedule.failed())
            }
            #expect(longest <= .milliseconds(ceiling))
            #expect(longest > .milliseconds(ceiling) * 0.9)
        }
    }

    @Test("very many failures do not overflow")
    func manyFailures() {
        var schedule = schedule(isPrimary: true)
        for _ in 0..<10_000 { #expect(schedule.failed() <= .seconds(1)) }
    }

    @Test("a healthy connection starts over, a short one does not")
    func reset() {
        var tired = schedule(isPrimary: true)
        for _ in 0..<10 { _ = tired.failed() }
        var longest = Duration.zero
        for _ in 0..<20 { longest = max(longest, tired.lost(after: .milliseconds(999), dialledByUs: true)) }
        #expect(longest > .milliseconds(20))
        #expect(tired.lost(after: .seconds(1), dialledByUs: true) <= .milliseconds(20))
    }

    @Test("the lower id waits to be dialled, until its own dialling has worked")
    func patience() {
        var lower = schedule(isPrimary: false)
        #expect(lower.failed() >= .seconds(2))
        #expect(lower.lost(after: .seconds(5), dialledByUs: false) >= .seconds(2))
        #expect(lower.lost(after: .seconds(5), dialledByUs: true) <= .milliseconds(20))
        #expect(lower.failed() <= .seconds(1))
    }
}

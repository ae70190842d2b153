import LimiterCore
import Testing

@testable import Coordination

/// A part of a bucket is kept for critical requests, at the owner: a hundred tokens, one each 10 ms, of which twenty are kept.
struct PriorityTests {
    private func owner() throws -> TestOwner {
        let owner = try TestOwner(tokens: 100, burst: 100, reserveForCritical: 20)
        owner.now = ClockTime(ns: 30_000_000_000)
        return owner
    }

    @Test("Normal requests end at the reserve, critical ones at the end of the bucket")
    func downToTheReserve() throws {
        let owner = try owner()
        #expect(owner.ask(holder: 0, count: 200) == 80)
        #expect(owner.ask(holder: 0, count: 1) == 0)
        #expect(owner.ask(holder: 0, count: 15, priority: .critical) == 15)
        #expect(owner.ask(holder: 0, count: 15, priority: .critical) == 5)
    }

    @Test("What comes back goes to the critical ones until the reserve is full again")
    func precedence() throws {
        let owner = try owner()
        #expect(owner.ask(holder: 0, count: 100, priority: .critical) == 100)
        owner.now = owner.now + 100_000_000
        #expect(owner.ask(holder: 0, count: 5) == 0)
        #expect(owner.ask(holder: 1, count: 5, priority: .critical) == 5)
        // 20 tokens later only the reserve is there.
        owner.now = owner.now + 150_000_000
        #expect(owner.ask(holder: 0, count: 5) == 0)
        owner.now = owner.now + 30_000_000
        #expect(owner.ask(holder: 0, count: 5) == 3)
    }

    @Test("No allowance reaches into the reserve, whatever is wanted")
    func allowances() throws {
        let owner = try owner()
        var lent: Int64 = 0
        for holder in 0..<40 {
            let allowance = owner.report(holder: holder, want: 1_000_000_000).allowance
            guard let allowance else { continue }
            #expect(allowance.end <= owner.axis + 80 * owner.token)
            lent += allowance.end - allowance.start
        }
        #expect(lent > 20 * owner.token && lent <= 80 * owner.token)
        #expect(owner.ask(holder: 50, count: 20, priority: .critical) == 20)
    }

    @Test("Who waits is given tokens of the future: a normal one would be given the critical ones'")
    func waiting() throws {
        let owner = try owner()
        #expect(owner.ask(holder: 0, count: 200, wait: 10_000_000_000) == 80)
        #expect(owner.ask(holder: 0, count: 200, priority: .critical, wait: 100_000_000) == 30)
    }

    @Test("A refusal says when a request of its own priority could pass")
    func retryAfter() throws {
        let owner = try owner()
        #expect(owner.ask(holder: 0, count: 80) == 80)
        let group = WaitingGroup(firstTicket: 1, count: 1, time: 3 * owner.token, longestWait: 0)
        let verdict = try #require(owner.report(holder: 0, [group]).verdicts.last)
        let decision = Decision.settled(
            allowed: false, limit: owner.bucket.limit, tat: verdict.tat, cost: 3, at: verdict.axis)
        #expect(decision.limit == 80 && decision.remaining == 0 && decision.retryAfter == 3 * owner.token)
        let critical = Decision.settled(
            allowed: false, limit: owner.bucket.with(.critical).limit, tat: verdict.tat, cost: 30, at: verdict.axis)
        #expect(critical.limit == 100 && critical.remaining == 20 && critical.retryAfter == 10 * owner.token)
    }

    @Test("A request larger than what is open to it never passes, and nothing breaks")
    func tooLarge() throws {
        let owner = try owner()
        func admitted(_ tokens: Int64, _ priority: Priority) -> UInt32 {
            let group = WaitingGroup(
                firstTicket: 1, count: 1, time: tokens * owner.token, longestWait: 0, priority: priority)
            return owner.report(holder: 0, [group]).verdicts.last?.admitted ?? 0
        }
        #expect(admitted(81, .normal) == 0)
        #expect(admitted(81, .critical) == 1)
        #expect(owner.bucket.limit.time(of: 81) == nil && owner.bucket.limit.time(of: 80) != nil)
    }

    @Test("Of a holder that is ahead even a critical request goes before a normal one of who is behind")
    func beforeFairness() throws {
        let owner = try owner()
        // Holder 0 has had everything; holder 1 is hungry.
        _ = owner.ask(holder: 1, count: 1)
        _ = owner.report(holder: 1, want: owner.token)
        _ = owner.ask(holder: 0, count: 79)
        _ = owner.ask(holder: 1, count: 79)
        #expect(owner.ask(holder: 1, count: 30) == 0)
        _ = owner.report(holder: 0, want: owner.token)
        #expect(owner.ask(holder: 0, count: 10, priority: .critical) == 10)
        owner.now = owner.now + 50_000_000
        #expect(owner.ask(holder: 1, count: 5) == 0)
        #expect(owner.ask(holder: 0, count: 5, priority: .critical) == 5)
    }
}

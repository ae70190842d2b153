import RingElection
import Testing

@Suite struct LCRTests {
    static func ring(_ uids: [UInt64]) -> Ring<LCR> { Ring(uids.map { LCR(uid: $0) }) }

    @Test func aUIDThatComesBackLeads() {
        var member = LCR(uid: 5)
        #expect(member.start() == [Sending(.token(5))])
        #expect(member.start().isEmpty, "once is enough")
        #expect(member.receive(.token(3), travelling: .clockwise).isEmpty, "smaller: swallowed")
        #expect(member.receive(.token(9), travelling: .clockwise) == [Sending(.token(9))], "greater: passed on")
        #expect(member.leader == nil)
        #expect(member.receive(.token(5), travelling: .clockwise) == [Sending(.stop(leader: 5))])
        #expect(member.isLeader)
        #expect(member.receive(.stop(leader: 5), travelling: .clockwise).isEmpty, "it has come home")
    }

    /// Best, worst and single rings have exactly the textbook's numbers of messages.
    @Test(arguments: 1...64)
    func messagesAreThoseOfTheTextbook(n: Int) {
        let ascending = (1...n).map { UInt64($0) }
        for (uids, tokens) in [(ascending, 2 * n - 1), (ascending.reversed(), n * (n + 1) / 2)] {
            var ring = Self.ring(uids)
            ring.startAll()
            ring.runInStep()
            #expect(ring.sent == tokens + n)
            #expect(ring.leaders == [UInt64(n)] && ring.agreed.allSatisfy { $0 == UInt64(n) })
        }
    }

    /// Over all orders of five UIDs the tokens are n * H_n on average, exactly.
    @Test func theMeanOverAllOrdersIsNTimesH() {
        let n = 5
        var total = 0
        var orders = 0
        func permute(_ chosen: [UInt64], _ left: [UInt64]) {
            guard !left.isEmpty else {
                var ring = Self.ring(chosen)
                ring.startAll()
                ring.runInStep()
                total += ring.sent - n
                orders += 1
                return
            }
            for i in left.indices {
                var rest = left
                permute(chosen + [rest.remove(at: i)], rest)
            }
        }
        permute([], (1...n).map { UInt64($0) })
        // 5 * (1 + 1/2 + 1/3 + 1/4 + 1/5) = 137/12
        #expect(orders == 120 && total * 12 == 137 * orders)
    }

    @Test func whoeverStartsAndHoweverLinksDelayTheGreatestWins() {
        var chance = Chance(state: 1)
        for _ in 0..<500 {
            let n = 1 + chance.below(12)
            var ring = Self.ring(chance.order(n))
            for _ in 0...chance.below(n) { ring.start(chance.below(n)) }
            ring.run(&chance)
            #expect(ring.leaders == [UInt64(n)] && ring.agreed.allSatisfy { $0 == UInt64(n) })
        }
    }
}

@Suite struct LCRAsToldTests {
    static func run(_ reading: LCRAsTold.Reading, _ uids: [UInt64]) -> Ring<LCRAsTold> {
        var ring = Ring(uids.map { LCRAsTold(uid: $0, reading: reading) })
        ring.startAll()
        ring.runInStep()
        return ring
    }

    /// Nothing is said of greater UIDs: none gets further than its neighbour.
    @Test(arguments: 2...20)
    func toTheLetterElectsNobody(n: Int) {
        var chance = Chance(state: UInt64(n))
        let ring = Self.run(.toTheLetter, chance.order(n))
        #expect(ring.leaders.isEmpty && ring.agreed.allSatisfy { $0 == nil })
    }

    @Test func toTheLetterOneAloneElectsItself() {
        #expect(Self.run(.toTheLetter, [7]).leaders == [7])
    }

    /// n UIDs travel all the time, whatever the order, and the winner declares itself again and again.
    @Test(arguments: [2, 3, 8, 33])
    func swallowedUIDsAreReplaced(n: Int) {
        var chance = Chance(state: UInt64(n))
        for uids in [(1...n).map { UInt64($0) }, chance.order(n), chance.order(n)] {
            let ring = Self.run(.greaterPasses, uids)
            #expect(ring.leaders == [UInt64(n)])
            // Until the UID is back n^2; then the winner's copies ahead of the announcement, each of which it answers.
            #expect(ring.sent > n * n)
            #expect(ring.sent == n * n + n * (n - 1) / 2 + 4 * n)
            #expect(ring.members.map(\.declarations).reduce(0, +) == n + 1)
        }
    }

    /// The textbook's messages, one needless round of the winner's UID, and the two that its second return sets off.
    @Test(arguments: 2...20)
    func theWinnerGoesRoundTwice(n: Int) {
        var chance = Chance(state: UInt64(n))
        let uids = chance.order(n)
        var textbook = LCRTests.ring(uids)
        textbook.startAll()
        textbook.runInStep()
        let ring = Self.run(.ownIsSmaller, uids)
        #expect(ring.leaders == [UInt64(n)] && ring.agreed.allSatisfy { $0 == UInt64(n) })
        #expect(ring.sent == textbook.sent + n + 2)
        #expect(ring.members.map(\.declarations).reduce(0, +) == 2)
    }
}

@Suite struct HirschbergSinclairTests {
    @Test func probesGoTwiceAsFarInEachPhase() {
        var member = HirschbergSinclair(uid: 5)
        let first = HirschbergSinclair.Message.probe(5, hopsLeft: 1)
        #expect(member.start() == [Sending(first, .clockwise), Sending(first, .counterclockwise)])
        #expect(member.receive(.probe(9, hopsLeft: 2), travelling: .clockwise) == [Sending(.probe(9, hopsLeft: 1))])
        #expect(
            member.receive(.probe(9, hopsLeft: 1), travelling: .clockwise) == [Sending(.echo(9), .counterclockwise)])
        #expect(member.receive(.probe(3, hopsLeft: 4), travelling: .clockwise).isEmpty)
        #expect(member.receive(.echo(5), travelling: .clockwise).isEmpty, "the other way is still out")
        #expect(member.receive(.echo(5), travelling: .clockwise).isEmpty, "the same one again")
        let second = HirschbergSinclair.Message.probe(5, hopsLeft: 2)
        #expect(
            member.receive(.echo(5), travelling: .counterclockwise) == [
                Sending(second, .clockwise), Sending(second, .counterclockwise),
            ])
        #expect(member.phase == 1)
    }

    @Test(arguments: 1...64)
    func neverMoreThanItsBound(n: Int) {
        var chance = Chance(state: UInt64(n))
        var phases = 0
        while 1 << phases < n { phases += 1 }
        for uids in [(1...n).map { UInt64($0) }, (1...n).map { UInt64($0) }.reversed(), chance.order(n)] {
            var ring = Ring(uids.map { HirschbergSinclair(uid: $0) })
            ring.startAll()
            ring.runInStep()
            #expect(ring.leaders == [UInt64(n)] && ring.agreed.allSatisfy { $0 == UInt64(n) })
            #expect(ring.sent <= 8 * n * (1 + phases) + n)
        }
    }

    @Test func whoeverStartsAndHoweverLinksDelayTheGreatestWins() {
        var chance = Chance(state: 2)
        for _ in 0..<500 {
            let n = 1 + chance.below(12)
            var ring = Ring(chance.order(n).map { HirschbergSinclair(uid: $0) })
            for _ in 0...chance.below(n) { ring.start(chance.below(n)) }
            ring.run(&chance)
            #expect(ring.leaders == [UInt64(n)] && ring.agreed.allSatisfy { $0 == UInt64(n) })
        }
    }
}

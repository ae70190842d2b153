import RingElection
import Testing

/// Repaired rings in step: each tick all members tick, then everything that is under way arrives, until nothing is.
private struct Group {
    var members: [RepairedRing]
    var isDead: [Bool]
    var group: [Int]
    var sent = 0

    init(_ uids: [UInt64]) {
        members = uids.indices.map { RepairedRing(place: $0, uids: uids) }
        isDead = uids.map { _ in false }
        group = uids.map { _ in 0 }
    }

    mutating func start() {
        for i in members.indices where !isDead[i] { members[i].start() }
        deliver()
    }

    mutating func run(ticks: Int) {
        for _ in 0..<ticks {
            for i in members.indices where !isDead[i] { members[i].tick() }
            deliver()
        }
    }

    mutating func deliver() {
        while true {
            var batch: [RepairedRing.Message] = []
            for i in members.indices where !isDead[i] { batch += members[i].takeMessages() }
            guard !batch.isEmpty else { return }
            sent += batch.count
            for message in batch where !isDead[message.to] && group[message.from] == group[message.to] {
                members[message.to].receive(message)
            }
        }
    }

    var leaders: [UInt64] { members.indices.filter { !isDead[$0] && members[$0].isLeader }.map { members[$0].uid } }
    var believed: Set<UInt64?> { Set(members.indices.filter { !isDead[$0] }.map { members[$0].leader }) }
}

@Suite struct RepairedRingTests {
    @Test func withoutFaultsTheGreatestLeadsAndStays() {
        var group = Group([3, 1, 5, 2, 4])
        group.start()
        group.run(ticks: 200)
        #expect(group.leaders == [5] && group.believed == [5])
        #expect(group.members.allSatisfy { $0.elections == 1 }, "nobody had to stand twice")
    }

    @Test func aMemberThatNeverAnswersIsSkipped() {
        var group = Group([3, 1, 5, 2, 4])
        group.isDead[2] = true
        group.start()
        group.run(ticks: 100)
        #expect(group.leaders == [4] && group.believed == [4])
        #expect(group.members[1].suspects == [false, false, true, false, false])
    }

    /// The UID of a member that died after sending it would go round for ever: who skips its member takes it out.
    @Test func theUIDOfADeadMemberLeavesTheRing() {
        var group = Group([3, 1, 5, 2, 4])
        for i in group.members.indices { group.members[i].start() }
        // Its UID is under way when it dies.
        for message in group.members[2].takeMessages() { group.members[3].receive(message) }
        group.isDead[2] = true
        group.run(ticks: 200)
        #expect(group.leaders == [4] && group.believed == [4])
        let before = group.sent
        group.run(ticks: 50)
        // Announcements of the leader round a ring of four, receipts, and questions to the dead one; no token that circles.
        #expect(group.sent - before <= 50 / 5 * 8 + 8)
    }

    @Test func aDeadLeaderIsReplaced() {
        var group = Group([3, 1, 5, 2, 4])
        group.start()
        group.run(ticks: 20)
        group.isDead[2] = true
        group.run(ticks: 200)
        #expect(group.leaders == [4] && group.believed == [4])
    }

    /// What a ring cannot do: both sides of a partition elect. Once they hear of each other the smaller gives way.
    @Test func aPartitionElectsTwoAndHealingOne() {
        var group = Group([3, 1, 5, 2, 4])
        group.start()
        group.run(ticks: 20)
        group.group = [1, 1, 0, 0, 0]
        group.run(ticks: 200)
        #expect(group.leaders.sorted() == [3, 5], "a leader each")
        group.group = [0, 0, 0, 0, 0]
        group.run(ticks: 200)
        #expect(group.leaders == [5] && group.believed == [5])
    }

    @Test func oneThatIsCutOffLeadsItself() {
        var group = Group([2, 1])
        group.group = [0, 1]
        group.start()
        group.run(ticks: 100)
        #expect(group.leaders.sorted() == [1, 2])
    }

    @Test func whatIsRepeatedCountsOnce() {
        var member = RepairedRing(place: 0, uids: [1, 2, 3])
        let carry = RepairedRing.Message(from: 2, to: 0, content: .carry(number: 1, .token(3)))
        member.receive(carry)
        #expect(
            member.takeMessages() == [
                .init(from: 0, to: 2, content: .receipt(number: 1)),
                .init(from: 0, to: 1, content: .carry(number: 1, .token(3))),
            ])
        member.receive(carry)
        #expect(
            member.takeMessages() == [.init(from: 0, to: 2, content: .receipt(number: 1))], "a receipt, nothing more")
        #expect(member.queuedCount == 1, "nor is it passed on a second time")
    }

    @Test func theQueueHasItsLimit() {
        let uids = (1...200).map { UInt64($0) }
        var member = RepairedRing(place: 0, uids: uids)
        for k in 0..<RepairedRing.mostQueued {
            member.receive(.init(from: 199, to: 0, content: .carry(number: UInt64(k + 1), .token(UInt64(k + 2)))))
        }
        #expect(member.queuedCount == RepairedRing.mostQueued)
        member.receive(.init(from: 199, to: 0, content: .carry(number: 100, .token(150))))
        #expect(member.queuedCount == RepairedRing.mostQueued, "the oldest that was not under way made room")
    }
}

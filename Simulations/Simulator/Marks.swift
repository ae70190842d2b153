/// Rare paths, and how often a run came along each: a sweep that reaches none of a kind proves nothing about it.
package struct Marks: Sendable {
    package enum Mark: String, CaseIterable, Sendable {
        case election, takeover, compaction, snapshotAdopted, isolation, denied, delayed
        case crashOfLeader, crashDuringWrite, tornWrite, crashWithCoversInFlight, crashWithWaitersAtOwner
        /// Two processes that serve one range.
        case zombie
        case handOver, ruleChange
        /// A bucket was forgotten because the table was full.
        case forgotten
        /// An allowance was lost for want of room.
        case allowanceLost
        case repeatedReport
        case everybodyDown
        /// A write failed, or a process could not open its log for want of room.
        case diskRefused
        /// A log refused to start on a damaged disk.
        case damageFound
        case diskReplaced
        case clientCrash
    }

    package private(set) var counts: [Int] = Array(repeating: 0, count: Mark.allCases.count)

    package init() {}

    package mutating func reach(_ mark: Mark, times: Int = 1) {
        counts[Mark.allCases.firstIndex(of: mark)!] += times
    }

    package subscript(_ mark: Mark) -> Int { counts[Mark.allCases.firstIndex(of: mark)!] }

    package mutating func add(_ other: Marks) {
        for i in counts.indices { counts[i] += other.counts[i] }
    }
}

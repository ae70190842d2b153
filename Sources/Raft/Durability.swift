/// What of the node's state is on its disk, what is on its way there, and what was not handed to the driver yet.
///
/// A node's messages to itself (its vote for itself, the leader's own acknowledgement) have no queue here: they are
/// read off ``durableIndex`` and ``durableVote``, which describe the log and the term as they are *now*. So a write that
/// completes after the term has moved on, or after its entries were replaced, cannot count for anything.
struct Durability: Sendable {
    struct Ballot: Equatable, Sendable {
        var term: Term
        var vote: NodeID?
    }

    private struct Flight: Sendable {
        var number: UInt64
        /// When this write is durable, the log is up to here, as far as it was not changed since.
        var lastIndex: LogIndex
        var ballot: Ballot
        var snapshot: Snapshot?
    }

    /// The log, as it is now, is durable up to and including this entry.
    private(set) var durableIndex: LogIndex
    private(set) var durableVote: Ballot
    /// The first entry that is in no write yet.
    private(set) var firstUnwritten: LogIndex
    private var unwrittenSnapshot: Snapshot?
    private var writtenHardState: HardState
    private var flights: [Flight] = []
    private var lastNumber: UInt64 = 0
    private let maxFlights: Int

    init(restored hardState: HardState, lastIndex: LogIndex, maxFlights: Int) {
        durableIndex = lastIndex
        durableVote = Ballot(term: hardState.term, vote: hardState.vote)
        firstUnwritten = lastIndex + 1
        writtenHardState = hardState
        self.maxFlights = maxFlights
    }

    var hasFlights: Bool { !flights.isEmpty }
    var canWrite: Bool { flights.count < maxFlights }

    /// Whether there is something that has to reach the disk.
    func mustWrite(term: Term, vote: NodeID?, lastIndex: LogIndex) -> Bool {
        firstUnwritten <= lastIndex || unwrittenSnapshot != nil || writtenHardState.term != term
            || writtenHardState.vote != vote
    }

    /// Entries from `index` on were replaced: what was written of them is void.
    mutating func replaced(from index: LogIndex) {
        durableIndex = min(durableIndex, index - 1)
        firstUnwritten = min(firstUnwritten, index)
        if isPlanted(.trustsReplacedWrites) { return }
        for flight in flights.indices { flights[flight].lastIndex = min(flights[flight].lastIndex, index - 1) }
    }

    /// The whole log was replaced by a snapshot; of what is on disk, only the entries up to `committed` are still true.
    mutating func replaced(by snapshot: Snapshot, committed: LogIndex) {
        replaced(from: committed + 1)
        firstUnwritten = snapshot.index + 1
        unwrittenSnapshot = snapshot
    }

    /// The next write, to be carried out by the driver.
    mutating func takeWrite(
        term: Term, vote: NodeID?, commit: LogIndex, log: RaftLog, messagesAfterSync: [Message]
    ) -> Write {
        let mustSync = mustWrite(term: term, vote: vote, lastIndex: log.lastIndex)
        // The hard state precedes the entries on the disk, and a crash may come in between: a commit index that counts
        // entries of this very write would then vouch for whatever older entries were there before. So it counts
        // only what is durable already. It moves with writes that have another reason: as a mere hint it is worth none
        // of its own.
        let hint = max(writtenHardState.commit, isPlanted(.commitAheadOfDisk) ? commit : min(commit, durableIndex))
        let hardState = HardState(term: term, vote: vote, commit: hint)
        let entries = firstUnwritten <= log.lastIndex ? Array(log.entries(firstUnwritten...log.lastIndex)) : []
        lastNumber += 1
        let write = Write(
            number: lastNumber, snapshot: unwrittenSnapshot, hardState: hardState == writtenHardState ? nil : hardState,
            entries: entries, mustSync: mustSync, messagesAfterSync: messagesAfterSync)
        flights.append(
            Flight(
                number: lastNumber, lastIndex: log.lastIndex, ballot: Ballot(term: term, vote: vote),
                snapshot: unwrittenSnapshot))
        firstUnwritten = log.lastIndex + 1
        unwrittenSnapshot = nil
        writtenHardState = hardState
        return write
    }

    /// The writes up to `number` are durable; answers with the newest snapshot among them.
    mutating func complete(_ number: UInt64) -> Snapshot? {
        precondition(number <= lastNumber, "write \(number) was reported as durable before it was handed out")
        var snapshot: Snapshot?
        while let flight = flights.first, flight.number <= number {
            durableIndex = max(durableIndex, flight.lastIndex)
            durableVote = flight.ballot
            snapshot = flight.snapshot ?? snapshot
            flights.removeFirst()
        }
        return snapshot
    }
}

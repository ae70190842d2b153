/// The rules of this module that can be broken one at a time, to see whether the simulator notices ("mutation testing").
///
/// Each is one condition at the place of its rule. Without `DEBUG` or `MUTANTS` all of them are constants that the compiler
/// removes, and nothing can turn them on.
package enum RaftMutant: String, CaseIterable, Sendable {
    // MARK: Promises that must be durable

    /// A vote is answered before it is on the disk (paper, section 5.2 and figure 2: persistent state is updated first).
    case votesBeforeDurable = "votes-before-durable"
    /// An append is acknowledged before it is on the disk (paper, figure 2).
    case acknowledgesBeforeSync = "acknowledges-before-sync"
    /// Votes are asked for before the candidate's own vote and log are durable (see ``RaftNode``).
    case campaignsBeforeDurable = "campaigns-before-durable"
    /// A leader counts its own entries before its own write of them is done (thesis 10.2.1).
    case countsUnwrittenEntries = "counts-unwritten-entries"
    /// A restarted node has forgotten its vote (paper, figure 2: `votedFor` is persistent).
    case forgetsVote = "forgets-vote"
    /// A write that ends after its entries were replaced counts for the new ones (ABA; openraft #1960).
    case trustsReplacedWrites = "trusts-replaced-writes"
    /// The commit index on the disk vouches for entries that may not be there (see ``Durability``).
    case commitAheadOfDisk = "commit-ahead-of-disk"

    // MARK: Elections

    /// A candidate with a shorter or older log gets the vote (paper, section 5.4.1).
    case votesForShorterLogs = "votes-for-shorter-logs"
    /// Logs are compared by length and not by last term (paper, section 5.4.1).
    case comparesLengthsOnly = "compares-lengths-only"
    /// Two candidates get a vote in one term (paper, section 5.2).
    case votesTwice = "votes-twice"
    /// Fewer than a majority elect a leader (paper, section 5.2).
    case minorityElects = "minority-elects"
    /// Votes of an earlier term count (paper, section 5.1: stale answers are dropped).
    case countsStaleVotes = "counts-stale-votes"
    /// Pre-votes and their answers from a lower term are not heard: who is ahead in its term can never stand, and those behind
    /// never learn it (etcd #8501, #10355).
    case deafToLowerTerms = "deaf-to-lower-terms"
    /// A leader of a lower term is not told the new one: with CheckQuorum it never reaches whoever is ahead (etcd-io/raft,
    /// TestFreeStuckCandidateWithCheckQuorum).
    case silentToOldLeaders = "silent-to-old-leaders"

    // MARK: Replication

    /// An entry of an earlier term is committed by counting its copies (paper, section 5.4.2, figure 8; logcabin #44).
    case commitsOldTerms = "commits-old-terms"
    /// Half of the voters, rounded down, commit (paper, section 5.3; openraft #1802).
    case minorityCommits = "minority-commits"
    /// Acknowledgements of an earlier term count (raft-rs #557, openraft #1500).
    case countsStaleAcks = "counts-stale-acks"
    /// An append of a deposed leader is obeyed (paper, section 5.1).
    case followsOldLeader = "follows-old-leader"
    /// A heartbeat carries a commit index beyond what the follower was seen to hold.
    case unclampedHeartbeats = "unclamped-heartbeats"
    /// A follower commits entries behind those that an append vouches for (paper, figure 2: "index of last new entry"), under a leader that steps
    /// back one entry further than it must, as any leader may: after ours nothing would be left to go wrong.
    case commitsUnmatched = "commits-unmatched"
    /// An append removes entries that agree with it, and so those that a newer one has brought (openraft 9540c904).
    case truncatesMatching = "truncates-matching"
    /// A probe that was lost is never sent again (etcd #10308, #1828, etcd-io/raft #31: progress that is stuck).
    case neverProbesAgain = "never-probes-again"
    /// A node that was started anew takes a heartbeat's commit index for its own log, whatever that holds.
    case trustsOwnTail = "trusts-own-tail"
    /// A leader goes on counting on the copies of a disk that is there no more.
    case ignoresLostLogs = "ignores-lost-logs"

    // MARK: Snapshots

    /// A snapshot from before the commit index takes the state back (openraft #1808, #1892).
    case adoptsOldSnapshots = "adopts-old-snapshots"
    /// A snapshot drops a log that agrees with it and reaches further (paper, section 7: "retained").
    case snapshotsDropLog = "snapshots-drop-log"
}

#if DEBUG || MUTANTS
    /// The rule that is broken in this process. Set once, before anything runs; never written afterwards, hence unsafe only in
    /// name.
    package nonisolated(unsafe) var plantedRaftMutant: RaftMutant?
#endif

/// Whether this rule is broken: the constant `false` in builds without mutants.
@inline(__always)
func isPlanted(_ mutant: RaftMutant) -> Bool {
    #if DEBUG || MUTANTS
        plantedRaftMutant == mutant
    #else
        false
    #endif
}

extension RaftNode {
    /// Whether a message that vouches for a write leaves before that write is durable.
    @inline(__always)
    func isSentBeforeSync(_ body: Message.Body) -> Bool {
        switch body {
        case .voteResponse: isPlanted(.votesBeforeDurable)
        case .appendResponse: isPlanted(.acknowledgesBeforeSync)
        case .vote: isPlanted(.campaignsBeforeDurable)
        default: false
        }
    }
}

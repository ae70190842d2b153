extension RaftNode {
    /// The timing and the limits of a node. All nodes of a cluster should have the same.
    ///
    /// Bytes of entries are counted as ``Entry/weight``.
    public struct Configuration: Equatable, Sendable {
        /// A follower that hears nothing from a leader campaigns after a random number of ticks in
        /// `electionTicks ..< 2 * electionTicks`; a leader that hears nothing from a majority resigns after
        /// `electionTicks`.
        public var electionTicks: UInt64
        /// The time between a leader's heartbeats, in ticks.
        public var heartbeatTicks: UInt64
        /// The entries in one append weigh at most this, unless it is a single one.
        public var maxBytesPerAppend: Int
        /// How many appends may be under way to one follower.
        public var maxInflightAppends: Int
        /// What they may weigh together, unless it is a single entry.
        public var maxInflightBytes: Int
        /// What the leader's uncommitted entries may weigh together; proposals beyond it are refused. On a follower, what
        /// the forwarded proposals between two calls of ``RaftNode/takeReady()`` may weigh.
        public var maxUncommittedBytes: Int
        /// The largest payload of a proposal, in bytes.
        public var maxProposalBytes: Int
        /// How much of a snapshot is sent at a time, in bytes.
        public var maxSnapshotChunk: Int
        /// The largest snapshot that is accepted from a leader, in bytes; it is gathered in memory.
        public var maxSnapshotBytes: Int
        /// What the entries that a compaction leaves before the snapshot's index may weigh, for the sake of followers that
        /// are a little behind.
        public var maxRetainedBytes: Int
        /// How many writes may be under way to the disk before ``RaftNode/takeReady()`` holds back the next.
        public var maxWritesInFlight: Int
        /// How many committed entries one ``Ready`` hands out.
        public var maxCommittedPerReady: Int
        /// Ask before a campaign whether it could be won, and disturb nobody otherwise (thesis 9.6).
        public var preVote: Bool
        /// A leader without a majority resigns, and a follower of a live leader ignores candidates (thesis 6.2, 4.2.3).
        public var checkQuorum: Bool

        public init(
            electionTicks: UInt64 = 10, heartbeatTicks: UInt64 = 2, maxBytesPerAppend: Int = 256 << 10,
            maxInflightAppends: Int = 64, maxInflightBytes: Int = 4 << 20, maxUncommittedBytes: Int = 16 << 20,
            maxProposalBytes: Int = 1 << 20, maxSnapshotChunk: Int = 256 << 10, maxSnapshotBytes: Int = 1 << 30,
            maxRetainedBytes: Int = 1 << 20, maxWritesInFlight: Int = 16, maxCommittedPerReady: Int = 4096,
            preVote: Bool = true, checkQuorum: Bool = true
        ) {
            self.electionTicks = electionTicks
            self.heartbeatTicks = heartbeatTicks
            self.maxBytesPerAppend = maxBytesPerAppend
            self.maxInflightAppends = maxInflightAppends
            self.maxInflightBytes = maxInflightBytes
            self.maxUncommittedBytes = maxUncommittedBytes
            self.maxProposalBytes = maxProposalBytes
            self.maxSnapshotChunk = maxSnapshotChunk
            self.maxSnapshotBytes = maxSnapshotBytes
            self.maxRetainedBytes = maxRetainedBytes
            self.maxWritesInFlight = maxWritesInFlight
            self.maxCommittedPerReady = maxCommittedPerReady
            self.preVote = preVote
            self.checkQuorum = checkQuorum
        }

        func checkConsistency() {
            precondition(heartbeatTicks > 0, "heartbeatTicks must be at least 1")
            precondition(electionTicks > heartbeatTicks, "electionTicks must be more than heartbeatTicks")
            precondition(electionTicks < 1 << 32, "electionTicks must fit into 32 bits")
            precondition(
                maxBytesPerAppend > 0 && maxInflightAppends > 0 && maxInflightBytes > 0 && maxProposalBytes > 0
                    && maxSnapshotChunk > 0 && maxSnapshotBytes > 0 && maxRetainedBytes >= 0 && maxWritesInFlight > 0
                    && maxCommittedPerReady > 0,
                "every limit must be positive")
            precondition(
                maxUncommittedBytes >= maxProposalBytes + Entry.overhead,
                "maxUncommittedBytes must have room for one proposal of maxProposalBytes")
        }
    }
}

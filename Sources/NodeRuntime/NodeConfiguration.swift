public import Coordination
public import Raft

/// What a node needs to know before it starts. Nothing here is needed for safety: that is in the log.
public struct NodeConfiguration: Sendable {
    public var node: NodeID
    public var voters: [NodeID]
    /// This process's random number: a restarted process is another tenant.
    public var incarnation: UInt64
    /// Decides election timeouts and session numbers; random in production.
    public var seed: UInt64
    /// The cluster's birth, in case this node is its first leader.
    public var genesis: Genesis
    public var timing: Timing
    public var raft: RaftNode.Configuration
    /// The log is compacted when so many entries were applied since the last snapshot,
    public var compactAfterEntries: UInt64 = 50_000
    /// or entries with so many bytes.
    public var compactAfterBytes: Int = 64 << 20

    /// All times that scale together; in nanoseconds.
    public struct Timing: Sendable, Equatable {
        /// How often ``NodeRuntime/tick(now:)`` is called.
        public var tick: Int64 = 10_000_000
        public var heartbeat: Int64 = 50_000_000
        /// An election begins after 1 to 2 times this without a leader.
        public var election: Int64 = 250_000_000
        /// How long a node may be silent before its ranges go to others.
        public var detection: Int64 = 400_000_000
        /// How long a request waits for its owner before `onIsolation` decides.
        public var patience: Int64 = 1_000_000_000
        /// Silence of this length means being cut off.
        public var isolation: Int64 = 1_500_000_000

        public init() {}

        /// The defaults, all times multiplied by `factor` percent but for the tick.
        public init(percent: Int64) {
            heartbeat = heartbeat * percent / 100
            election = election * percent / 100
            detection = detection * percent / 100
            patience = patience * percent / 100
            isolation = isolation * percent / 100
        }

        func ticks(_ time: Int64) -> UInt64 { UInt64(max(1, (time + tick - 1) / tick)) }
    }

    public init(
        node: NodeID, voters: [NodeID], incarnation: UInt64, seed: UInt64, genesis: Genesis, timing: Timing = Timing()
    ) {
        self.node = node
        self.voters = voters
        self.incarnation = incarnation
        self.seed = seed
        self.genesis = genesis
        self.timing = timing
        raft = RaftNode.Configuration(
            electionTicks: timing.ticks(timing.election), heartbeatTicks: timing.ticks(timing.heartbeat))
    }
}

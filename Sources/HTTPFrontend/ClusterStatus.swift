/// The cluster as one node sees it: the body of `GET /v1/cluster`.
public struct ClusterStatus: Codable, Equatable, Sendable {
    public struct Member: Codable, Equatable, Sendable {
        public var id: Int
        public var address: String
        /// `leader`, `follower`, `candidate` or `learner`; `unknown` where this node cannot tell.
        public var role: String
        public var reachable: Bool

        public init(id: Int, address: String, role: String, reachable: Bool) {
            self.id = id
            self.address = address
            self.role = role
            self.reachable = reachable
        }
    }

    public struct Range: Codable, Equatable, Sendable {
        public var id: Int
        /// The node that owns the range; nil between owners.
        public var owner: Int?
        public var epoch: UInt64

        public init(id: Int, owner: Int?, epoch: UInt64) {
            self.id = id
            self.owner = owner
            self.epoch = epoch
        }
    }

    /// The node that answers.
    public var node: Int
    /// The leader, if one is known.
    public var leader: Int?
    public var term: UInt64
    public var members: [Member]
    public var ranges: [Range]
    public var commitIndex: UInt64
    /// The cluster's own time, in milliseconds.
    public var clusterTimeMs: Int64
    /// Which start of the node this is.
    public var incarnation: UInt64
    /// The program's version.
    public var version: String
    /// `ok`, or what is wrong, for people.
    public var health: String

    public init(
        node: Int, leader: Int?, term: UInt64, members: [Member], ranges: [Range], commitIndex: UInt64,
        clusterTimeMs: Int64,
        incarnation: UInt64, version: String, health: String
    ) {
        self.node = node
        self.leader = leader
        self.term = term
        self.members = members
        self.ranges = ranges
        self.commitIndex = commitIndex
        self.clusterTimeMs = clusterTimeMs
        self.incarnation = incarnation
        self.version = version
        self.health = health
    }
}

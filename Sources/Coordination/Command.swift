public import LimiterCore
public import Raft

/// Tells one process's requests apart from those of all others, so that it knows its own when they are applied.
public struct RequestID: Hashable, Sendable {
    public var incarnation: UInt64
    public var number: UInt64

    public init(incarnation: UInt64, number: UInt64) {
        self.incarnation = incarnation
        self.number = number
    }
}

/// The cluster's birth: agreed once, by whichever proposal is applied first.
public struct Genesis: Hashable, Sendable {
    /// The secret of the hash that gives buckets their identity.
    public var secretHigh: UInt64
    public var secretLow: UInt64
    /// A random number that tells this cluster from all others.
    public var cluster: UInt64
    public var parameters: ClusterParameters

    public init(secretHigh: UInt64, secretLow: UInt64, cluster: UInt64, parameters: ClusterParameters) {
        self.secretHigh = secretHigh
        self.secretLow = secretLow
        self.cluster = cluster
        self.parameters = parameters
    }
}

/// A change of one rule.
public enum RuleChange: Hashable, Sendable {
    case put(Rule)
    case delete(String)
}

/// One range's new owner.
public struct Assignment: Hashable, Sendable {
    public var range: RangeID
    /// The epoch that this ends; ignored unless it is still the current one.
    public var replaces: UInt64
    public var node: NodeID
    /// The very process: a restarted one owns nothing until it is assigned anew.
    public var incarnation: UInt64

    public init(range: RangeID, replaces: UInt64, node: NodeID, incarnation: UInt64) {
        self.range = range
        self.replaces = replaces
        self.node = node
        self.incarnation = incarnation
    }
}

/// Up to where a bucket's spans may end.
public struct Bound: Hashable, Sendable, BitwiseCopyable {
    public var id: BucketID
    public var time: AxisTime

    public init(id: BucketID, time: AxisTime) {
        self.id = id
        self.time = time
    }
}

/// What an owner asks the log to stand for, for one range.
public struct Cover: Hashable, Sendable {
    public var range: RangeID
    public var epoch: UInt64
    /// The range's axis reads at least this.
    public var stamp: AxisTime
    /// Slack may be handed out until the axis reads this.
    public var horizon: AxisTime
    /// These buckets may run ahead up to these bounds.
    public var bounds: [Bound]

    public init(range: RangeID, epoch: UInt64, stamp: AxisTime, horizon: AxisTime, bounds: [Bound]) {
        self.range = range
        self.epoch = epoch
        self.stamp = stamp
        self.horizon = horizon
        self.bounds = bounds
    }
}

/// A part of a range's exact state, given back on purpose.
public struct ReleaseChunk: Hashable, Sendable {
    public var range: RangeID
    public var epoch: UInt64
    /// This part's number, from 0, and how many there are.
    public var chunk: UInt32
    public var count: UInt32
    public var stamp: AxisTime
    /// Each bucket's `tat`, where it lies ahead of the stamp.
    public var tats: [Bound]
    /// Where buckets that were forgotten start, by tolerance class; in the last part. Empty if none were.
    public var floors: [AxisTime]

    public init(
        range: RangeID, epoch: UInt64, chunk: UInt32, count: UInt32, stamp: AxisTime, tats: [Bound], floors: [AxisTime]
    ) {
        self.range = range
        self.epoch = epoch
        self.chunk = chunk
        self.count = count
        self.stamp = stamp
        self.tats = tats
        self.floors = floors.contains { $0 != .never } ? floors : []
    }
}

/// An entry of the log, as the state machine reads it (design, section 3).
public enum Command: Hashable, Sendable {
    case genesis(Genesis)
    case rules([RuleChange], RequestID)
    case assign([Assignment])
    /// One batch of an owner's covers; the request tells the proposer which of its batches was applied.
    case covers([Cover], RequestID)
    case release(ReleaseChunk)

    /// The most bounds in one batch of covers, and the most tats in one part of a release.
    public static let mostBounds = 8_192
    /// The most rule changes in one entry.
    public static let mostRuleChanges = RuleDirectory.mostRules
}

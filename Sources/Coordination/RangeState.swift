import LimiterCore
public import Raft

/// Who owns a range: a process, not a machine.
public struct Tenant: Hashable, Sendable {
    public var node: NodeID
    public var incarnation: UInt64

    public init(node: NodeID, incarnation: UInt64) {
        self.node = node
        self.incarnation = incarnation
    }
}

/// What the log says about one range: the same on every node that has applied the same entries (design, section 3).
struct RangeState: ~Copyable {
    /// The log index of the assignment in force; 0 before the first.
    var epoch: UInt64 = 0
    /// Nobody before the first assignment and after a release.
    var owner: Tenant?
    /// Earlier epochs may have handed out slack up to here, plus the slack.
    var floor: AxisTime = .never
    /// The newest reading of the range's axis.
    var stamp = AxisTime(ns: 0)
    /// The owner may hand out slack until the axis reads this.
    var horizon: AxisTime = .never
    var bounds: BoundTable
    /// The parts of a release that have been applied so far.
    var release: PartialRelease?

    /// Parts may come in any order: each is proposed by itself, on whatever way there is to the leader.
    struct PartialRelease: Hashable, Sendable {
        var count: UInt32
        /// Their numbers, in ascending order.
        var received: [UInt32] = []
        var tats: [Bound] = []
        /// Of the last part, once it is there.
        var floors: [AxisTime] = []
    }

    /// Bounds that the axis has passed are dropped whenever it enters another stretch of 2^36 ns, about 69 s: at the same entry
    /// on every node, since what is in a table decides when it is full, and so which floors are raised.
    private static let sweepShift: Int64 = 36

    init(capacity: Int) { bounds = BoundTable(capacity: capacity) }

    /// A new tenure, unless somebody else was faster. Returns whether it came about.
    mutating func assign(_ assignment: Assignment, index: LogIndex) -> Bool {
        guard assignment.replaces == epoch else { return false }
        if !isPlanted(.takeoverForgetsFloor) { floor = max(floor, horizon) }
        epoch = index
        owner = Tenant(node: assignment.node, incarnation: assignment.incarnation)
        release = nil
        return true
    }

    /// Returns whether the cover counted.
    mutating func cover(_ cover: Cover) -> Bool {
        // Under another epoch this is a dead owner's proposal: it is harmless for the promise, since that owner has applied its
        // end by now, but it must not eat the new owner's tokens.
        guard cover.epoch == epoch || isPlanted(.deadCoversCount), owner != nil else { return false }
        let sweeps = cover.stamp.ns >> RangeState.sweepShift > stamp.ns >> RangeState.sweepShift
        stamp = max(stamp, cover.stamp)
        horizon = max(horizon, cover.horizon)
        if sweeps { bounds.dropPassed(stamp) }
        for bound in cover.bounds { bounds.raise(bound.id, to: bound.time, axis: stamp) }
        return true
    }

    /// Returns whether this part completed the release.
    mutating func release(_ chunk: ReleaseChunk) -> Bool {
        guard chunk.epoch == epoch, owner != nil, chunk.chunk < chunk.count else { return false }
        var partial = release ?? PartialRelease(count: chunk.count)
        // A repeated part is ignored.
        guard chunk.count == partial.count, !partial.received.contains(chunk.chunk) else { return false }
        partial.received.insert(
            chunk.chunk, at: partial.received.firstIndex { $0 > chunk.chunk } ?? partial.received.count)
        partial.tats += chunk.tats
        if !chunk.floors.isEmpty { partial.floors = chunk.floors }
        stamp = max(stamp, chunk.stamp)
        guard partial.received.count == partial.count || isPlanted(.releasesByFirstChunk) else {
            release = partial
            return false
        }
        bounds.replace(bounds: partial.tats, floors: partial.floors, axis: stamp)
        horizon = .never
        owner = nil
        release = nil
        return true
    }
}

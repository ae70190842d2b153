public import Coordination
public import LimiterCore
public import Raft

/// What a node knows of its cluster at one moment, for operators.
public struct NodeView: Sendable {
    public struct Range: Sendable {
        public var range: RangeID
        public var owner: NodeID?
        public var epoch: UInt64
    }

    public var raft: Status
    public var voters: [NodeID]
    public var cluster: UInt64?
    public var rules: [VersionedRule]
    public var ranges: [Range]
    public var served: UInt64
    /// Live buckets in this node's tenures.
    public var buckets: Int
    /// Bounds in the replicated state.
    public var bounds: Int
    public var waitingAtOwner: Int
    public var waitingAtHolder: Int
    /// The newest stamp of any range, in nanoseconds: how far the cluster's virtual time has come.
    public var newestStamp: AxisTime
    public var ownerCounters: Owner.Counters
    public var holderCounters: Holder.Counters
    public var lenderCounters: Lender.Counters
}

extension NodeRuntime {
    public var view: NodeView {
        NodeView(
            raft: raft.status, voters: raft.voters, cluster: state.genesis?.cluster, rules: state.rules,
            ranges: RangeID.all.map {
                NodeView.Range(range: $0, owner: state.owner(of: $0)?.node, epoch: state.epoch(of: $0))
            },
            served: owner.served, buckets: owner.bucketCount,
            bounds: RangeID.all.reduce(0) { $0 + state.boundCount(of: $1) }, waitingAtOwner: owner.waitingGroups,
            waitingAtHolder: holder.waitingCount,
            newestStamp: RangeID.all.map { state.stamp(of: $0) }.max() ?? AxisTime(ns: 0),
            ownerCounters: owner.counters,
            holderCounters: holder.counters, lenderCounters: lender.counters)
    }

    /// Why this node is not able to decide for every key, for an operator; nil if it is.
    public func unreadiness(now: ClockTime) -> String? {
        if raft.leader == nil { return "no leader is known: a majority of the nodes must be up and reach each other" }
        if directory == nil { return "the cluster has not been formed yet" }
        let ownerless = RangeID.all.count { state.owner(of: $0) == nil }
        if ownerless > 0 { return "\(ownerless) of \(RangeID.count) key ranges have no owner yet" }
        let isolated = RangeID.all.count { holder.isIsolated($0, now: now) }
        if isolated > 0 { return "the owners of \(isolated) key ranges do not answer" }
        return nil
    }

    /// The keys with the most decisions at this node lately; of one rule, if it is named.
    public mutating func hotKeys(_ count: Int, rule: String?, now: ClockTime) -> [HotKey] {
        guard let directory else { return [] }
        var index: Int32?
        if let rule {
            guard let at = directory.rules.firstIndex(where: { $0.rule.name == rule }) else { return [] }
            index = Int32(at)
        }
        return holder.hotKeys(count, ruleIndex: index, now: now).map { hot in
            let known = owner.inspect(hot.bucket.id, in: hot.bucket.range, at: now)
            let tokens = known.map {
                hot.bucket.limit.tokens(in: hot.bucket.wholeLimit.tolerance - max(0, $0.tat - $0.axis))
            }
            return HotKey(
                rule: directory.ruleName(of: hot.bucket) ?? "(an earlier version)",
                key: String(decoding: hot.key, as: UTF8.self), tokens: tokens ?? hot.tokens,
                limit: hot.bucket.wholeLimit.burst,
                holders: known?.holders ?? 0, admittedPerSecond: hot.admittedPerSecond,
                refusedPerSecond: hot.refusedPerSecond)
        }
    }

    public struct HotKey: Sendable {
        public var rule: String
        public var key: String
        /// As the owner knows it, where this node owns it; else as last heard.
        public var tokens: Int64
        public var limit: Int64
        /// How many holders shared it lately; 0 where this node is not the owner or nobody shares it.
        public var holders: Int
        public var admittedPerSecond: Double
        public var refusedPerSecond: Double
    }
}

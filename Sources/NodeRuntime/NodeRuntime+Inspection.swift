package import Coordination
package import LimiterCore
package import Raft

/// What most judges look at after each event: as long as it stays the same, nothing has happened to them.
package struct NodeVitals: Equatable, Sendable {
    package var role = Role.follower
    package var term: Term = 0
    package var commitIndex: LogIndex = 0
    package var lastIndex: LogIndex = 0
    package var served: UInt64 = 0

    package init() {}

    init(role: Role, term: Term, commitIndex: LogIndex, lastIndex: LogIndex, served: UInt64) {
        self.role = role
        self.term = term
        self.commitIndex = commitIndex
        self.lastIndex = lastIndex
        self.served = served
    }
}

/// What judges of a simulation look at; nothing decides by it.
extension NodeRuntime {
    /// Calls `body` for each range that this process serves under a cover of its own.
    package func forEachCovered(now: ClockTime, _ body: (RangeID, _ epoch: UInt64, _ axis: AxisTime) -> Void) {
        for range in RangeID.all where owner.served & 1 << UInt64(range.rawValue) != 0 && owner.isCovered(range) {
            if let axis = owner.axis(of: range, at: now) { body(range, state.epoch(of: range), axis) }
        }
    }

    /// Calls `body` with what the log says of each range.
    package func forEachRange(_ body: (RangeID, _ epoch: UInt64, _ floor: AxisTime) -> Void) {
        for range in RangeID.all { body(range, state.epoch(of: range), state.floor(of: range)) }
    }

    package var role: Role { raft.role }
    package var term: Term { raft.term }
    package var leader: NodeID? { raft.leader }
    package var commitIndex: LogIndex { raft.commitIndex }
    package var appliedIndex: LogIndex { state.applied }
    package var firstIndex: LogIndex { raft.firstIndex }
    package var lastIndex: LogIndex { raft.lastIndex }

    /// The entry at `index`, if it is still held.
    package func entry(at index: LogIndex) -> Entry? {
        raft.entries(from: index, maxBytes: 0).first.flatMap { $0.index == index ? $0 : nil }
    }

    /// The term of the entry at `index`, if that is known.
    package func termOfEntry(at index: LogIndex) -> Term? { raft.term(at: index) }

    /// The ranges that this process serves, one bit each.
    package var served: UInt64 { owner.served }

    package func epoch(of range: RangeID) -> UInt64 { state.epoch(of: range) }
    package func coveredEpoch(of range: RangeID) -> UInt64? { owner.coveredEpoch(of: range) }
    package func stamp(of range: RangeID) -> AxisTime { state.stamp(of: range) }

    /// The axis of a range that this process serves.
    package func axis(of range: RangeID, now: ClockTime) -> AxisTime? { owner.axis(of: range, at: now) }

    /// Whether a cover of this process's tenure of a range has been applied.
    package func isCovered(_ range: RangeID) -> Bool { owner.isCovered(range) }

    /// The replicated state as bytes: equal states give equal bytes.
    package var stateBytes: [UInt8] { state.snapshot() }

    package var ruleNames: [String] { state.rules.map(\.rule.name) }
    package var waitingAtOwner: Int { owner.waitingGroups }
    package var waitingAtHolder: Int { holder.waitingCount }
    package var bucketCount: Int { owner.bucketCount }
    package var boundCount: Int { RangeID.all.reduce(0) { $0 + state.boundCount(of: $1) } }
    package var ownerCounters: Owner.Counters { owner.counters }
    package var holderCounters: Holder.Counters { holder.counters }
    /// Batches of covers that have been proposed and not been applied.
    package var coversInFlight: Int { owner.coversInFlight }

    /// How far a bucket's `tat` lies ahead of the axis, in nanoseconds, if this node owns it and knows it.
    package func inspect(_ bucket: Bucket, now: ClockTime) -> Int64? {
        owner.inspect(bucket.id, in: bucket.range, at: now).map { $0.tat - $0.axis }
    }
}

extension NodeRuntime {
    /// Campaigns although nothing calls for it: a random choice inside our own code, for simulations.
    package mutating func campaign() { raft.campaign() }

    /// At most so many bounds go into one command: another one.
    package mutating func limitCommands(toBounds most: Int) { owner.mostBounds = most }

    /// Stands for election without asking first: another one.
    package mutating func stand() { raft.stand() }
}

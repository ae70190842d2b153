public import LimiterCore
public import Raft

/// What a node says of itself with every heartbeat's answer.
public struct NodeReport: Hashable, Sendable {
    public var incarnation: UInt64
    public var applied: LogIndex
    /// The ranges in service or being given back, one bit each.
    public var served: UInt64
    /// Whether it wants to be asked for its ranges, because it is about to stop.
    public var isDraining: Bool

    public init(incarnation: UInt64, applied: LogIndex, served: UInt64, isDraining: Bool) {
        self.incarnation = incarnation
        self.applied = applied
        self.served = served
        self.isDraining = isDraining
    }
}

/// The leader's part: sees who is alive and gives every range an owner, with the least movement (design, section 3).
///
/// Time is counted in the leader's own ticks, so a leader that was paused, or is new, suspects nobody yet.
public struct Assigner: Sendable {
    struct Member: Sendable {
        var report: NodeReport?
        var lastHeard: UInt64
        /// The highest commit index known when it was last up to date, and when that was.
        var caughtUpAt: UInt64
    }

    /// Who serves what, as far as can be seen: the same as long as nothing is applied or heard that changes it.
    private struct Division: Sendable {
        var applied: LogIndex
        var standings: [Standing]
        /// How many ranges each of them serves.
        var served: [Int]
        /// Those that nobody serves.
        var orphans: [RangeID]
    }

    struct Pending: Sendable {
        var replaces: UInt64
        var since: UInt64
    }

    /// How long a node may be silent or behind, in ticks.
    let detection: UInt64
    private let node: NodeID
    private let voters: [NodeID]
    private var tick: UInt64 = 0
    private var term: Term = 0
    private var leaderSince: UInt64 = 0
    private var members = VoterMap<Member>()
    private var pending: [RangeID: Pending] = [:]
    /// Commit indexes at recent ticks, to tell who lags: (tick, commit), oldest first.
    private var commits: [(tick: UInt64, commit: LogIndex)] = []
    private var lastDivision: Division?
    private var settledSince: UInt64 = 0
    private var lastHandOver: UInt64 = 0

    /// How many ranges may be on the move for balance at a time.
    static let mostMoves = 4

    public init(node: NodeID, voters: [NodeID], detectionTicks: Int) {
        self.node = node
        self.voters = voters.sorted()
        detection = UInt64(max(1, detectionTicks))
    }

    /// What the leader asks for: assignments to propose, and owners to ask for a range.
    public struct Wishes: Sendable {
        public var assignments: [Assignment] = []
        public var handOvers: [(to: NodeID, range: RangeID, epoch: UInt64)] = []
    }

    /// A report arrived, from a follower or from this very node.
    public mutating func heard(_ report: NodeReport, from node: NodeID) {
        guard var member = members[node] else { return }
        // Heard of for the first time, or again: how long it has lagged counts from now on.
        if member.report == nil || member.lastHeard + detection <= tick { member.caughtUpAt = tick }
        // A process that is about to stop stays so, whatever an older report that comes late says.
        let wasDraining = member.report.map { $0.isDraining && $0.incarnation == report.incarnation } ?? false
        member.report = report
        if wasDraining { member.report?.isDraining = true }
        member.lastHeard = tick
        // Up to date means: it has applied what was known to be committed a detection time ago.
        if report.applied >= (commits.first?.commit ?? 0) { member.caughtUpAt = tick }
        members[node] = member
    }

    /// One tick of a leader.
    public mutating func tick(term: Term, commit: LogIndex, state: borrowing ReplicatedState) -> Wishes {
        tick += 1
        if term != self.term {
            self.term = term
            leaderSince = tick
            settledSince = tick
            commits = []
            pending = [:]
            members = VoterMap()
            for voter in voters { members[voter] = Member(report: nil, lastHeard: tick, caughtUpAt: tick) }
        }
        commits.append((tick, commit))
        while commits.count > 1, commits[1].tick + detection / 2 <= tick { commits.removeFirst() }
        guard state.genesis != nil else { return Wishes() }
        return wishes(state: state)
    }

    /// Forgets everything: this node does not lead.
    public mutating func follow() {
        term = 0
        members = VoterMap()
        pending = [:]
    }

    /// Whether a node is seen to be alive and to keep up.
    public func isAlive(_ node: NodeID) -> Bool {
        guard let member = members[node] else { return false }
        return isAlive(member)
    }

    private func isAlive(_ member: Member) -> Bool {
        member.lastHeard + detection > tick && member.caughtUpAt + detection > tick
    }

    private func isEligible(_ node: NodeID) -> Bool {
        guard let report = members[node]?.report else { return false }
        return isAlive(node) && !report.isDraining
    }

    private mutating func wishes(state: borrowing ReplicatedState) -> Wishes {
        var wishes = Wishes()
        askDraining(state: state, into: &wishes)
        var load = VoterMap<Int>()
        for voter in voters where isEligible(voter) { load[voter] = 0 }
        guard !load.entries.isEmpty else { return wishes }
        // Before everybody has been heard of, a first division would be redone at once: wait for as long as detection takes.
        let everybody = voters.allSatisfy { members[$0]?.report != nil }
        guard everybody || tick >= leaderSince + detection else { return wishes }
        let standings = members.entries.map {
            Standing(node: $0.key, isAlive: isAlive($0.value), report: $0.value.report)
        }
        if lastDivision?.applied != state.applied || lastDivision?.standings != standings {
            lastDivision = division(standings, state: state)
        }
        let division = lastDivision!
        for (standing, served) in zip(standings, division.served) { load[standing.node]? += served }
        if !division.orphans.isEmpty {
            settledSince = tick
            place(division.orphans, load: &load, state: state, into: &wishes)
        }
        balance(load, state: state, into: &wishes)
        return wishes
    }

    private func division(_ standings: [Standing], state: borrowing ReplicatedState) -> Division {
        var division = Division(
            applied: state.applied, standings: standings, served: standings.map { _ in 0 }, orphans: [])
        for range in RangeID.all {
            if let owner = state.owner(of: range),
                let at = standings.firstIndex(where: { $0.node == owner.node }),
                standings[at].serves(range, of: owner, epoch: state.epoch(of: range))
            {
                division.served[at] += 1
            } else {
                division.orphans.append(range)
            }
        }
        return division
    }

    /// Gives each of these ranges an owner.
    private mutating func place(
        _ orphans: [RangeID], load: inout VoterMap<Int>, state: borrowing ReplicatedState, into wishes: inout Wishes
    ) {
        // A process that was started again knows nothing of the time before, and its axes would fall back to their last stamps: its
        // ranges go to those who were there, and come back exactly, by being handed over. Unless nobody was there.
        var witnesses = load
        for range in orphans {
            guard let owner = state.owner(of: range) else { continue }
            if members[owner.node]?.report?.incarnation != owner.incarnation { witnesses[owner.node] = nil }
        }
        var loads = witnesses.entries.isEmpty ? load : witnesses
        pending = pending.filter { tick < $0.value.since + detection && state.epoch(of: $0.key) == $0.value.replaces }
        for range in orphans where pending[range] == nil {
            // The least loaded; of several the one that had it, then the lowest number.
            let last = state.owner(of: range)?.node
            guard
                let target = loads.entries.min(by: { a, b in
                    (a.value, a.key == last ? 0 : 1, a.key) < (b.value, b.key == last ? 0 : 1, b.key)
                })?.key, let incarnation = members[target]?.report?.incarnation
            else { continue }
            loads[target]! += 1
            load[target]! += 1
            let epoch = state.epoch(of: range)
            pending[range] = Pending(replaces: epoch, since: tick)
            wishes.assignments.append(
                Assignment(range: range, replaces: epoch, node: target, incarnation: incarnation))
        }
    }

    /// How a node looks from here.
    private struct Standing: Equatable {
        var node: NodeID
        var isAlive: Bool
        var report: NodeReport?

        /// Whether it serves a range that it was given as `owner`, as far as can be seen.
        func serves(_ range: RangeID, of owner: Tenant, epoch: UInt64) -> Bool {
            if isPlanted(.neverReassigns) { return true }
            guard isAlive else { return false }
            guard let report else { return true }
            if report.incarnation != owner.incarnation { return false }
            // It has applied the assignment and yet does not serve: it has given the range up.
            return report.applied < epoch || report.served & range.bit != 0
        }
    }

    /// Asks those who are about to stop for what they serve. They do not give it back unasked: before their leader knows that they
    /// drain, it would take what has come back for an orphan, and might give it to them again.
    private func askDraining(state: borrowing ReplicatedState, into wishes: inout Wishes) {
        for (node, member) in members.entries {
            guard let report = member.report, report.isDraining else { continue }
            for range in RangeMask(report.served) where state.owner(of: range)?.node == node {
                wishes.handOvers.append((node, range, state.epoch(of: range)))
            }
        }
    }

    /// Once everything is served and quiet, asks the most loaded owner for a few ranges, so that a returned node gets its part.
    private mutating func balance(_ load: VoterMap<Int>, state: borrowing ReplicatedState, into wishes: inout Wishes) {
        guard wishes.assignments.isEmpty, tick >= settledSince + detection, tick >= lastHandOver + detection / 4,
            let most = load.entries.max(by: { ($0.value, $0.key) < ($1.value, $1.key) }),
            let least = load.entries.min(by: { ($0.value, $0.key) < ($1.value, $1.key) }), most.value - least.value >= 2
        else { return }
        lastHandOver = tick
        var left = min(Assigner.mostMoves, (most.value - least.value) / 2)
        for range in RangeID.all where left > 0 && state.owner(of: range)?.node == most.key {
            wishes.handOvers.append((most.key, range, state.epoch(of: range)))
            left -= 1
        }
    }
}

/// A value for some of the voters: so few that one looks at each.
private struct VoterMap<Value: Sendable>: Sendable {
    private(set) var entries: [(key: NodeID, value: Value)] = []

    subscript(voter: NodeID) -> Value? {
        get {
            for entry in entries where entry.key == voter { return entry.value }
            return nil
        }
        set {
            let at = entries.firstIndex { $0.key == voter }
            switch (at, newValue) {
            case (let at?, let value?): entries[at].value = value
            case (let at?, nil): entries.remove(at: at)
            case (nil, let value?): entries.append((voter, value))
            case (nil, nil): break
            }
        }
    }
}

public import LimiterCore
import Raft

/// The owner's side of a node: the tenures of its ranges, and the conversations with holders (design, sections 3 to 5).
///
/// A value without clock or I/O. `now` is this process's clock, read after the bytes of the event it comes with.
public struct Owner: ~Copyable {
    public let tenant: Tenant
    var tenures: RangeMap<Tenure>
    /// The newest epoch of each range in which this process has owned it: an epoch that has ended here never begins again.
    private var lastEpochs = [UInt64](repeating: 0, count: RangeID.count)
    var anchors = Anchors()
    var conversations = Conversations<NodeID>(most: Owner.mostSessions)
    var parameters = ClusterParameters()
    var drift = ClusterParameters().drift
    /// What must be sent besides answers: verdicts that became known later.
    var outbox: [(to: NodeID, message: CoordinationMessage)] = []
    /// What to propose, besides covers.
    var proposals: [Command] = []
    var releases: [RangeID: Release] = [:]
    var inFlight: [CoverBatch] = []
    var nextBatch: UInt64 = 1
    /// What a commit takes here, in nanoseconds: a slowly falling maximum.
    var commitTime: Int64 = 2_000_000
    var waitingCount = 0
    /// Since when proposals of ours have been under way without any being applied.
    var stalledSince: ClockTime?
    /// The most bounds in one command; smaller only in simulations.
    package var mostBounds = Command.mostBounds
    /// Whether admissions are noted in ``admissions``; only for the decision log of tests.
    public var isTracing = false
    public var admissions: [Admission] = []
    /// What was lent, noted with ``admissions``.
    package var loans: [Loan] = []
    public private(set) var counters = Counters()

    struct CoverBatch {
        var number: UInt64
        /// When it was first proposed.
        var since: ClockTime
        /// When it was last proposed.
        var proposedAt: ClockTime
        var covers: [Cover]
    }

    /// A release under way: what to repeat until the log has it.
    struct Release {
        var epoch: UInt64
        var chunks: [ReleaseChunk]
        var proposedAt: ClockTime
    }

    /// One admission, for the decision log.
    public struct Admission: Sendable {
        public var id: BucketID
        /// Of the tenure that admitted it, which may have ended since.
        public var epoch: UInt64
        public var terms: BucketTerms
        public var time: Int64
        public var priority: Priority
        /// Where its span starts on the range's axis.
        public var start: AxisTime
        public var at: ClockTime
    }

    /// One allowance, for judges: also those that a node lends to itself.
    package struct Loan: Sendable {
        package var id: BucketID
        package var range: RangeID
        package var epoch: UInt64
        package var start: AxisTime
        package var end: AxisTime
        /// What the axis reads.
        package var axis: AxisTime
    }

    public struct Counters: Hashable, Sendable {
        public var reports: UInt64 = 0
        public var repeatedReports: UInt64 = 0
        public var admitted: UInt64 = 0
        public var refused: UInt64 = 0
        public var allowances: UInt64 = 0
        public var boundsProposed: UInt64 = 0
        public var coverBatches: UInt64 = 0
        public var takeovers: UInt64 = 0
        public var forgotten: UInt64 = 0
    }

    /// The most conversations; of more, the longest silent one is dropped.
    public static let mostSessions = 1_024
    /// The most groups of requests that wait for the log at a time.
    public static let mostWaiting = 65_536
    /// The most verdicts kept for a holder that does not say it has seen them.
    public static let mostUnseen = 16_384
    /// The most batches of covers under way at a time.
    static let mostBatches = 2
    /// For so long what may wait for the log waits for other things to go with.
    static let company: Int64 = 40_000_000
    /// After this long without being applied a proposal is made again.
    static let proposalPatience: Int64 = 150_000_000
    /// However long commits take, a lost proposal is made again after this long.
    static let mostProposalPatience: Int64 = 500_000_000
    /// What a commit is taken to need at the most: that it took longer was an outage, which says nothing of the next one.
    static let mostCommitTime: Int64 = 250_000_000
    /// A log that has applied nothing of ours for so long has been lost touch with.
    static let logPatience: Int64 = 1_000_000_000

    public init(tenant: Tenant) {
        self.tenant = tenant
        tenures = RangeMap { _ in Tenure(capacity: 1) }
    }

    // MARK: Looking

    public func isServing(_ range: RangeID) -> Bool { tenures[range].phase == .serving }

    /// Whether a cover of this tenure has been applied: before that it hands out nothing.
    public func isCovered(_ range: RangeID) -> Bool { tenures[range].phase == .serving && tenures[range].isCovered }
    /// The ranges that are being given back, one bit each.
    public var releasing: UInt64 { releases.keys.reduce(0) { $0 | $1.bit } }

    /// The ranges in service, one bit each.
    public private(set) var served: UInt64 = 0
    /// Those, and the ones that are being given back: what nobody else may take yet.
    public var held: UInt64 { served | releasing }
    /// Those in service that have something for the log that cannot wait.
    var attention: UInt64 = 0
    /// Those that have something for the next batch of covers, whenever that leaves.
    var unhurried: UInt64 = 0
    /// The first tick that saw them.
    var unhurriedSince: ClockTime?

    /// Whose turn it is to say something first.
    var nextRange = RangeID(0)

    /// The last tenure of a range, anybody's, whose cover this process saw applied; nil or 0 if it cannot tell.
    package func coveredEpoch(of range: RangeID) -> UInt64? { anchors.epoch(of: range) }

    public func axis(of range: RangeID, at now: ClockTime) -> AxisTime? {
        tenures[range].phase == .serving ? tenures[range].axis(at: now) : nil
    }

    /// Live buckets of all tenures.
    public var bucketCount: Int { RangeID.all.reduce(0) { $0 + tenures[$1].buckets.count } }

    public var waitingGroups: Int { waitingCount }
    /// Batches of covers that have been proposed and not been applied.
    public var coversInFlight: Int { inFlight.count }

    /// What the owner knows of a bucket: its `tat` and how many holders share it.
    public func inspect(_ id: BucketID, in range: RangeID, at now: ClockTime) -> (
        tat: AxisTime, axis: AxisTime, holders: Int
    )? {
        guard tenures[range].phase == .serving, let at = tenures[range].buckets.find(id) else { return nil }
        let axis = tenures[range].axis(at: now)
        let bucket = tenures[range].buckets[at]
        return (AxisTime(ns: bucket.tat), axis, tenures[range].contention.holders(bucket.contention, at: axis))
    }

    // MARK: The log

    /// An entry was applied: begins and ends tenures, and serves what waited for it.
    public mutating func applied(_ effects: [Effect], state: borrowing ReplicatedState, now: ClockTime) {
        for effect in effects {
            switch effect {
            case .formed:
                parameters = state.parameters
                drift = parameters.drift
            case .assigned(let range):
                if !isPlanted(.ignoresOwnEnd) || isOurs(state.owner(of: range)) { end(range) }
                if isOurs(state.owner(of: range)) { takeOver(range, state: state, now: now) }
            case .covered(let range):
                anchors.covered(range, epoch: state.epoch(of: range), stamp: state.stamp(of: range), clock: now)
                // A cover that counted is of the current epoch, and so is this tenure, if there is one.
                guard tenures[range].phase == .serving else { continue }
                tenures[range].isCovered = true
                serveWaiting(range, state: state, now: now)
            case .released(let range): end(range)
            case .done(let request, _):
                guard request.incarnation == tenant.incarnation else { continue }
                batchApplied(request.number, now: now)
            case .rulesChanged:
                continue
            }
        }
    }

    /// A snapshot took the place of entries: tenures of other epochs are over.
    public mutating func restored(state: borrowing ReplicatedState, now: ClockTime) {
        parameters = state.parameters
        drift = parameters.drift
        for range in RangeID.all {
            anchors.restored(range, epoch: state.epoch(of: range), stamp: state.stamp(of: range), clock: now)
            let isStillOurs = tenures[range].epoch == state.epoch(of: range) && isOurs(state.owner(of: range))
            if tenures[range].phase != .none, !isStillOurs, !isPlanted(.snapshotKeepsTenure) {
                end(range)
            } else if tenures[range].phase == .serving {
                // An assignment puts the floor at the horizon, and only a cover of its own epoch lifts the horizon above it.
                if state.horizon(of: range) > state.floor(of: range) { tenures[range].isCovered = true }
                serveWaiting(range, state: state, now: now)
            } else if tenures[range].phase == .none, isOurs(state.owner(of: range)),
                state.epoch(of: range) > lastEpochs[range.index] || isPlanted(.resumesEndedEpoch)
            {
                // The entry that assigned it is in the snapshot; applying it late is as good.
                takeOver(range, state: state, now: now)
            }
        }
        askForMissing(state: state)
    }

    /// The clock may have stood still or jumped: nothing that was computed with it may be used any more.
    public mutating func distrustClock() {
        for range in RangeID.all where tenures[range].phase == .serving && !isPlanted(.distrustKeepsTenures) {
            end(range)
        }
        if !isPlanted(.distrustKeepsAnchors) { anchors.forgetAll() }
    }

    /// Whether a tenant is this very process, and not one that ran on the same node before.
    private func isOurs(_ owner: Tenant?) -> Bool {
        owner == tenant || isPlanted(.ignoresIncarnation) && owner?.node == tenant.node
    }

    private mutating func takeOver(_ range: RangeID, state: borrowing ReplicatedState, now: ClockTime) {
        counters.takeovers += 1
        var tenure = Tenure(capacity: parameters.bucketsPerRange)
        tenure.phase = .serving
        tenure.epoch = state.epoch(of: range)
        lastEpochs[range.index] = tenure.epoch
        tenure.offset =
            anchors.axis(of: range, stamp: state.stamp(of: range), at: now, drift: drift).ns - now.ns
        tenures[range] = tenure
        served |= range.bit
        needCover(range)
    }

    /// Ends a tenure. What it handed out lives on with its holders; what waited must ask the next owner.
    private mutating func end(_ range: RangeID) {
        guard tenures[range].phase != .none else { return }
        // Whether by this release or because somebody was faster: there is nothing to give back any more.
        releases[range] = nil
        for waiter in tenures[range].waiting {
            give(
                Verdict(firstTicket: waiter.group.firstTicket, count: waiter.group.count, outcome: .notOwner),
                to: waiter.session)
        }
        waitingCount -= tenures[range].waiting.count
        tenures[range] = Tenure(capacity: 1)
        stopServing(range)
    }

    mutating func stopServing(_ range: RangeID) {
        served &= ~range.bit
        attention &= ~range.bit
        unhurried &= ~range.bit
    }

    /// The range's cover has to be renewed now.
    mutating func needCover(_ range: RangeID) {
        attention |= range.bit
    }

    /// Notes a verdict for a session; it goes out with the next answer, or with ``flush(state:now:isTick:)``.
    mutating func give(_ verdict: Verdict, to session: UInt64) { conversations.give(verdict, to: session) }

    mutating func count(_ body: (inout Counters) -> Void) { body(&counters) }
}

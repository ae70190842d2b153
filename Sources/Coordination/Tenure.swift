import LimiterCore

/// What an owner keeps of one bucket: with its identity 64 bytes.
struct OwnedBucket: BitwiseCopyable, Sendable {
    /// The start of what is not handed out yet.
    var tat: Int64
    /// The highest bound that was proposed to the log for it.
    var proposed: Int64
    /// Until the axis reads this the record must stay, because it was carried over from an earlier version's bucket that is
    /// still in use: without it the tokens used there would be carried over once more.
    var carriedUntil: Int64
    /// Where `tat` would have started if the bucket could hold all that was carried over: the next version asks for that. Else a burst
    /// that is made small and large again would be handed out twice.
    var owed: Int64
    /// The virtual time of one request, of the larger ones lately: a smaller allowance would be of no use.
    var request: Int64
    /// Its place among the tenure's contended buckets, 1-based; 0 for none.
    var contention: Int32
}

/// One range, while this process owns it: an epoch, an axis, and the buckets.
struct Tenure: ~Copyable {
    enum Phase {
        /// The range belongs to somebody else.
        case none
        case serving
        /// It is being given back: nothing is granted in this epoch ever again, whatever becomes of the proposal.
        case releasing
    }

    /// Requests that wait for the log.
    struct Waiter: Sendable {
        var session: UInt64
        var id: BucketID
        var terms: BucketTerms
        /// The bucket's earlier versions, if it was made for these requests and has granted nothing yet.
        var predecessors: [RuleDirectory.Predecessor]
        var group: WaitingGroup
        var since: ClockTime
    }

    var phase = Phase.none
    /// The log index of the assignment that started it; 0 while there is none.
    var epoch: UInt64 = 0
    /// The axis is this process's clock plus this.
    var offset: Int64 = 0
    /// Nothing is granted before the first cover of one's own epoch.
    var isCovered = false
    var buckets: KeyedTable<OwnedBucket>
    /// Where buckets start that this tenure has forgotten, by tolerance class. No slack is added to this kind.
    var floors: [AxisTime]
    var contention = ContentionTable()

    /// Something was granted on slack since the last cover was proposed.
    var wasUsed = false
    var pendingBounds: [Bound] = []
    var waiting: [Waiter] = []

    init(capacity: Int) {
        buckets = KeyedTable(capacity: capacity)
        floors = Array(repeating: .never, count: BucketID.classes)
    }

    @inline(__always)
    func axis(at now: ClockTime) -> AxisTime { AxisTime(ns: now.ns + offset) }
}

import Synchronization

/// A request that the table could not decide, on its way to the node's runtime.
public struct PendingRequest: Sendable {
    public var bucket: Bucket
    /// The key's own bytes, for the rules' sake and for people; the bucket is known already.
    public var key: [UInt8]
    /// Tokens; 0 only looks.
    public var cost: Int64
    /// How long the caller would wait beyond the burst, in nanoseconds: at most the rule's own delay.
    public var longestWait: Int64
    /// Whether the caller may still want to put back what it gets: then the decision comes with its ``Piece``.
    public var gathers: Bool
    /// The virtual time of the bucket that is closed to it, in nanoseconds: a node's client has had more than its share.
    public var closed: Int64
    /// The caller's own number for it, handed back with the decision.
    public var token: UInt64

    public init(
        bucket: Bucket, key: [UInt8], cost: Int64, longestWait: Int64 = 0, gathers: Bool = false, closed: Int64 = 0,
        token: UInt64
    ) {
        self.bucket = bucket
        self.key = key
        self.cost = cost
        self.longestWait = longestWait
        self.gathers = gathers
        self.closed = closed
        self.token = token
    }
}

/// Where decisions go that could not be made at once; one a front door's event loop.
public protocol DecisionSink: AnyObject, Sendable {
    /// Called from the runtime's thread, with a batch; must return at once (hand over to your own event loop).
    func deliver(_ decisions: [(token: UInt64, decision: Decision)])
    /// Called just before ``deliver(_:)`` with what was gathered for requests that asked for it.
    func deliver(pieces: [(token: UInt64, piece: Piece)])
}

extension DecisionSink {
    /// Who never gathers gets no pieces.
    public func deliver(pieces: [(token: UInt64, piece: Piece)]) {}
}

/// Who decides what the table cannot: the node's runtime, or a test's stand-in.
public protocol PendingRequestHandler: AnyObject, Sendable {
    /// Callable from any thread. Every request gets exactly one decision, sooner or later.
    func submit(_ requests: [PendingRequest], to sink: any DecisionSink)
}

/// Hears of every admission that the table makes; only for the decision log of tests (a debug flag).
public protocol AdmissionObserver: Sendable {
    func admitted(_ bucket: BucketID, limit: Limit, cost: Int64, at clock: ClockTime)
}

/// The fast path of a node: rules, hash and sharded table in one place, shared by all front doors.
///
/// A decision from an allowance (or a refusal that is sure) is: one clock reading, one keyed hash, one uncontended lock, one
/// cache line. Everything else is a ``PendingRequest`` for the runtime. Safe from any thread.
public final class DecisionPath: Sendable {
    /// Padded to cache lines, so that two shards' locks never share one.
    private struct Shard: ~Copyable {
        let table: Mutex<AllowanceTable>
        private let padding: (UInt64, UInt64, UInt64, UInt64, UInt64, UInt64, UInt64, UInt64) = (0, 0, 0, 0, 0, 0, 0, 0)

        init(capacity: Int) { table = Mutex(AllowanceTable(capacity: capacity)) }
    }

    private nonisolated(unsafe) let shards: UnsafeMutablePointer<Shard>  // never reassigned; each shard locks itself
    private let shardMask: Int
    private let directoryBox: Mutex<RuleDirectory?>
    private let directoryGeneration: Atomic<Int>
    private let observer: (any AdmissionObserver)?
    /// Looking into the optional existential costs a quarter of a decision; a flag does not.
    private let hasObserver: Bool

    /// Reads this process's clock.
    public let clock: @Sendable () -> ClockTime

    /// A path for at most about `capacity` buckets with allowances, in `shards` shards (a power of two).
    public init(
        capacity: Int, shards: Int = 64, clock: @escaping @Sendable () -> ClockTime,
        observer: (any AdmissionObserver)? = nil
    ) {
        precondition(shards > 0 && shards & (shards - 1) == 0, "the number of shards must be a power of two")
        self.shards = .allocate(capacity: shards)
        for i in 0..<shards {
            (self.shards + i).initialize(to: Shard(capacity: max(8, capacity / shards)))
        }
        shardMask = shards - 1
        directoryBox = Mutex(nil)
        directoryGeneration = Atomic(0)
        self.clock = clock
        self.observer = observer
        hasObserver = observer != nil
    }

    deinit {
        shards.deinitialize(count: shardMask + 1)
        shards.deallocate()
    }

    // MARK: Rules

    /// The rules in force; nil until the cluster has been formed. Keep it and ask ``generation`` whether there is a newer one.
    public var directory: RuleDirectory? { directoryBox.withLock { $0 } }

    /// Grows with every new ``directory``.
    public var generation: Int { directoryGeneration.load(ordering: .acquiring) }

    /// Puts other rules in force.
    public func setDirectory(_ directory: RuleDirectory) {
        directoryBox.withLock { $0 = directory }
        directoryGeneration.add(1, ordering: .acquiringAndReleasing)
    }

    // MARK: Deciding

    /// Decides now if that is possible without asking anybody; nil means "submit it".
    ///
    /// `now` must have been read after the request was. A cost above the burst must be handled before; `cost` 0 is never
    /// decided here.
    @inline(__always)
    public func decide(_ bucket: borrowing Bucket, cost: Int64, drift: DriftBound, now: ClockTime) -> Decision? {
        guard let time = bucket.limit.time(of: cost) else { return nil }
        let scaled = drift.longest(now.ns)
        let id = bucket.id
        let tolerance = bucket.limit.tolerance
        let verdict = shards[shard(of: id)].table.withLock {
            $0.decide(id, time: time, tokens: cost, tolerance: tolerance, scaled: scaled)
        }
        switch verdict {
        case .allowed(let tat, let axis):
            if hasObserver { tellObserver(id, limit: bucket.wholeLimit, cost: cost, at: now) }
            return .settled(allowed: true, limit: bucket.limit, tat: tat, cost: cost, at: axis)
        case .limited(let tat, let axis):
            // Where it may wait for its turn, only the owner can say when that is.
            if bucket.longestWait > 0 { return nil }
            var decision = Decision.settled(allowed: false, limit: bucket.limit, tat: tat, cost: cost, at: axis)
            if bucket.shadow {
                decision.outcome = .allowed
                decision.isShadowed = true
            }
            return decision
        case .unknown:
            return nil
        }
    }

    @inline(never)
    func tellObserver(_ id: BucketID, limit: Limit, cost: Int64, at now: ClockTime) {
        observer?.admitted(id, limit: limit, cost: cost, at: now)
    }

    @inline(__always)
    private func shard(of id: BucketID) -> Int { Int(truncatingIfNeeded: id.high >> 32) & shardMask }
}

extension DecisionPath: AllowanceStore {
    public func withTable<Result>(for id: BucketID, _ body: (inout AllowanceTable) -> Result) -> Result {
        shards[shard(of: id)].table.withLock { body(&$0) }
    }

    public func withEachTable(_ body: (inout AllowanceTable) -> Void) {
        for i in 0...shardMask { shards[i].table.withLock { body(&$0) } }
    }
}

/// Where a runtime keeps the allowances that its front doors spend from: shards behind locks in a process, one plain table in
/// the simulator.
public protocol AllowanceStore {
    /// Runs `body` on the table that holds the bucket.
    func withTable<Result>(for id: BucketID, _ body: (inout AllowanceTable) -> Result) -> Result
    /// Runs `body` on each table in turn.
    func withEachTable(_ body: (inout AllowanceTable) -> Void)
}

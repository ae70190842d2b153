public import Coordination
public import LimiterCore
import Raft

/// An embedded client as one value: the holder, and the rules that its node told.
///
/// The library's event loop and the simulator drive this very value, as they drive a node's: feed it a batch of events, then call
/// ``finish(now:)`` and carry out what that returns. It reads no clock: `now` must have been read after the bytes of the event arrived,
/// and never runs backwards. Not to be shared between threads; only the ``AllowanceStore`` is.
public struct ClientRuntime<Store: AllowanceStore>: ~Copyable {
    public let configuration: ClientConfiguration
    public let store: Store
    private var holder: Holder
    private var assembly = RuleAssembly()
    /// The cluster that all spans and hashes belong to; known from the first rules on, and never another.
    private var cluster: UInt64?
    private var version: UInt64 = 0
    /// The node's process that was heard last over the present connection; nil before it said who it is.
    private var node: Tenant?
    private var isConnected = false
    /// The rules as the node told them; nil until the first connection.
    public private(set) var directory: RuleDirectory?
    private var ticks: UInt64 = 0
    private var isTickDue = false
    private var outputs = ClientOutputs()
    private var isLeaving = false

    /// A client as it starts. `seed` decides the conversations' numbers; random in production.
    public init(_ configuration: ClientConfiguration, seed: UInt64, store: Store) {
        self.configuration = configuration
        self.store = store
        holder = Holder(
            nodes: nil, weight: configuration.weight, seed: seed, patience: configuration.patience,
            isolationAfter: configuration.isolation)
    }

    // MARK: Events

    /// One tick of the configured length has passed.
    public mutating func tick(now: ClockTime) {
        ticks += 1
        isTickDue = true
    }

    /// There is a connection to a node now, which will tell the rules.
    public mutating func connected() {
        isConnected = true
        node = nil
        assembly = RuleAssembly()
    }

    /// The connection is gone. Allowances stay valid, and requests wait for the next one.
    public mutating func disconnected() {
        isConnected = false
        node = nil
    }

    /// The node's message. Throws if no correct node of this cluster can have sent it; the connection should be closed then.
    public mutating func receive(_ message: ClientMessage, now: ClockTime) throws(ClientViolation) {
        if let mistake = message.mistakeOfNode { throw ClientViolation(mistake) }
        switch message {
        case .rules(let part): try receive(part, now: now)
        case .answer(let answer): holder.receive(answer, store: store, now: now)
        case .verdicts(let session, let batch):
            holder.receive(verdicts: batch, session: session, store: store, now: now)
        case .goodbye: outputs.isToldToGo = true
        case .report: throw ClientViolation("a node reports to a client")
        }
    }

    private mutating func receive(_ part: ClientRules, now: ClockTime) throws(ClientViolation) {
        guard let whole = assembly.add(part) else { return }
        if let cluster, cluster != whole.cluster {
            throw ClientViolation(
                "the node belongs to another cluster than the nodes before: give the client nodes of one cluster only")
        }
        cluster = whole.cluster
        // A node that lags behind the last one tells older rules: those that are known are better.
        if directory == nil || whole.version > version {
            version = whole.version
            let drift = DriftBound(partsPerBillion: whole.rho)
            holder.setDrift(drift)
            let new = RuleDirectory(
                rules: whole.rules, hash: KeyedHash(secret: (whole.secretHigh, whole.secretLow)), drift: drift)
            directory = new
            outputs.directory = new
        }
        if node != whole.node {
            node = whole.node
            holder.connected(to: whole.node, now: now)
        }
    }

    /// Requests that the table could not decide; `sink` comes back with their decisions.
    public mutating func submit(_ requests: [PendingRequest], sink: Int, now: ClockTime) {
        for request in requests { holder.submit(request, sink: sink, now: now) }
    }

    /// The clock may have stood still or jumped: voids spans and brackets.
    public mutating func distrustClock() { holder.distrustClock(store: store) }

    /// The client is about to stop: its last usage is told with the next report, and ``hasLeft`` says when it has been heard.
    public mutating func leave(now: ClockTime) {
        isLeaving = true
        isTickDue = true
    }

    // MARK: What follows

    /// Does what the events since the last call made necessary and returns what the driver has to carry out.
    public mutating func finish(now: ClockTime) -> ClientOutputs {
        if isTickDue {
            isTickDue = false
            // Usage costs a message, so it is told less often than there are ticks.
            holder.tick(
                store: store, collectsUsage: isLeaving || ticks % configuration.usageTicks == 0, now: now)
        }
        for (_, report) in holder.reportsDue(directory: directory, store: store, now: now) where node != nil {
            outputs.messages.append(.report(report))
        }
        outputs.settled = holder.takeSettled()
        var result = ClientOutputs()
        swap(&result, &outputs)
        return result
    }

    // MARK: Looking

    /// The process that this client speaks with now.
    public var currentNode: Tenant? { node }

    /// Whether the node that it is connected to has been silent for so long that another one should be tried.
    public func isNodeSilent(now: ClockTime) -> Bool {
        guard isConnected, let since = holder.unansweredSince else { return false }
        return now - since > configuration.silence
    }

    /// Whether all that was used before ``leave(now:)`` has been told and heard.
    public var hasLeft: Bool { isLeaving && holder.hasToldAll }

    public var waitingCount: Int { holder.waitingCount }
    public var counters: Holder.Counters { holder.counters }
}

/// What a client needs to know besides what its node tells; all times in nanoseconds.
public struct ClientConfiguration: Sendable {
    /// How often ``ClientRuntime/tick(now:)`` is called.
    public var tick: Int64 = 10_000_000
    /// Usage is told every so many ticks.
    public var usageTicks: UInt64 = 3
    /// How long a request waits for its node before the rule's `onIsolation` decides: a little longer than the node itself waits.
    public var patience: Int64 = 1_250_000_000
    /// Silence of this length means being cut off from the cluster.
    public var isolation: Int64 = 2_000_000_000
    /// How much this client gets of a bucket for which it competes with others, in proportion to theirs: 1 to 100.
    public var weight: UInt32 = 1
    /// A node that leaves a report without an answer for so long is given up for another one.
    public var silence: Int64 = 300_000_000

    public init() {}
}

/// A node said what no correct node of this cluster says.
public struct ClientViolation: Error, Equatable, Sendable, CustomStringConvertible {
    public var description: String

    init(_ description: String) { self.description = description }
}

/// What one batch of a client's events made necessary; the driver carries it out.
public struct ClientOutputs: Sendable {
    /// To be sent to the node, in this order.
    public var messages: [ClientMessage] = []
    /// Decisions for the callers.
    public var settled: [Holder.Settled] = []
    /// Rules in force from now on.
    public var directory: RuleDirectory?
    /// The node is about to stop: go to another one.
    public var isToldToGo = false

    init() {}
}

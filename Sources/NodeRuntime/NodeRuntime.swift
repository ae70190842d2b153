public import Coordination
public import LimiterCore
public import Raft

/// A whole node as one value: Raft, the replicated state, the owner, the holder and the leader's assigner.
///
/// The server's event loop and the simulator drive this very value: feed it a batch of events, then call ``finish(now:)`` and
/// carry out what that returns. It reads no clock: `now` must have been read after the bytes of the event arrived, and never
/// runs backwards. Not to be shared between threads; only the ``AllowanceStore`` is.
public struct NodeRuntime<Store: AllowanceStore>: ~Copyable {
    public let configuration: NodeConfiguration
    public let store: Store
    var raft: RaftNode
    var state: ReplicatedState
    var owner: Owner
    var holder: Holder
    var lender = Lender()
    var assigner: Assigner
    /// The rules as the holder needs them; nil until the cluster exists.
    public private(set) var directory: RuleDirectory?

    var outputs = Outputs()
    /// As of the last ``finish(now:)``.
    package private(set) var vitals = NodeVitals()
    /// Messages that wait for a write.
    private var held: [(write: UInt64, messages: [Message])] = []
    /// Changes that this process proposed, by number, with the tick at which to stop waiting.
    private var changes: [(number: UInt64, deadline: UInt64)] = []
    private var nextChange: UInt64
    private var ticks: UInt64 = 0
    private var tickDue = false
    private var isDraining = false
    private var appliedBytes = 0
    private var lastRole = Role.follower
    private var lastLeader: NodeID?
    private var lastTerm: Term = 0
    private var lastServed: UInt64 = 0
    private var genesisAskedAt: UInt64 = 0
    private var lastReport: NodeReport?

    /// How long a change of rules waits for its commit, in ticks.
    private static var changePatience: UInt64 { 500 }

    /// A node as it starts: `restored` is what its disk holds. Throws if the snapshot cannot be read.
    public init(
        _ configuration: NodeConfiguration, restored: PersistedState, store: Store, now: ClockTime
    ) throws(RestoreFailure) {
        self.configuration = configuration
        self.store = store
        var seeds = SplitMix64(seed: configuration.seed)
        raft = RaftNode(
            id: configuration.node, voters: configuration.voters, configuration: configuration.raft, restored: restored,
            seed: seeds.next())
        owner = Owner(tenant: Tenant(node: configuration.node, incarnation: configuration.incarnation))
        holder = Holder(
            nodes: configuration.voters.count, seed: seeds.next() ^ configuration.incarnation,
            patience: configuration.timing.patience, isolationAfter: configuration.timing.isolation)
        assigner = Assigner(
            node: configuration.node, voters: configuration.voters,
            detectionTicks: Int(configuration.timing.ticks(configuration.timing.detection)))
        // The covers' batches and the rule changes of one process share their numbers' space: the batches count from 1.
        nextChange = 1 << 62
        state = ReplicatedState()
        if let snapshot = restored.snapshot {
            do { state = try ReplicatedState(snapshot: snapshot.data) } catch {
                throw RestoreFailure("the snapshot at entry \(snapshot.index) cannot be read: \(error)")
            }
            adopted(now: now)
        }
    }

    // MARK: Events

    /// One tick of the configured length has passed.
    public mutating func tick(now: ClockTime) {
        ticks += 1
        tickDue = true
        raft.tick()
    }

    /// A message of another node. Throws if no correct node can have sent it; the connection should be closed then.
    public mutating func receive(
        _ message: PeerMessage, from peer: NodeID, now: ClockTime
    ) throws(PeerViolation) {
        switch message {
        case .raft(let message):
            try raft.step(message)
        case .coordination(let message):
            if let mistake = message.mistake { throw PeerViolation(.malformed, mistake) }
            switch message {
            case .report(let report):
                if let answer = owner.receive(report, from: peer, state: state, now: now) {
                    send(.answer(answer), to: peer)
                }
            case .answer(let answer):
                holder.receive(answer, store: store, now: now)
            case .verdicts(let session, let batch):
                holder.receive(verdicts: batch, session: session, store: store, now: now)
            case .handOver(let range, let epoch):
                // An older epoch's wish has been overtaken by an assignment.
                if state.epoch(of: range) == epoch { owner.release(range, state: state, now: now) }
            }
        }
    }

    /// Requests that the table could not decide; `sink` comes back with their decisions.
    public mutating func submit(_ requests: [PendingRequest], sink: Int, now: ClockTime) {
        precondition(sink >= 0, "sinks count from 0: \(Lender.sink) is the lender's")
        for request in requests { holder.submit(request, sink: sink, now: now) }
    }

    /// An embedded client has come: it needs the rules. Until the cluster has been formed there are none to give.
    public mutating func clientConnected(_ client: ClientID) { sendRules(to: [client]) }

    /// A client's message. Throws if no correct client can have sent it; the connection should be closed then.
    public mutating func receive(
        _ message: ClientMessage, from client: ClientID, now: ClockTime
    ) throws(PeerViolation) {
        if let mistake = message.mistakeOfClient { throw PeerViolation(.malformed, mistake) }
        guard case .report(let report) = message else { return }
        let answer = lender.receive(
            report, from: client, holder: &holder, store: store, directory: directory, applied: state.applied, now: now)
        if let answer { outputs.clientMessages.append((client, .answer(answer))) }
    }

    /// This write and all before it are durable.
    public mutating func written(_ number: UInt64, now: ClockTime) {
        raft.written(number)
        while let first = held.first, first.write <= number {
            for message in first.messages { outputs.messages.append(Outgoing(.raft(message), to: message.to)) }
            held.removeFirst()
        }
    }

    /// Proposes changes of rules, all or none; the number comes back with their ``Completion``.
    public mutating func change(rules: [RuleChange]) -> UInt64 {
        let number = nextChange
        nextChange += 1
        let request = RequestID(incarnation: configuration.incarnation, number: number)
        switch propose(.rules(rules, request)) {
        case .appended where isPlanted(.completesUncommitted):
            complete(number, .applied(raft.lastIndex))
        case .appended, .forwarded:
            changes.append((number, ticks + NodeRuntime.changePatience))
        case .refused(.noLeader):
            complete(number, .notProposed("no leader is known: a majority of the nodes must be up; try again"))
        case .refused(.tooManyUncommittedBytes):
            complete(number, .notProposed("too many changes are under way: try again in a moment"))
        case .refused(.tooLarge):
            complete(number, .notProposed("the change is larger than a log entry may be: apply it in parts"))
        }
        return number
    }

    /// The connection to a peer was lost: what was under way to it may be too.
    public mutating func unreachable(_ peer: NodeID) { raft.unreachable(peer) }

    /// Lets the leader know that the node is about to stop, so that it asks for its ranges. ``hasDrained`` tells when all are given
    /// away.
    public mutating func drain() {
        isDraining = true
        outputs.sendsGoodbye = true
    }

    /// Whether nothing is left to give away.
    public var hasDrained: Bool { isDraining && owner.held == 0 }

    /// The clock may have stood still or jumped: voids tenures, spans and brackets.
    public mutating func distrustClock() {
        owner.distrustClock()
        holder.distrustClock(store: store)
    }

    /// Notes each admission that the owner makes, for a decision log.
    public mutating func traceAdmissions() {
        owner.isTracing = true
        lender.isTracing = true
    }

    // MARK: What follows from a batch of events

    /// Does what the events since the last call made necessary and returns what the driver has to carry out.
    public mutating func finish(now: ClockTime) -> Outputs {
        var result = Outputs()
        finish(now: now, into: &result)
        return result
    }

    /// The same, in the place of what `result` held: for a driver that keeps it for the room in its arrays.
    public mutating func finish(now: ClockTime, into result: inout Outputs) {
        result.removeAll()
        let isTick = tickDue
        tickDue = false
        if isTick {
            holder.tick(store: store, now: now)
            expireChanges()
        }
        // Each step may give work to the others: an answer to ourselves settles requests, a commit lets covers in. Two or three
        // rounds are the rule; the limit only keeps a mistake of ours from hanging the node.
        for round in 0..<64 {
            var didSomething = advanceRaft(now: now)
            // What is proposed in this round leaves in this batch and not with the next tick.
            if round == 0, isTick { didSomething = lead(now: now) || didSomething }
            didSomething = exchangeReports(now: now) || didSomething
            didSomething = flushOwner(now: now, isTick: isTick && round == 0) || didSomething
            if !didSomething { break }
        }
        reportToLeader()
        noteChanges()
        if isTick { compactIfDue() }
        for settled in holder.takeSettled() {
            if settled.sink == Lender.sink {
                lender.settled(settled, holder: holder, now: now)
            } else {
                outputs.settled.append(settled)
            }
        }
        for (client, message) in lender.takePending() { outputs.clientMessages.append((client, message)) }
        swap(&outputs.clientAdmissions, &lender.admissions)
        swap(&outputs.admissions, &owner.admissions)
        swap(&outputs.loans, &owner.loans)
        vitals = NodeVitals(
            role: raft.role, term: raft.term, commitIndex: raft.commitIndex, lastIndex: raft.lastIndex,
            served: owner.served)
        swap(&result, &outputs)
    }

    private mutating func advanceRaft(now: ClockTime) -> Bool {
        var didSomething = false
        while let ready = raft.takeReady() {
            didSomething = true
            for message in ready.messages { outputs.messages.append(Outgoing(.raft(message), to: message.to)) }
            if let write = ready.write {
                if !write.messagesAfterSync.isEmpty {
                    held.append((isPlanted(.vouchesTooEarly) ? 0 : write.number, write.messagesAfterSync))
                }
                outputs.writes.append(write)
            }
            if let snapshot = ready.snapshot {
                do {
                    state = try ReplicatedState(snapshot: snapshot.data)
                    appliedBytes = 0
                    adopted(now: now)
                    outputs.events.append(.adoptedSnapshot(snapshot.index))
                } catch {
                    outputs.events.append(.unreadable("the leader's snapshot at entry \(snapshot.index): \(error)"))
                }
            }
            for entry in ready.committed { apply(entry, now: now) }
        }
        return didSomething
    }

    private mutating func apply(_ entry: Entry, now: ClockTime) {
        guard entry.kind == .command else {
            state.skip(to: entry.index)
            return
        }
        appliedBytes += entry.payload.count
        let command: Command
        do { command = try Command(decoding: entry.payload) } catch {
            // Committed by a newer version: to go on without it would make this replica differ from the others.
            outputs.events.append(.unreadable("entry \(entry.index): \(error)"))
            state.skip(to: entry.index)
            return
        }
        let effects = state.apply(command, at: entry.index)
        owner.applied(effects, state: state, now: now)
        holder.applied(effects, state: state, now: now)
        for effect in effects {
            switch effect {
            case .formed:
                outputs.events.append(.formed(cluster: state.genesis!.cluster))
                renewDirectory()
            case .rulesChanged:
                outputs.events.append(.rulesChanged(count: state.rules.count, index: entry.index))
                renewDirectory()
            case .done(let request, let refusal) where request.incarnation == configuration.incarnation:
                guard changes.contains(where: { $0.number == request.number }) else { continue }
                changes.removeAll { $0.number == request.number }
                complete(request.number, refusal.map { .refused($0) } ?? .applied(entry.index))
            case .done, .assigned, .covered, .released:
                continue
            }
        }
    }

    /// The state came from a snapshot.
    private mutating func adopted(now: ClockTime) {
        owner.restored(state: state, now: now)
        holder.restored(state: state, now: now)
        renewDirectory()
    }

    private mutating func renewDirectory() {
        guard let genesis = state.genesis else { return }
        let new = RuleDirectory(
            rules: state.rules, hash: KeyedHash(secret: (genesis.secretHigh, genesis.secretLow)),
            drift: genesis.parameters.drift)
        directory = new
        outputs.directory = new
        // Whoever is connected; the driver knows.
        sendRules(to: nil)
    }

    private mutating func sendRules(to clients: [ClientID]?) {
        guard let genesis = state.genesis else { return }
        let tenant = Tenant(node: configuration.node, incarnation: configuration.incarnation)
        let parts = ClientRules.parts(of: state.rules, genesis: genesis, version: state.applied, node: tenant)
        if let clients {
            for client in clients { outputs.clientMessages += parts.map { (client, .rules($0)) } }
        } else {
            outputs.clientRules = parts
        }
    }

    /// New reports; those to ourselves take the same path without the network.
    private mutating func exchangeReports(now: ClockTime) -> Bool {
        let due = holder.reportsDue(directory: directory, store: store, now: now)
        for (target, report) in due {
            guard target == configuration.node else {
                send(.report(report), to: target)
                continue
            }
            if let answer = owner.receive(report, from: target, state: state, now: now) {
                holder.receive(answer, store: store, now: now)
            }
        }
        return due.contains { $0.to == configuration.node }
    }

    private mutating func flushOwner(now: ClockTime, isTick: Bool) -> Bool {
        let (messages, proposals) = owner.flush(state: state, now: now, isTick: isTick)
        for (target, message) in messages {
            if target == configuration.node, case .verdicts(let session, let batch) = message {
                holder.receive(verdicts: batch, session: session, store: store, now: now)
            } else {
                send(message, to: target)
            }
        }
        // A proposal that finds no leader is lost; its maker proposes it again when it has waited long enough.
        for command in proposals { _ = propose(command) }
        return !proposals.isEmpty || messages.contains { $0.to == configuration.node }
    }

    private mutating func propose(_ command: Command) -> ProposalOutcome { raft.propose(command.encoded()) }

    private mutating func send(_ message: CoordinationMessage, to peer: NodeID) {
        outputs.messages.append(Outgoing(.coordination(message), to: peer))
    }

    private mutating func complete(_ number: UInt64, _ result: Completion.Result) {
        outputs.completions.append(Completion(number: number, result: result))
    }

    private mutating func expireChanges() {
        for change in changes where change.deadline <= ticks { complete(change.number, .unknown) }
        changes.removeAll { $0.deadline <= ticks }
    }

    // MARK: Leading

    /// Returns whether it has proposed something.
    private mutating func lead(now: ClockTime) -> Bool {
        guard raft.role == .leader else {
            assigner.follow()
            return false
        }
        var hasProposed = false
        if state.genesis == nil, genesisAskedAt == 0 || ticks >= genesisAskedAt + 50 {
            genesisAskedAt = ticks
            _ = propose(.genesis(configuration.genesis))
            hasProposed = true
        }
        let wishes = assigner.tick(term: raft.term, commit: raft.commitIndex, state: state)
        assigner.heard(ownReport, from: configuration.node)
        for (peer, context) in raft.takePeerContexts() {
            if let report = NodeReport(decoding: context) { assigner.heard(report, from: peer) }
        }
        if !wishes.assignments.isEmpty {
            _ = propose(.assign(wishes.assignments))
            hasProposed = true
            outputs.events.append(.assigning(wishes.assignments))
        }
        for wish in wishes.handOvers {
            if wish.to == configuration.node {
                owner.release(wish.range, state: state, now: now)
            } else {
                send(.handOver(range: wish.range, epoch: wish.epoch), to: wish.to)
            }
        }
        return hasProposed
    }

    private var ownReport: NodeReport {
        NodeReport(
            incarnation: configuration.incarnation, applied: state.applied, served: owner.held, isDraining: isDraining)
    }

    private mutating func reportToLeader() {
        let report = ownReport
        guard report != lastReport else { return }
        lastReport = report
        raft.heartbeatContext = report.encoded()
    }

    private mutating func noteChanges() {
        if raft.role != lastRole {
            lastRole = raft.role
            outputs.events.append(.roleChanged(raft.role, term: raft.term))
        }
        if raft.leader != lastLeader || (raft.term != lastTerm && raft.leader != nil) {
            lastLeader = raft.leader
            if raft.leader != nil { owner.leaderChanged() }
            outputs.events.append(.leaderChanged(raft.leader, term: raft.term))
        }
        lastTerm = raft.term
        let served = owner.served
        if served != lastServed {
            let gained = served & ~lastServed
            let lost = lastServed & ~served
            if gained != 0 {
                outputs.events.append(.tookOver(RangeID.all.filter { gained & (1 << UInt64($0.rawValue)) != 0 }))
            }
            if lost != 0 { outputs.events.append(.lost(RangeID.all.filter { lost & (1 << UInt64($0.rawValue)) != 0 })) }
            lastServed = served
        }
    }

    private mutating func compactIfDue() {
        guard
            state.applied >= raft.snapshotIndex + configuration.compactAfterEntries
                || appliedBytes >= configuration.compactAfterBytes
        else { return }
        appliedBytes = 0
        if let snapshot = raft.compact(through: state.applied, state: state.snapshot()) {
            outputs.snapshot = snapshot
            outputs.events.append(.compacted(snapshot.index, bytes: snapshot.data.count))
        }
    }
}

/// Why a node cannot start from what its disk holds.
public struct RestoreFailure: Error, Equatable, CustomStringConvertible {
    public var description: String

    init(_ description: String) { self.description = description }
}

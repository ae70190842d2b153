import Simulator

/// What happens to the members and links of an election, and when, in nanoseconds of true time.
enum ElectionFault: Sendable, Equatable {
    /// The process dies and does not come back.
    case crash(Int)
    /// Whoever leads at that moment dies; if nobody does, whoever leads next, within 10 ms.
    case crashOfLeader
    /// Messages pass only within each group.
    case partition([[Int]])
    case heal
}

/// The network and the faults of one election.
struct ElectionConditions: Sendable {
    /// How long a message takes, one way, in nanoseconds.
    var delay: ClosedRange<Int64> = 500_000...1_500_000
    var lossPermille = 0
    /// How long a write takes to be durable; only Raft writes.
    var syncTime: ClosedRange<Int64> = 200_000...1_000_000
    var tick: Int64 = 10_000_000
    var faults: [(at: Int64, ElectionFault)] = []
    /// Nothing after that counts.
    var limit: Int64 = 3_000_000_000
    /// End as soon as all living members agree on one of them who knows it.
    var stopsWhenAgreed = false
}

/// What came of one election.
struct ElectionOutcome: Equatable, Sendable {
    /// All messages that were sent, also those that were lost.
    var messages = 0
    /// Those sent up to the moment when somebody first declared itself leader.
    var messagesUntilDeclared = 0
    /// When a member first held itself for the leader.
    var declaredAt: Int64?
    /// When all living members first agreed, after the last fault.
    var agreedAt: Int64?
    /// The term of whoever led first.
    var firstTerm: UInt64?
    /// Whether two living members held themselves for the leader at the same time,
    var hadTwoLeaders = false
    /// for how long altogether,
    var twoLeadersFor: Int64 = 0
    /// and of the same term.
    var hadTwoInOneTerm = false
    /// How often anybody stood, until somebody led.
    var attempts = 0
    /// Nobody alive led at the end.
    var endsWithoutLeader = true
    /// When the leader of `crashOfLeader` died.
    var leaderDiedAt: Int64?
    /// When another one first led after that, and the messages in between.
    var succeededAt: Int64?
    var messagesOfSuccession = 0
    /// The terms between the dead leader's and its successor's; 1 is the least in Raft.
    var termsOfSuccession: UInt64 = 0
}

/// One election in virtual time: members, a network with delay and loss, crashes and partitions. Everything follows from the seed.
struct ElectionRun<M: Member> {
    private enum Event {
        case tick(Int)
        case message(M.Message, from: Int, to: Int)
        case written(UInt64, Int)
        case fault(ElectionFault)
    }

    private let conditions: ElectionConditions
    private var members: [M]
    private var isAlive: [Bool]
    private var group: [Int]
    private var heap = EventHeap<Event>()
    private var draws: Draws
    private var time: Int64 = 0
    private var outcome = ElectionOutcome()
    private var reigns: [UInt64?]
    private var lastWrite: [Int64]
    private var faultsLeft: Int
    private var doubleSince: Int64?
    private var deadTerm: UInt64 = 0
    /// Whom each member held for the leader when it last did anything.
    private var leaders: [Int?]
    private var mayAgree = false

    init(members: [M], conditions: ElectionConditions, seed: UInt64) {
        self.members = members
        self.conditions = conditions
        draws = Draws(seed: seed)
        isAlive = Array(repeating: true, count: members.count)
        group = Array(repeating: 0, count: members.count)
        reigns = Array(repeating: nil, count: members.count)
        lastWrite = Array(repeating: 0, count: members.count)
        leaders = Array(repeating: nil, count: members.count)
        faultsLeft = conditions.faults.count
    }

    /// Runs to the end, and returns what came of it and the members as they were.
    mutating func run() -> (outcome: ElectionOutcome, members: [M]) {
        for (at, fault) in conditions.faults { heap.push(.fault(fault), at: at) }
        for i in members.indices {
            act(i) { member, actions in member.start(&actions) }
            if M.usesTime { heap.push(.tick(i), at: draws.within(1...conditions.tick, .tick, i)) }
        }
        while let next = heap.firstTime, next <= conditions.limit {
            time = next
            handle(heap.pop())
            if outcome.agreedAt == nil, faultsLeft == 0, mayAgree, agrees {
                outcome.agreedAt = time
                if conditions.stopsWhenAgreed { break }
            }
        }
        closeDouble(at: conditions.limit)
        outcome.endsWithoutLeader = !members.indices.contains { isAlive[$0] && reigns[$0] != nil }
        if outcome.declaredAt == nil { outcome.messagesUntilDeclared = outcome.messages }
        return (outcome, members)
    }

    private mutating func handle(_ event: Event) {
        switch event {
        case .tick(let i):
            guard isAlive[i] else { return }
            heap.push(.tick(i), at: time + conditions.tick)
            act(i) { member, actions in member.tick(&actions) }
        case .message(let message, let from, let to):
            // A link that is cut loses what is under way.
            guard isAlive[to], group[from] == group[to] else { return }
            act(to) { member, actions in member.receive(message, from: from, &actions) }
        case .written(let number, let i):
            guard isAlive[i] else { return }
            act(i) { member, actions in member.written(number, &actions) }
        case .fault(let fault):
            faultsLeft -= 1
            mayAgree = true
            strike(fault)
        }
    }

    private mutating func strike(_ fault: ElectionFault) {
        switch fault {
        case .crash(let i): crash(i)
        case .crashOfLeader:
            // The leader of the latest term, should an old one linger.
            let leading = members.indices.filter { isAlive[$0] && reigns[$0] != nil }
            guard let leader = leading.max(by: { reigns[$0]! < reigns[$1]! }) else {
                faultsLeft += 1
                heap.push(.fault(fault), at: time + 10_000_000)
                return
            }
            outcome.leaderDiedAt = time
            deadTerm = reigns[leader]!
            crash(leader)
        case .partition(let groups):
            for (number, members) in groups.enumerated() { for i in members { group[i] = number } }
        case .heal:
            group = Array(repeating: 0, count: group.count)
        }
    }

    private mutating func crash(_ i: Int) {
        isAlive[i] = false
        note(i, reign: nil)
    }

    private mutating func act(_ i: Int, _ body: (inout M, inout Actions<M.Message>) -> Void) {
        var actions = Actions<M.Message>()
        body(&members[i], &actions)
        for number in actions.writes {
            // A disk does one thing after the other.
            let done = max(time, lastWrite[i]) + draws.within(conditions.syncTime, .sync, i)
            lastWrite[i] = done
            heap.push(.written(number, i), at: done)
        }
        for (to, message) in actions.sends { send(message, from: i, to: to) }
        let (reign, leader) = (members[i].reign, members[i].leader)
        if reigns[i] != reign { note(i, reign: reign) }
        if leaders[i] != leader {
            leaders[i] = leader
            mayAgree = true
        }
    }

    private mutating func send(_ message: M.Message, from: Int, to: Int) {
        outcome.messages += 1
        if outcome.leaderDiedAt != nil, outcome.succeededAt == nil { outcome.messagesOfSuccession += 1 }
        let link = from * members.count + to
        if draws.chance(permille: conditions.lossPermille, .loss, link) { return }
        let isFixed = conditions.delay.lowerBound == conditions.delay.upperBound
        let delay = isFixed ? conditions.delay.lowerBound : draws.within(conditions.delay, .delay, link)
        heap.push(.message(message, from: from, to: to), at: time + delay)
    }

    private mutating func note(_ i: Int, reign: UInt64?) {
        reigns[i] = reign
        var living: [UInt64] = []
        for reign in reigns where reign != nil { living.append(reign!) }
        if living.count > 1 {
            outcome.hadTwoLeaders = true
            if doubleSince == nil { doubleSince = time }
            if Set(living).count < living.count { outcome.hadTwoInOneTerm = true }
        } else {
            closeDouble(at: time)
        }
        guard let reign else { return }
        if outcome.declaredAt == nil {
            outcome.declaredAt = time
            outcome.messagesUntilDeclared = outcome.messages
            outcome.firstTerm = reign
            outcome.attempts = members.reduce(0) { $0 + $1.attempts }
        }
        if outcome.leaderDiedAt != nil, outcome.succeededAt == nil {
            outcome.succeededAt = time
            outcome.termsOfSuccession = reign - deadTerm
        }
    }

    private mutating func closeDouble(at end: Int64) {
        guard let since = doubleSince else { return }
        outcome.twoLeadersFor += end - since
        doubleSince = nil
    }

    /// Whether all living members hold the same living member for the leader, and that one itself too.
    private var agrees: Bool {
        mutating get {
            mayAgree = false
            guard let leader = members.indices.first(where: { isAlive[$0] && reigns[$0] != nil }) else { return false }
            return members.indices.allSatisfy { !isAlive[$0] || leaders[$0] == leader }
        }
    }
}

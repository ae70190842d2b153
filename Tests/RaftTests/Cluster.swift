import Raft
import Testing

/// A few nodes, a network that delivers in order, and disks that are instant unless told otherwise: for tests that tell
/// one story. (``Chaos`` is the one that throws dice.)
struct Cluster {
    private(set) var ids: [NodeID]
    var nodes: [RaftNode]
    var disks: [SimulatedDisk]
    private(set) var applied: [[Entry]]
    private(set) var snapshots: [[Snapshot]]
    /// Everything that was delivered, in order.
    private(set) var delivered: [Message] = []
    /// Messages of which this is true are lost.
    var lose: (Message) -> Bool = { _ in false }
    /// Nodes whose disks do nothing until they leave this set.
    var slowDisks: Set<NodeID> = []
    private var network: [Message] = []
    private let configuration: RaftNode.Configuration

    /// - Parameter states: what each node's disk holds at the start; their nodes are numbered from 1.
    init(_ states: [PersistedState], _ configuration: RaftNode.Configuration) {
        self.configuration = configuration
        let ids = (1...UInt32(states.count)).map { NodeID($0) }
        self.ids = ids
        nodes = zip(ids, states).map { id, state in
            RaftNode(id: id, voters: ids, configuration: configuration, restored: state, seed: UInt64(id.rawValue))
        }
        disks = states.map { SimulatedDisk($0) }
        applied = ids.map { _ in [] }
        snapshots = ids.map { _ in [] }
    }

    init(size: Int, _ configuration: RaftNode.Configuration = .bare) {
        self.init(Array(repeating: PersistedState(), count: size), configuration)
    }

    subscript(_ id: UInt32) -> RaftNode {
        get { nodes[Int(id) - 1] }
        set { nodes[Int(id) - 1] = newValue }
    }

    /// Delivers and writes until nothing is left to do.
    mutating func settle() throws {
        while true {
            for position in nodes.indices { pump(position) }
            if network.isEmpty { return }
            let message = network.removeFirst()
            if lose(message) { continue }
            delivered.append(message)
            try nodes[Int(message.to.rawValue) - 1].step(message)
        }
    }

    mutating func tick(_ id: UInt32, _ count: Int = 1) throws {
        for _ in 0..<count {
            self[id].tick()
            try settle()
        }
    }

    mutating func tickAll(_ count: Int) throws {
        for _ in 0..<count {
            for position in nodes.indices { nodes[position].tick() }
            try settle()
        }
    }

    mutating func campaign(_ id: UInt32) throws {
        self[id].campaign()
        try settle()
    }

    mutating func propose(_ id: UInt32, _ payload: [UInt8]) throws -> ProposalOutcome {
        let outcome = self[id].propose(payload)
        try settle()
        return outcome
    }

    /// Loses what its disk had not written, and starts it again.
    mutating func restart(_ id: UInt32) {
        let position = Int(id) - 1
        disks[position].crash(parts: 0)
        applied[position] = []
        nodes[position] = RaftNode(
            id: ids[position], voters: ids, configuration: configuration, restored: disks[position].durable, seed: 99)
    }

    /// The node's disk is replaced by an empty one, and the node started again.
    mutating func wipe(_ id: UInt32) { swapDisk(id, for: PersistedState()) }

    mutating func swapDisk(_ id: UInt32, for state: PersistedState) {
        disks[Int(id) - 1] = SimulatedDisk(state)
        restart(id)
    }

    /// Takes a snapshot of everything that the node has applied.
    mutating func compact(_ id: UInt32, state: [UInt8]) {
        let position = Int(id) - 1
        if let snapshot = nodes[position].compact(through: nodes[position].appliedIndex, state: state) {
            disks[position].save(snapshot)
        }
    }

    mutating func cut(_ links: [(UInt32, UInt32)]) {
        lose = { message in
            links.contains {
                ($0 == message.from.rawValue && $1 == message.to.rawValue)
                    || ($1 == message.from.rawValue && $0 == message.to.rawValue)
            }
        }
    }

    mutating func isolate(_ id: UInt32) {
        lose = { $0.from.rawValue == id || $0.to.rawValue == id }
    }

    mutating func heal() { lose = { _ in false } }

    mutating func forgetDelivered() { delivered = [] }

    private mutating func pump(_ position: Int) {
        while true {
            if let ready = nodes[position].takeReady() {
                network += ready.messages
                if let write = ready.write { disks[position].enqueue(write) }
                if let snapshot = ready.snapshot { snapshots[position].append(snapshot) }
                applied[position] += ready.committed
            } else if !slowDisks.contains(ids[position]), !disks[position].pending.isEmpty {
                let write = disks[position].completeFirst()
                network += write.messagesAfterSync
                nodes[position].written(write.number)
            } else {
                return
            }
        }
    }
}

extension RaftNode.Configuration {
    /// Figure 2 of the paper and no more.
    static var bare: Self { Self(preVote: false, checkQuorum: false) }
}

extension RaftNode {
    /// The terms of the entries it holds.
    var terms: [Term] { entries(from: 1).map(\.term) }

    /// Delivers what must not fail.
    mutating func hear(_ from: UInt32, _ term: Term, _ body: Message.Body) throws {
        try step(Message(from: NodeID(from), to: id, term: term, body: body))
    }

    /// What there is to do, which must be something.
    mutating func nextReady() throws -> Ready {
        let ready = takeReady()
        return try #require(ready)
    }

    /// What there is to write, which must be something.
    mutating func nextWrite() throws -> Write { try #require(try nextReady().write) }

    /// Takes everything there is to do; the disk is instant.
    mutating func drain() -> [Message] {
        var messages: [Message] = []
        while let ready = takeReady() {
            messages += ready.messages
            if let write = ready.write {
                messages += write.messagesAfterSync
                written(write.number)
            }
        }
        return messages
    }

    /// Becomes leader of a new term by the votes of `voters`; what it sends on the way is lost.
    mutating func win(votesOf voters: UInt32...) throws {
        campaign()
        _ = drain()
        for voter in voters {
            try hear(voter, term, .voteResponse(granted: true))
        }
    }
}

extension PersistedState {
    /// A log given by its entries' terms.
    static func log(_ terms: [Term], term: Term? = nil, vote: UInt32? = nil, commit: LogIndex = 0) -> PersistedState {
        PersistedState(
            hardState: HardState(term: term ?? terms.last ?? 0, vote: vote.map { NodeID($0) }, commit: commit),
            entries: log(terms))
    }

    static func log(_ terms: [Term]) -> [Entry] {
        terms.enumerated().map { Entry(index: UInt64($0) + 1, term: $1, payload: [UInt8($0 & 255), UInt8($1 & 255)]) }
    }
}

extension Message {
    var isRejection: Bool {
        if case .appendRejection = body { true } else { false }
    }

    var isVoteRequest: Bool {
        switch body {
        case .vote, .preVote: true
        default: false
        }
    }

    /// The previous index of an append.
    var previousIndex: LogIndex? {
        if case .append(let previousIndex, _, _, _) = body { previousIndex } else { nil }
    }

    var entries: [Entry] {
        if case .append(_, _, _, let entries) = body { entries } else { [] }
    }
}

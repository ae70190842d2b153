import Raft

/// A cluster at the mercy of one seed: messages are lost, repeated, delayed and reordered, links are cut, processes crash
/// with half-finished writes, disks and clocks run at any speed. After every event the safety properties of figure 3 of
/// the paper are checked; after ``heal()`` the cluster has to make progress.
struct Chaos {
    struct Failure: Error, CustomStringConvertible {
        var description: String
    }

    struct Options {
        var size: Int
        var steps: Int
        var preVote: Bool
        var checkQuorum: Bool
    }

    private struct Member {
        var node: RaftNode
        var disk: SimulatedDisk
        /// The state machine: how many entries, and a hash of them.
        var applied: LogIndex
        var hash: UInt64
        var isUp = true
        var lastRole = Role.follower
    }

    private struct Committed {
        var entry: Entry
        /// The state machine's hash after it.
        var hash: UInt64
        /// The term whose leader was first seen to have committed it.
        var inTerm: Term
    }

    private var random: Random
    /// How bad it gets, in percent.
    private let trouble: Int
    /// How often a node's outputs are taken after an event, in percent.
    private let haste: Int
    private let ids: [NodeID]
    private let configuration: RaftNode.Configuration
    private var members: [Member]
    private var network: [Message] = []
    /// `cut[a][b]`: nothing passes from a to b.
    private var cut: [[Bool]]
    private var leaders: [Term: NodeID] = [:]
    /// Entry i is at place i - 1.
    private var committed: [Committed] = []
    private var proposals: UInt64 = 0
    /// A hash of all that happened.
    private(set) var trace: UInt64 = 0xCBF2_9CE4_8422_2325
    /// How often rare things happened, so that a sweep can notice that it has stopped to reach them.
    private(set) var seen = Seen()

    struct Seen {
        var elections = 0
        var commits = 0
        var crashes = 0
        var tornWrites = 0
        var compactions = 0
        var snapshots = 0
        var truncations = 0
        var forwards = 0
    }

    init(seed: UInt64, _ options: Options) {
        var random = Random(seed)
        let ids = (1...UInt32(options.size)).map { NodeID($0) }
        self.ids = ids
        let configuration = RaftNode.Configuration(
            electionTicks: 10, heartbeatTicks: 2, maxBytesPerAppend: [1, 100][random.below(2)], maxInflightAppends: 3,
            maxInflightBytes: 250, maxUncommittedBytes: 600, maxProposalBytes: 64, maxSnapshotChunk: 16,
            maxSnapshotBytes: 64, maxRetainedBytes: random.below(2) * 150, maxWritesInFlight: 3,
            maxCommittedPerReady: 4, preVote: options.preVote, checkQuorum: options.checkQuorum)
        self.configuration = configuration
        members = ids.map { id in
            Member(
                node: RaftNode(id: id, voters: ids, configuration: configuration, seed: seed &+ UInt64(id.rawValue)),
                disk: SimulatedDisk(), applied: 0, hash: 0)
        }
        cut = Array(repeating: Array(repeating: false, count: options.size), count: options.size)
        haste = [20, 80][random.below(2)]
        trouble = [20, 50, 100][random.below(3)]
        self.random = random
    }

    static func run(seed: UInt64, _ options: Options) throws -> Chaos {
        var chaos = Chaos(seed: seed, options)
        for step in 0..<options.steps {
            try chaos.misbehave()
            if step % 64 == 0 { try chaos.checkLogMatching() }
        }
        try chaos.heal()
        return chaos
    }

    // MARK: - Breaking it

    private mutating func misbehave() throws {
        let position = random.below(members.count)
        switch random.below(1000) {
        case ..<500: for _ in 0..<1 + random.below(4) { try deliver() }
        case ..<620: tick(position)
        case ..<800: try completeWrite(position)
        case ..<890: propose(position)
        case ..<920: restart(position)
        case ..<945: healLinks()
        case ..<965: compact(position)
        case ..<972:
            // Silence for a while: that is how elections come about.
            for _ in 0..<random.below(30) { tick(position) }
        case ..<975: campaign(position)
        case _ where !random.chance(trouble): break
        case ..<983: crash(random.chance(30) ? leaderOrAny() : position)
        case ..<991: cut[position][random.below(members.count)] = true
        default: isolate(random.chance(60) ? leaderOrAny() : position)
        }
        // Sometimes several events are handled before the node's outputs are taken.
        if random.chance(haste) { try pump(position) }
    }

    private mutating func deliver() throws {
        guard !network.isEmpty else { return }
        // Mostly in order, sometimes not at all.
        let place = random.chance(100 - trouble / 2) ? 0 : random.below(network.count)
        let message = random.chance(trouble / 10) ? network[place] : network.remove(at: place)
        if random.chance(trouble / 20) { return }
        try deliver(message)
    }

    private mutating func deliver(_ message: Message) throws {
        let (from, to) = (place(of: message.from), place(of: message.to))
        guard members[to].isUp, !cut[from][to] else { return }
        note(1, message)
        let before = members[to].node.lastIndex
        do {
            try members[to].node.step(message)
        } catch {
            throw Failure(description: "node \(message.to) was told by a correct node: \(error)\n\(message)")
        }
        if members[to].node.lastIndex < before { seen.truncations += 1 }
        if case .forward = message.body { seen.forwards += 1 }
        try check(to)
        if random.chance(haste) { try pump(to) }
    }

    private mutating func tick(_ position: Int) {
        guard members[position].isUp else { return }
        note(2, position)
        members[position].node.tick()
    }

    private mutating func campaign(_ position: Int) {
        guard members[position].isUp else { return }
        note(10, position)
        members[position].node.campaign()
    }

    /// Where trouble hurts most.
    private mutating func leaderOrAny() -> Int {
        members.firstIndex { $0.isUp && $0.node.role == .leader } ?? random.below(members.count)
    }

    private mutating func completeWrite(_ position: Int) throws {
        guard members[position].isUp, !members[position].disk.pending.isEmpty else { return }
        note(3, position)
        let write = members[position].disk.completeFirst()
        network += write.messagesAfterSync
        // The disk may be faster than the news of it.
        if random.chance(90) || members[position].disk.pending.isEmpty {
            members[position].node.written(write.number)
        }
        // And the news may come twice.
        if random.chance(5), write.number > 1 { members[position].node.written(write.number - 1) }
        try check(position)
    }

    private mutating func propose(_ position: Int) {
        guard members[position].isUp else { return }
        proposals += 1
        note(4, position)
        let size = 8 + random.below(40)
        let payload = (0..<size).map { UInt8(truncatingIfNeeded: $0 < 8 ? proposals >> (8 * UInt64($0)) : 0) }
        _ = members[position].node.propose(payload)
    }

    private mutating func crash(_ position: Int) {
        guard members[position].isUp else { return }
        note(5, position)
        seen.crashes += 1
        members[position].isUp = false
        let parts = members[position].disk.pendingParts
        let survivors = random.below(parts + 1)
        if survivors < parts, survivors > 0 { seen.tornWrites += 1 }
        members[position].disk.crash(parts: survivors)
    }

    private mutating func restart(_ position: Int) {
        guard !members[position].isUp else { return }
        note(6, position)
        let disk = members[position].disk
        members[position].node = RaftNode(
            id: ids[position], voters: ids, configuration: configuration, restored: disk.durable,
            seed: random.next())
        members[position].applied = disk.durable.snapshot?.index ?? 0
        members[position].hash = disk.durable.snapshot.map { Self.decode($0.data) } ?? 0
        members[position].isUp = true
        members[position].lastRole = .follower
    }

    private mutating func isolate(_ position: Int) {
        for other in members.indices where other != position {
            cut[position][other] = true
            cut[other][position] = true
            if members[other].isUp, random.chance(30) { members[other].node.unreachable(ids[position]) }
        }
    }

    private mutating func healLinks() {
        for a in members.indices {
            for b in members.indices { cut[a][b] = false }
        }
    }

    private mutating func compact(_ position: Int) {
        let member = members[position]
        guard member.isUp, member.applied > member.node.snapshotIndex + UInt64(random.below(10)) else { return }
        // A little behind what is applied, as a state machine that takes its time would be.
        let behind = UInt64(random.below(3))
        guard member.applied > behind else { return }
        let index = member.applied - behind
        note(7, position)
        let state = Self.encode(committed[Int(index) - 1].hash)
        if let snapshot = members[position].node.compact(through: index, state: state) {
            members[position].disk.save(snapshot)
            seen.compactions += 1
        }
    }

    // MARK: - The driver

    private mutating func pump(_ position: Int) throws {
        guard members[position].isUp else { return }
        try check(position)
        while members[position].node.hasReady, let ready = members[position].node.takeReady() {
            for message in ready.messages { note(8, message) }
            network += ready.messages
            // Old traffic is lost before the network becomes longer than a few rounds.
            if network.count > 300 { network.removeFirst(network.count - 300) }
            if let write = ready.write { members[position].disk.enqueue(write) }
            if let snapshot = ready.snapshot {
                seen.snapshots += 1
                members[position].applied = snapshot.index
                members[position].hash = Self.decode(snapshot.data)
                try expect(
                    members[position].hash == committed[Int(snapshot.index) - 1].hash,
                    "node \(ids[position]) got a snapshot of another history")
            }
            for entry in ready.committed { try apply(entry, position) }
        }
    }

    private mutating func apply(_ entry: Entry, _ position: Int) throws {
        try expect(
            entry.index == members[position].applied + 1,
            "node \(ids[position]) was given entry \(entry.index) after \(members[position].applied)")
        try expect(entry.index <= UInt64(committed.count), "entry \(entry.index) was applied before it was committed")
        try expect(
            members[position].disk.term(at: entry.index) == entry.term,
            "node \(ids[position]) was given entry \(entry.index), which is not on its disk")
        members[position].applied = entry.index
        members[position].hash = Self.fold(members[position].hash, entry)
        // State Machine Safety (section 5.4.3).
        try expect(
            committed[Int(entry.index) - 1].entry == entry
                && committed[Int(entry.index) - 1].hash == members[position].hash,
            "State Machine Safety: node \(ids[position]) applied another entry \(entry.index)")
    }

    // MARK: - Figure 3

    private mutating func check(_ position: Int) throws {
        let node = members[position].node
        defer { members[position].lastRole = node.role }
        guard node.role == .leader else { return }
        // Election Safety (section 5.2).
        if let other = leaders[node.term] {
            try expect(other == node.id, "Election Safety: nodes \(other) and \(node.id) lead term \(node.term)")
        } else {
            leaders[node.term] = node.id
            seen.elections += 1
        }
        if members[position].lastRole != .leader { try checkCompleteness(node) }
        try noteCommits(of: node)
    }

    /// Leader Completeness (section 5.4.3).
    private func checkCompleteness(_ node: RaftNode) throws {
        for record in committed where record.inTerm < node.term && record.entry.index > node.snapshotIndex {
            try expect(
                node.term(at: record.entry.index) == record.entry.term,
                "Leader Completeness: entry \(record.entry.index), committed in term \(record.inTerm), is not in the "
                    + "log of node \(node.id), the leader of term \(node.term)")
        }
    }

    /// What a leader calls committed has to be on the disks of a majority, and never changes.
    private mutating func noteCommits(of node: RaftNode) throws {
        for index in stride(from: UInt64(committed.count) + 1, through: node.commitIndex, by: 1) {
            guard let entry = node.entries(from: index, maxBytes: 0).first, entry.index == index else {
                throw Failure(description: "the leader of term \(node.term) has lost entry \(index)")
            }
            let copies = members.count {
                $0.disk.term(at: index) == entry.term || ($0.disk.durable.snapshot?.index ?? 0) >= index
            }
            try expect(
                copies > members.count / 2, "entry \(index) of term \(entry.term) was committed with \(copies) copies")
            let hash = Self.fold(committed.last?.hash ?? 0, entry)
            committed.append(Committed(entry: entry, hash: hash, inTerm: node.term))
            seen.commits += 1
            note(9, Int(index))
        }
    }

    /// Log Matching (section 5.3): if two logs agree in an entry, they agree in all before it.
    private func checkLogMatching() throws {
        for (a, b) in members.indices.flatMap({ a in members.indices.dropFirst(a + 1).map { (a, $0) } }) {
            let (left, right) = (members[a].node, members[b].node)
            let start = max(left.firstIndex, right.firstIndex)
            let pairs = Array(zip(left.entries(from: start), right.entries(from: start)))
            guard let last = pairs.lastIndex(where: { $0.term == $1.term }) else { continue }
            try expect(
                pairs[...last].allSatisfy { $0 == $1 }, "Log Matching: the logs of nodes \(left.id) and \(right.id)")
        }
    }

    // MARK: - Healing it

    private mutating func heal() throws {
        healLinks()
        for position in members.indices { restart(position) }
        let goal = UInt64(committed.count)
        for _ in 0..<400 {
            for position in members.indices { tick(position) }
            if let leader = members.indices.last(where: { members[$0].node.role == .leader }),
                members[leader].node.lastIndex < goal + 5
            {
                propose(leader)
            }
            try settle()
            let reached = members.map(\.applied).min()!
            if reached > goal, members.allSatisfy({ $0.applied == reached && $0.node.lastIndex == reached }) {
                try checkLogMatching()
                return
            }
        }
        throw Failure(
            description: "no progress within 400 ticks: \(members.map(\.node.status))")
    }

    private mutating func settle() throws {
        var rounds = 0
        repeat {
            for position in members.indices {
                try pump(position)
                while !members[position].disk.pending.isEmpty {
                    let write = members[position].disk.completeFirst()
                    network += write.messagesAfterSync
                    members[position].node.written(write.number)
                    try pump(position)
                }
            }
            rounds += 1
            try expect(rounds < 500, "the cluster does not come to rest")
            let messages = network
            network = []
            for message in messages { try deliver(message) }
            for position in members.indices { try pump(position) }
        } while !network.isEmpty || members.contains { !$0.disk.pending.isEmpty }
    }

    // MARK: - Common parts

    private func expect(_ condition: Bool, _ message: @autoclosure () -> String) throws {
        if !condition { throw Failure(description: message()) }
    }

    private func place(of id: NodeID) -> Int { Int(id.rawValue) - 1 }

    private mutating func note(_ event: UInt64, _ detail: Int) {
        for number in [event, UInt64(bitPattern: Int64(detail))] { trace = (trace ^ number) &* 0x100_0000_01B3 }
    }

    private mutating func note(_ event: UInt64, _ message: Message) {
        note(event, Int(message.from.rawValue << 8 | message.to.rawValue))
        note(message.term, Int(message.previousIndex ?? 0) << 8 | message.entries.count)
        switch message.body {
        case .appendResponse(let match): note(1, Int(match))
        case .heartbeat(let commit, let sequence): note(commit, Int(sequence))
        case .preVote(_, _, let round): note(2, Int(truncatingIfNeeded: round))
        case .voteResponse(let granted): note(3, granted ? 1 : 0)
        default: break
        }
    }

    private static func fold(_ hash: UInt64, _ entry: Entry) -> UInt64 {
        entry.payload.reduce((hash ^ entry.term) &* 0x9E37_79B9_7F4A_7C15 &+ entry.index) {
            ($0 ^ UInt64($1)) &* 0x100_0000_01B3
        }
    }

    /// A state of several chunks.
    private static func encode(_ hash: UInt64) -> [UInt8] {
        (0..<40).map { UInt8(truncatingIfNeeded: hash >> (8 * UInt64($0 % 8))) }
    }

    private static func decode(_ data: [UInt8]) -> UInt64 {
        data[0..<8].enumerated().reduce(0) { $0 | UInt64($1.element) << (8 * UInt64($1.offset)) }
    }
}

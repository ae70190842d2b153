import Raft
import RingElection

/// Raft with a ring in front of it: an LCR election among those who miss a leader nominates one, who then stands for election in
/// the ordinary way. The vote decides as ever; a nomination that goes wrong costs nothing but the wait for Raft's own timeout.
///
/// A member misses its leader after the *shortest* election timeout, instead of a random one between that and twice that. A new
/// member (`isCold`) misses it at once. The ring leaves the missing leader out. UIDs are ordered by how far the log reaches first:
/// a member with a shorter log cannot be elected (paper, section 5.4.1).
struct NominatedMember: Member {
    enum Message: Sendable {
        case raft(Raft.Message)
        /// `skipping` is the leader that is missed, which is not part of the ring: all members of one election miss the same.
        case ring(LCR.Message, skipping: Int?)
    }

    static var usesTime: Bool { true }

    private var raft: RaftMember
    private let place: Int
    private let count: Int
    private var election: (ring: LCR, skipping: Int?)?
    private var ticks: UInt64 = 0
    private var missedAt: UInt64
    private var lastLeader: Int?

    init(place: Int, count: Int, seed: UInt64, isCold: Bool) {
        raft = RaftMember(place: place, count: count, seed: seed)
        self.place = place
        self.count = count
        missedAt = isCold ? 1 : RaftMember.electionTicks + 1
    }

    var reign: UInt64? { raft.reign }
    var leader: Int? { raft.leader }
    var attempts: Int { raft.attempts }

    mutating func start(_ actions: inout Actions<Message>) {
        carry(&actions) { raft, inner in raft.start(&inner) }
    }

    mutating func receive(_ message: Message, from: Int, _ actions: inout Actions<Message>) {
        switch message {
        case .raft(let message):
            if isFromLeader(message) {
                missedAt = ticks + RaftMember.electionTicks + 1
                lastLeader = from
                election = nil
            }
            carry(&actions) { raft, inner in raft.receive(message, from: from, &inner) }
        case .ring(let message, let skipping):
            // A leader, or whoever hears one, nominates nobody; who misses another leader is in another election.
            guard ticks + 1 >= missedAt, skipping == lastLeader, skipping != place else { return }
            join(skipping: skipping)
            step(&actions) { $0.receive(message, travelling: .clockwise) }
        }
    }

    mutating func tick(_ actions: inout Actions<Message>) {
        ticks += 1
        carry(&actions) { raft, inner in raft.tick(&inner) }
        if raft.reign != nil { missedAt = ticks + RaftMember.electionTicks + 1 }
        guard ticks >= missedAt, election == nil, lastLeader != place else { return }
        join(skipping: lastLeader)
        step(&actions) { $0.start() }
    }

    mutating func written(_ number: UInt64, _ actions: inout Actions<Message>) {
        carry(&actions) { raft, inner in raft.written(number, &inner) }
    }

    private func isFromLeader(_ message: Raft.Message) -> Bool {
        guard message.term >= raft.node.term else { return false }
        switch message.body {
        case .append, .heartbeat: return true
        default: return false
        }
    }

    private mutating func join(skipping: Int?) {
        guard election == nil else { return }
        election = (LCR(uid: raft.node.lastIndex << 8 | UInt64(place)), skipping)
    }

    private mutating func step(
        _ actions: inout Actions<Message>, _ body: (inout LCR) -> [Sending<LCR.Message>]
    ) {
        let wasNominated = election!.ring.isLeader
        let skipping = election!.skipping
        var next = (place + 1) % count
        if next == skipping { next = (next + 1) % count }
        for sending in body(&election!.ring) {
            // Nobody needs to be told: the vote tells them, and Raft's own announcement.
            if case .stop = sending.message { continue }
            actions.sends.append((next, .ring(sending.message, skipping: skipping)))
        }
        guard election!.ring.isLeader, !wasNominated else { return }
        carry(&actions) { raft, inner in raft.campaign(&inner) }
    }

    private mutating func carry(
        _ actions: inout Actions<Message>, _ body: (inout RaftMember, inout Actions<Raft.Message>) -> Void
    ) {
        var inner = Actions<Raft.Message>()
        body(&raft, &inner)
        for (target, message) in inner.sends { actions.sends.append((target, .raft(message))) }
        actions.writes += inner.writes
    }
}

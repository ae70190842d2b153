import Raft

/// The production ``RaftNode`` with production timing: ticks of 10 ms, heartbeats each 50 ms, elections after 250 to 500 ms.
struct RaftMember: Member {
    typealias Message = Raft.Message

    static var usesTime: Bool { true }
    static let electionTicks: UInt64 = 25
    static let heartbeatTicks: UInt64 = 5

    private(set) var node: RaftNode
    private(set) var attempts = 0
    private var lastRole = Role.follower

    init(place: Int, count: Int, seed: UInt64) {
        node = RaftNode(
            id: NodeID(UInt32(place + 1)), voters: (1...count).map { NodeID(UInt32($0)) },
            configuration: .init(
                electionTicks: RaftMember.electionTicks, heartbeatTicks: RaftMember.heartbeatTicks), seed: seed)
    }

    var reign: UInt64? { node.role == .leader ? node.term : nil }
    var leader: Int? { node.leader.map { Int($0.rawValue) - 1 } }

    /// Nothing: a member that hears of no leader stands when its time has come.
    mutating func start(_ actions: inout Actions<Message>) { flush(&actions) }

    mutating func receive(_ message: Message, from: Int, _ actions: inout Actions<Message>) {
        do throws(PeerViolation) { try node.step(message) } catch {
            preconditionFailure("a correct member was refused: \(error)")
        }
        flush(&actions)
    }

    mutating func tick(_ actions: inout Actions<Message>) {
        node.tick()
        flush(&actions)
    }

    mutating func written(_ number: UInt64, _ actions: inout Actions<Message>) {
        for message in waiting.filter({ $0.write <= number }) { send(message.messages, &actions) }
        waiting.removeAll { $0.write <= number }
        node.written(number)
        flush(&actions)
    }

    /// Stands for election now (paper, section 5.2), although its time has not come.
    mutating func campaign(_ actions: inout Actions<Message>) {
        node.campaign()
        flush(&actions)
    }

    /// Messages that vouch for a write.
    private var waiting: [(write: UInt64, messages: [Message])] = []

    private mutating func flush(_ actions: inout Actions<Message>) {
        noteRole()
        while let ready = node.takeReady() {
            send(ready.messages, &actions)
            if let write = ready.write {
                waiting.append((write.number, write.messagesAfterSync))
                actions.writes.append(write.number)
            }
            noteRole()
        }
    }

    private mutating func noteRole() {
        if node.role == .preCandidate, lastRole != .preCandidate { attempts += 1 }
        lastRole = node.role
    }

    private func send(_ messages: [Message], _ actions: inout Actions<Message>) {
        for message in messages { actions.sends.append((Int(message.to.rawValue) - 1, message)) }
    }
}

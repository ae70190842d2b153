import RingElection

/// A ``RingElector`` at its place of a ring of `uids.count`.
struct RingMember<Elector: RingElector>: Member {
    /// A ring of two has two links between the same members: the way has to travel along.
    struct Message: Sendable {
        var body: Elector.Message
        var direction: Direction
    }

    static var usesTime: Bool { false }

    let place: Int
    let count: Int
    private(set) var elector: Elector
    /// The place of each UID.
    private let places: [UInt64: Int]

    init(place: Int, places: [UInt64: Int], elector: Elector) {
        self.place = place
        count = places.count
        self.places = places
        self.elector = elector
    }

    var reign: UInt64? { elector.isLeader ? 0 : nil }
    var leader: Int? { elector.leader.flatMap { places[$0] } }
    var attempts: Int { 1 }

    mutating func start(_ actions: inout Actions<Message>) { send(elector.start(), &actions) }

    mutating func receive(_ message: Message, from: Int, _ actions: inout Actions<Message>) {
        send(elector.receive(message.body, travelling: message.direction), &actions)
    }

    private func send(_ sendings: [Sending<Elector.Message>], _ actions: inout Actions<Message>) {
        for sending in sendings {
            let next = sending.direction == .clockwise ? place + 1 : place + count - 1
            actions.sends.append((next % count, Message(body: sending.message, direction: sending.direction)))
        }
    }
}

/// A ``RepairedRing`` at its place.
struct RepairedMember: Member {
    typealias Message = RepairedRing.Message

    static var usesTime: Bool { true }

    private var ring: RepairedRing

    init(place: Int, uids: [UInt64]) { ring = RepairedRing(place: place, uids: uids) }

    var reign: UInt64? { ring.isLeader ? 0 : nil }
    var leader: Int? { ring.leader.flatMap { ring.uids.firstIndex(of: $0) } }
    var attempts: Int { ring.elections }

    mutating func start(_ actions: inout Actions<Message>) {
        ring.start()
        flush(&actions)
    }

    mutating func receive(_ message: Message, from: Int, _ actions: inout Actions<Message>) {
        ring.receive(message)
        flush(&actions)
    }

    mutating func tick(_ actions: inout Actions<Message>) {
        ring.tick()
        flush(&actions)
    }

    private mutating func flush(_ actions: inout Actions<Message>) {
        for message in ring.takeMessages() { actions.sends.append((message.to, message)) }
    }
}

/// What a member of an electing group wants done after an event.
struct Actions<Message: Sendable> {
    var sends: [(to: Int, message: Message)] = []
    /// Numbers of writes that have to be reported as durable.
    var writes: [UInt64] = []
}

/// A member of an electing group, on any algorithm; places count from 0, clockwise.
protocol Member: Sendable {
    associatedtype Message: Sendable

    /// Whether it has to be told that time passes.
    static var usesTime: Bool { get }

    /// Whether it holds itself for the leader, and of what: Raft's term, 0 where an algorithm has no terms.
    var reign: UInt64? { get }
    /// The place of the member that it holds for the leader.
    var leader: Int? { get }
    /// How often it stood for election.
    var attempts: Int { get }

    mutating func start(_ actions: inout Actions<Message>)
    mutating func receive(_ message: Message, from: Int, _ actions: inout Actions<Message>)
    mutating func tick(_ actions: inout Actions<Message>)
    mutating func written(_ number: UInt64, _ actions: inout Actions<Message>)
}

extension Member {
    mutating func tick(_ actions: inout Actions<Message>) {}
    mutating func written(_ number: UInt64, _ actions: inout Actions<Message>) {}
}

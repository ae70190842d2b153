/// A way round a ring. Every member knows its neighbour on either side; most algorithms here only ever send clockwise.
public enum Direction: Sendable {
    case clockwise
    case counterclockwise

    public var opposite: Direction { self == .clockwise ? .counterclockwise : .clockwise }
}

/// A message for a neighbour: the next member in `direction`.
public struct Sending<Message: Equatable & Sendable>: Equatable, Sendable {
    public var message: Message
    public var direction: Direction

    public init(_ message: Message, _ direction: Direction = .clockwise) {
        self.message = message
        self.direction = direction
    }
}

/// One member of a ring that elects a leader, as a value without clock, network or chance.
///
/// **Teaching code.** These are the algorithms as textbooks tell them, for rings that lose nothing and whose members do not die;
/// `docs/studies/elections.md` measures what happens when they do. The cluster itself elects with Raft.
///
/// The driver calls ``start()`` on any members it likes (usually all), carries every ``Sending`` to the neighbour it is meant
/// for, and hands it to ``receive(_:travelling:)`` there. Members have different UIDs; who has the greatest one wins. A link may
/// delay messages but not reorder them, unless an algorithm says that it does not mind.
public protocol RingElector: Sendable {
    associatedtype Message: Equatable & Sendable

    /// This member's number, different from all others' in the ring.
    var uid: UInt64 { get }
    /// The UID of the leader, once this member knows it.
    var leader: UInt64? { get }

    /// Begins an election. Calling it again changes nothing.
    mutating func start() -> [Sending<Message>]

    /// A neighbour's message has arrived; `travelling` is the way it goes, so that passing it on keeps its direction.
    mutating func receive(_ message: Message, travelling: Direction) -> [Sending<Message>]
}

extension RingElector {
    /// Whether this member holds itself for the leader.
    public var isLeader: Bool { leader == uid }
}

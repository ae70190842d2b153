/// The election of Hirschberg and Sinclair ("Decentralized extrema-finding in circular configurations of processors", 1980;
/// Lynch, "Distributed Algorithms", chapter 3.4), with an announcement that stops it.
///
/// A member asks in phases: in phase `k` it sends its UID `2^k` hops both ways. Whoever has a greater UID swallows it; at the end
/// of its way it is echoed. Who gets both echoes back begins the next phase; who gets its own UID instead has asked all and leads.
/// At most every `2^(k-1) + 1`-th member reaches phase `k`, which makes at most `8n(1 + ceil(log2 n))` messages whatever the
/// order, and `n` more for the announcement.
public struct HirschbergSinclair: RingElector {
    public enum Message: Equatable, Sendable {
        /// "Can anyone within so many hops beat this UID?" `hopsLeft` counts the one under way.
        case probe(UInt64, hopsLeft: UInt64)
        /// "Nobody this way could", on the way back.
        case echo(UInt64)
        case stop(leader: UInt64)
    }

    public let uid: UInt64
    public private(set) var leader: UInt64?
    /// The current phase; nil before the start.
    public private(set) var phase: Int?
    private var hasEcho = (clockwise: false, counterclockwise: false)

    public init(uid: UInt64) { self.uid = uid }

    public mutating func start() -> [Sending<Message>] {
        guard phase == nil else { return [] }
        return begin(phase: 0)
    }

    private mutating func begin(phase: Int) -> [Sending<Message>] {
        precondition(phase < 63, "no ring is that large")
        self.phase = phase
        hasEcho = (false, false)
        let probe = Message.probe(uid, hopsLeft: 1 << UInt64(phase))
        return [Sending(probe, .clockwise), Sending(probe, .counterclockwise)]
    }

    public mutating func receive(_ message: Message, travelling direction: Direction) -> [Sending<Message>] {
        switch message {
        case .probe(let other, let hopsLeft):
            // The other one of the winner's two last probes, or a repeated one.
            guard leader == nil else { return [] }
            if other == uid {
                leader = uid
                return [Sending(.stop(leader: uid))]
            }
            // It cannot win; whoever has not been woken yet stands itself.
            guard other > uid else { return start() }
            if hopsLeft > 1 { return [Sending(.probe(other, hopsLeft: hopsLeft - 1), direction)] }
            return [Sending(.echo(other), direction.opposite)]
        case .echo(let other):
            guard leader == nil else { return [] }
            guard other == uid else { return [Sending(message, direction)] }
            // An echo travels against the way of its probe.
            if direction == .clockwise { hasEcho.counterclockwise = true } else { hasEcho.clockwise = true }
            guard hasEcho == (true, true), let phase else { return [] }
            return begin(phase: phase + 1)
        case .stop(let winner):
            guard leader == nil else { return [] }
            leader = winner
            return [Sending(message)]
        }
    }
}

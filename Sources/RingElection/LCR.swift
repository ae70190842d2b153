/// LCR, the ring election as in the textbook: Le Lann (1977) in the form of Chang and Roberts ("An improved algorithm for
/// decentralized extrema-finding in circular configurations of processes", 1979); Lynch, "Distributed Algorithms" (1996),
/// chapters 3.3 and 15.1; with the announcement that stops it.
///
/// Every member sends its UID clockwise. A UID that arrives is passed on if it is greater than the member's own, and swallowed
/// if it is smaller. A UID that comes back to its member has passed all others, so that it is the greatest: its member leads,
/// and says so once round the ring.
///
/// Messages in a ring of `n`, when all start: at best `2n - 1` (UIDs ascend clockwise: all but one are swallowed at once), at
/// worst `n(n+1)/2` (they descend), on average over all orders `n * H_n` with `H_n = 1 + 1/2 + … + 1/n`; and `n` more for the
/// announcement. Links may reorder: only one UID is ever passed by all.
public struct LCR: RingElector {
    public enum Message: Equatable, Sendable {
        /// "Can anyone beat this UID?"
        case token(UInt64)
        /// "This one leads": travels once round the ring.
        case stop(leader: UInt64)
    }

    public let uid: UInt64
    public private(set) var leader: UInt64?
    /// Whether this member has sent its own UID, or has seen a greater one and so need not.
    private var isTakingPart = false

    public init(uid: UInt64) { self.uid = uid }

    public mutating func start() -> [Sending<Message>] {
        guard !isTakingPart else { return [] }
        isTakingPart = true
        return [Sending(.token(uid))]
    }

    public mutating func receive(_ message: Message, travelling: Direction) -> [Sending<Message>] {
        switch message {
        case .token(let other):
            // A copy that a link repeated, when all is over.
            guard leader == nil else { return [] }
            if other > uid {
                isTakingPart = true
                return [Sending(message)]
            }
            // Whoever has not been woken yet stands itself (Chang and Roberts): the smaller UID could not win.
            if other < uid { return start() }
            leader = uid
            return [Sending(.stop(leader: uid))]
        case .stop(let winner):
            // It has come home, or a link repeated it.
            guard leader == nil else { return [] }
            leader = winner
            return [Sending(message)]
        }
    }
}

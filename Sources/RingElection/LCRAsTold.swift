/// LCR *literally as the requirement notes tell it*, for comparison with ``LCR``:
///
/// > if it is smaller it ignores and forwards its UID; if it is equal it forwards the UID; once a node sees back its UID it
/// > declares itself leader and sends a message to stop
///
/// The sentence does not say what happens to a greater UID, and leaves open whose UID "it" is. Each ``Reading`` is one way to
/// take it; all of them forward an equal UID although its journey is over. `docs/studies/elections.md` says what each costs.
public struct LCRAsTold: RingElector {
    public enum Reading: Sendable, CaseIterable {
        /// Word for word: of a *smaller* arriving UID nothing is kept, and the member sends its own once more; of a greater one
        /// nothing is said, so nothing is done. No UID ever gets further than one hop: a ring of two or more elects nobody.
        case toTheLetter
        /// The same, and a greater UID is forwarded, as it has to be. Every swallowed UID is then replaced by another one, so
        /// that `n` of them travel all the time until the ring is told to stop: `n^2` messages whatever the order.
        case greaterPasses
        /// "It" is the member's own UID: if *that* is smaller, the member gives it up and forwards the arriving one. This is the
        /// textbook's rule, but for the winner's UID, which is sent on its way a second time.
        case ownIsSmaller
    }

    public typealias Message = LCR.Message

    public let uid: UInt64
    public let reading: Reading
    public private(set) var leader: UInt64?
    /// How often this member has declared itself leader: once for every time it saw its UID come back, before its announcement
    /// had gone round and stopped it too.
    public private(set) var declarations = 0
    private var hasStarted = false
    /// Whether the message to stop has been here. A member takes part in nothing after that.
    private var hasStopped = false

    public init(uid: UInt64, reading: Reading) {
        self.uid = uid
        self.reading = reading
    }

    public mutating func start() -> [Sending<Message>] {
        guard !hasStarted else { return [] }
        hasStarted = true
        return [Sending(.token(uid))]
    }

    public mutating func receive(_ message: Message, travelling: Direction) -> [Sending<Message>] {
        guard !hasStopped else { return [] }
        switch message {
        case .token(let other) where other == uid:
            leader = uid
            declarations += 1
            return [Sending(message), Sending(.stop(leader: uid))]
        case .token(let other):
            let isSmaller = other < uid
            hasStarted = true
            switch reading {
            case .toTheLetter: return isSmaller ? [Sending(.token(uid))] : []
            case .greaterPasses: return [isSmaller ? Sending(.token(uid)) : Sending(message)]
            case .ownIsSmaller: return isSmaller ? [] : [Sending(message)]
            }
        case .stop(let winner):
            hasStopped = true
            // Its own has come home; another's goes on.
            guard winner != uid else { return [] }
            leader = winner
            return [Sending(message)]
        }
    }
}

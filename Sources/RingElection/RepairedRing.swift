/// LCR on a ring that repairs itself: the textbook's election with acknowledged hops, suspicion of whoever does not acknowledge, and
/// elections that begin again when nobody leads.
///
/// **Teaching code**, of how far a ring can be mended, and of what cannot be mended: a member that does not answer and a member that
/// is cut off look the same. Each side of a partition suspects the other, closes its own ring and elects its own leader; nothing here
/// counts a majority. `docs/studies/elections.md` measures how often.
///
/// - Every hop is acknowledged. A message without a receipt is repeated, and after ``Settings/tries`` times the neighbour is
///   suspected and skipped (as in Chord's successor lists: everyone knows the whole ring).
/// - A UID whose own member is being skipped is taken out of the ring by whoever skips it; it would go round for ever.
/// - The leader announces itself again and again. Who hears no announcement for long stands for election again.
/// - Of two leaders that hear of each other the one with the smaller UID gives way.
/// - Suspected members are asked now and then whether they are back.
///
/// Time is counted in ticks of a length that the driver chooses.
public struct RepairedRing: Sendable {
    public struct Settings: Sendable {
        /// How long a hop may be without a receipt, in ticks, before it is repeated.
        public var receiptTicks: UInt64 = 3
        /// How often a message is sent before its receiver is suspected.
        public var tries = 4
        /// The time between a leader's announcements, in ticks.
        public var announcementTicks: UInt64 = 5
        /// How long without an announcement, in ticks, before a member stands for election (again).
        public var patienceTicks: UInt64 = 25
        /// The time between questions to a suspected member, in ticks.
        public var questionTicks: UInt64 = 25

        public init() {}
    }

    public enum Body: Equatable, Sendable {
        case token(UInt64)
        case stop(leader: UInt64)
    }

    public struct Message: Equatable, Sendable {
        public enum Content: Equatable, Sendable {
            case carry(number: UInt64, Body)
            case receipt(number: UInt64)
            /// "Are you back?"
            case question
            case here
        }

        /// Places in the ring, counted clockwise from 0.
        public var from: Int
        public var to: Int
        public var content: Content

        public init(from: Int, to: Int, content: Content) {
            self.from = from
            self.to = to
            self.content = content
        }
    }

    /// A body under way to a successor.
    private struct Flight {
        var number: UInt64
        var to: Int
        var tries: Int
        var deadline: UInt64
    }

    /// The most bodies that wait for their turn; of more, the oldest is dropped. Elections and announcements are repeated anyway.
    public static let mostQueued = 64

    public let place: Int
    /// The UIDs of all members, clockwise.
    public let uids: [UInt64]
    public let settings: Settings
    public private(set) var leader: UInt64?
    /// Members that this one skips, by place.
    public private(set) var suspects: [Bool]
    /// How many elections this member has begun.
    public private(set) var elections = 0

    private var now: UInt64 = 0
    private var deadline: UInt64
    private var nextAnnouncement: UInt64 = 0
    private var nextQuestion: UInt64
    private var queue: [Body] = []
    private var flight: Flight?
    private var lastNumber: UInt64 = 0
    /// The last number taken from each member: one under way at a time, so that a repeated one is not newer.
    private var taken: [UInt64]
    private var outbox: [Message] = []

    public init(place: Int, uids: [UInt64], settings: Settings = Settings()) {
        precondition(uids.indices.contains(place), "place \(place) is not in the ring")
        precondition(Set(uids).count == uids.count, "no two members may have the same UID")
        precondition(settings.tries > 0 && settings.receiptTicks > 0, "a message is sent at least once")
        self.place = place
        self.uids = uids
        self.settings = settings
        suspects = Array(repeating: false, count: uids.count)
        taken = Array(repeating: 0, count: uids.count)
        deadline = settings.patienceTicks
        nextQuestion = settings.questionTicks
    }

    public var uid: UInt64 { uids[place] }
    public var isLeader: Bool { leader == uid }

    /// Bodies that wait for their turn, the one under way included: at most ``mostQueued``.
    public var queuedCount: Int { queue.count }

    /// What has to be sent since the last call.
    public mutating func takeMessages() -> [Message] {
        defer { outbox = [] }
        return outbox
    }

    // MARK: Events

    /// Begins an election.
    public mutating func start() {
        elections += 1
        leader = nil
        deadline = now + settings.patienceTicks
        put(.token(uid))
    }

    /// One unit of time has passed.
    public mutating func tick() {
        now += 1
        if let flight, now >= flight.deadline { sendAgain(flight) }
        if isLeader {
            if now >= nextAnnouncement { announce() }
        } else if now >= deadline {
            start()
        }
        if now >= nextQuestion {
            nextQuestion = now + settings.questionTicks
            for other in suspects.indices where suspects[other] { send(.question, to: other) }
        }
    }

    public mutating func receive(_ message: Message) {
        suspects[message.from] = false
        switch message.content {
        case .carry(let number, let body):
            // Also for a repeated one: the first receipt may have been lost.
            send(.receipt(number: number), to: message.from)
            guard number > taken[message.from] else { return }
            taken[message.from] = number
            handle(body)
        case .receipt(let number):
            guard let flight, flight.number == number else { return }
            self.flight = nil
            queue.removeFirst()
            sendNext()
        case .question:
            send(.here, to: message.from)
        case .here:
            break
        }
    }

    // MARK: Electing

    private mutating func handle(_ body: Body) {
        switch body {
        case .token(let other):
            if other > uid {
                // A leader that sees a greater one gives way to it.
                if isLeader { resign() }
                pass(body, of: other)
            } else if other < uid {
                // Whoever began it hears of no leader. If there is one here, its announcement follows; if not, this one stands.
                if leader == nil, elections == 0 { start() }
            } else if !isLeader {
                leader = uid
                announce()
            }
        case .stop(let winner):
            if winner == uid { return }  // it has come home
            if isLeader, winner < uid { return }  // ours will reach it
            leader = winner
            deadline = now + settings.patienceTicks
            pass(body, of: winner)
        }
    }

    private mutating func resign() {
        leader = nil
        deadline = now + settings.patienceTicks
    }

    private mutating func announce() {
        nextAnnouncement = now + settings.announcementTicks
        put(.stop(leader: uid))
    }

    /// Passes on what began at another member, unless that is one of those that are skipped here.
    private mutating func pass(_ body: Body, of origin: UInt64) {
        var next = (place + 1) % uids.count
        while next != place, suspects[next] {
            if uids[next] == origin { return }
            next = (next + 1) % uids.count
        }
        put(body)
    }

    // MARK: Hops

    /// The next member that is not suspected; this one itself if all others are.
    private var successor: Int {
        var next = (place + 1) % uids.count
        while next != place, suspects[next] { next = (next + 1) % uids.count }
        return next
    }

    private mutating func put(_ body: Body) {
        // The same again says nothing new; what is under way stays.
        if queue.dropFirst(flight == nil ? 0 : 1).contains(body) { return }
        if queue.count >= RepairedRing.mostQueued { queue.remove(at: flight == nil ? 0 : 1) }
        queue.append(body)
        if flight == nil { sendNext() }
    }

    private mutating func sendNext() {
        guard flight == nil, let body = queue.first else { return }
        let target = successor
        if target == place {
            // Alone in the ring: what is sent comes back at once.
            queue.removeFirst()
            handle(body)
            sendNext()
            return
        }
        lastNumber += 1
        flight = Flight(number: lastNumber, to: target, tries: 1, deadline: now + settings.receiptTicks)
        send(.carry(number: lastNumber, body), to: target)
    }

    private mutating func sendAgain(_ last: Flight) {
        if last.tries >= settings.tries {
            suspects[last.to] = true
            flight = nil
            // Whatever came from the one that is skipped now ends here.
            if let body = queue.first, origin(of: body) == uids[last.to] { queue.removeFirst() }
            sendNext()
            return
        }
        flight = Flight(number: last.number, to: last.to, tries: last.tries + 1, deadline: now + settings.receiptTicks)
        send(.carry(number: last.number, queue[0]), to: last.to)
    }

    private func origin(of body: Body) -> UInt64 {
        switch body {
        case .token(let uid), .stop(let uid): uid
        }
    }

    private mutating func send(_ content: Message.Content, to other: Int) {
        outbox.append(Message(from: place, to: other, content: content))
    }
}

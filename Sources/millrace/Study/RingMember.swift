import NIOCore
import NIOPosix
import RingElection

/// One member of a ring of sockets: a task that feeds a value of RingElection with what arrives and sends what it says.
struct RingMember: Sendable {
    enum Event: Sendable {
        /// Open the connection to the next member, so that the election does not wait for it.
        case connect
        case start
        case frame(RingFrame)
        case tick
    }

    /// What a member can tell afterwards, of its own knowledge.
    struct Report: Sendable {
        var place: Int
        var sent = 0
        var received = 0
        /// Whether it has heard from the member before it.
        var heardPredecessor = false
        var leader: UInt64?
        /// Places that it skipped in the end.
        var suspects: [Int] = []
    }

    /// The most events that wait at a member; more than a ring of the largest size can have under way.
    static let mostEvents = 65_536
    /// Between two ticks of a ring that repairs itself.
    static let tick = Duration.milliseconds(10)

    /// How a member elects; nil inside for one that never answers.
    enum Elector: Sendable {
        case plain(LCR)
        case repaired(RepairedRing)
        case silent

        var leader: UInt64? {
            switch self {
            case .plain(let lcr): lcr.leader
            case .repaired(let ring): ring.leader
            case .silent: nil
            }
        }
    }

    let place: Int
    let ports: [Int]
    let group: MultiThreadedEventLoopGroup
    let inbox: AsyncStream<Event>
    /// Told when the connection to the next member is open, or has failed.
    let isConnected: @Sendable () -> Void
    /// Told whenever this member's idea of the leader changes.
    let tell: @Sendable (Int, UInt64?) -> Void

    /// Takes part until the inbox ends.
    func run(_ start: Elector) async -> Report {
        var elector = start
        var report = Report(place: place)
        var connections: [Int: any Channel] = [:]
        // A neighbour's message may overtake the start; all members are to start, or the count would depend on who is faster.
        var early: [Event]? = []
        for await event in inbox {
            switch event {
            case .connect:
                _ = await connection(to: (place + 1) % ports.count, &connections)
                isConnected()
            case .start:
                let waiting = early ?? []
                early = nil
                for event in [event] + waiting { await carryOut(event, &elector, &report, &connections) }
            case .frame, .tick:
                if early != nil {
                    early!.append(event)
                } else {
                    await carryOut(event, &elector, &report, &connections)
                }
            }
        }
        for channel in connections.values { try? await channel.close() }
        if case .repaired(let ring) = elector { report.suspects = ring.suspects.indices.filter { ring.suspects[$0] } }
        return report
    }

    private func carryOut(
        _ event: Event, _ elector: inout Elector, _ report: inout Report, _ connections: inout [Int: any Channel]
    ) async {
        if case .frame(let frame) = event {
            report.received += 1
            if frame.from == (place + ports.count - 1) % ports.count { report.heardPredecessor = true }
        }
        for (target, frame) in handle(event, &elector) {
            report.sent += 1
            guard let channel = await connection(to: target, &connections) else { continue }
            var buffer = channel.allocator.buffer(capacity: RingFrame.bytes)
            frame.encode(into: &buffer)
            channel.writeAndFlush(buffer, promise: nil)
        }
        if elector.leader != report.leader {
            report.leader = elector.leader
            tell(place, elector.leader)
        }
    }

    /// The connection to another member, made when it is first needed; nil if there is none to be had: what was to be sent is lost.
    private func connection(to target: Int, _ connections: inout [Int: any Channel]) async -> (any Channel)? {
        if let known = connections[target], known.isActive { return known }
        let bootstrap = ClientBootstrap(group: group).channelOption(.tcpOption(.tcp_nodelay), value: 1)
        let made = try? await bootstrap.connect(host: "127.0.0.1", port: ports[target]).get()
        connections[target] = made
        return made
    }

    private func handle(_ event: Event, _ elector: inout Elector) -> [(to: Int, frame: RingFrame)] {
        switch elector {
        case .silent: return []
        case .plain(var lcr):
            defer { elector = .plain(lcr) }
            let sendings: [Sending<LCR.Message>]
            switch event {
            case .start: sendings = lcr.start()
            case .frame(let frame) where frame.kind == .token:
                sendings = lcr.receive(.token(frame.uid), travelling: .clockwise)
            case .frame(let frame) where frame.kind == .stop:
                sendings = lcr.receive(.stop(leader: frame.uid), travelling: .clockwise)
            case .frame, .tick, .connect: sendings = []
            }
            return sendings.map { sending in
                let frame =
                    switch sending.message {
                    case .token(let uid): RingFrame(kind: .token, from: place, uid: uid)
                    case .stop(let uid): RingFrame(kind: .stop, from: place, uid: uid)
                    }
                return ((place + 1) % ports.count, frame)
            }
        case .repaired(var ring):
            switch event {
            case .start: ring.start()
            case .tick: ring.tick()
            case .connect: break
            case .frame(let frame):
                if let content = frame.content {
                    ring.receive(RepairedRing.Message(from: frame.from, to: place, content: content))
                }
            }
            let messages = ring.takeMessages()
            elector = .repaired(ring)
            return messages.map { ($0.to, RingFrame($0)) }
        }
    }
}

extension RingFrame {
    init(_ message: RepairedRing.Message) {
        self =
            switch message.content {
            case .carry(let number, .token(let uid)):
                RingFrame(kind: .carriedToken, from: message.from, number: number, uid: uid)
            case .carry(let number, .stop(let uid)):
                RingFrame(kind: .carriedStop, from: message.from, number: number, uid: uid)
            case .receipt(let number): RingFrame(kind: .receipt, from: message.from, number: number)
            case .question: RingFrame(kind: .question, from: message.from)
            case .here: RingFrame(kind: .here, from: message.from)
            }
    }

    /// What it says in a ring that repairs itself; nil for a plain ring's.
    var content: RepairedRing.Message.Content? {
        switch kind {
        case .token, .stop: nil
        case .carriedToken: .carry(number: number, .token(uid))
        case .carriedStop: .carry(number: number, .stop(leader: uid))
        case .receipt: .receipt(number: number)
        case .question: .question
        case .here: .here
        }
    }
}

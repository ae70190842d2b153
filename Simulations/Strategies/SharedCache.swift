package import LimiterCore

/// **A shared cache**: one server keeps the bucket, and every request asks it (a Redis with a script, say).
///
/// Exact while the server lives, at the price of a round trip for every request; when it is away, so is the limiter. With a replica
/// the server tells of every admission without waiting for an answer; a replica that hears nothing for ``suspicion`` takes over and
/// tells the machines. What was not replicated yet is then admitted again, and across a partition both serve.
package final class SharedCache: Coordinator {
    package enum Message: Sendable {
        case ask(Int)
        case answer(Int, isAllowed: Bool)
        /// The server to its replica: how much of the bucket is used, in nanoseconds of virtual time. Also the sign of life.
        case state(used: Int64, epoch: Int)
        /// "I am the server now."
        case serving(epoch: Int)

        /// A request's number, and the bucket's identity, limit and verdict as they apply.
        var bytes: Int {
            switch self {
            case .ask: 8 + 16 + 24
            case .answer: 8 + 1
            case .state: 16 + 8 + 4
            case .serving: 4
            }
        }
    }

    /// How long a request waits for its answer.
    static let patience: Int64 = 1_000_000_000
    /// Over links that lose messages, a question is asked again after so long.
    static let repeatAfter: Int64 = 50_000_000
    /// The server's signs of life.
    static let heartbeat: Int64 = 100_000_000
    /// How long a replica waits for one before it takes over.
    static let suspicion: Int64 = 500_000_000
    /// The most answers that a server remembers, for questions that are repeated.
    static let mostAnswers = 65_536

    private enum Role {
        case client(server: Int)
        case server
        case replica
    }

    private struct Pending {
        var request: Int
        var deadline: ClockTime
        var askedAt: ClockTime
    }

    private let clients: Int
    private let place: Int
    private let repeats: Bool
    /// The other one of server and replica.
    private let partner: Int?
    private var role: Role
    private var bucket: LocalBucket
    private var epoch = 0
    private var lastHeard: ClockTime?
    private var lastSaid: ClockTime?
    private var pending: [Pending] = []
    /// Answers by machine and request, and the order in which to forget them.
    private var answered: [Question: Bool] = [:]
    private var order: [Question] = []
    private var oldest = 0

    private struct Question: Hashable {
        var from: Int
        var request: Int
    }

    /// Machines from 0 to `clients` - 1 ask; `clients` is the server, and the next one, if `hasReplica`, its replica.
    init(_ limit: Limit, place: Int, clients: Int, hasReplica: Bool, repeats: Bool) {
        self.clients = clients
        self.place = place
        self.repeats = repeats
        bucket = LocalBucket(limit)
        role = place < clients ? .client(server: clients) : place == clients ? .server : .replica
        partner = !hasReplica || place < clients ? nil : place == clients ? clients + 1 : clients
    }

    package static func essential(of machines: [SharedCache]) -> Int { machines[0].clients }

    package func request(_ request: Int, now: ClockTime, _ orders: inout Orders<Message>) {
        guard case .client(let server) = role else { preconditionFailure("servers take no requests") }
        pending.append(Pending(request: request, deadline: now + SharedCache.patience, askedAt: now))
        send(.ask(request), to: server, &orders)
    }

    package func receive(_ message: Message, from: Int, now: ClockTime, _ orders: inout Orders<Message>) {
        switch (message, role) {
        case (.ask(let request), .server):
            let question = Question(from: from, request: request)
            let isAllowed: Bool
            if let known = answered[question] {
                isAllowed = known
            } else {
                isAllowed = bucket.spend(1, now: now)
                if isAllowed {
                    orders.spent.append(1)
                    tellReplica(now, &orders)
                }
                if repeats { remember(question, isAllowed) }
            }
            send(.answer(request, isAllowed: isAllowed), to: from, &orders)
        case (.answer(let request, let isAllowed), .client):
            // A repeated question may be answered twice, or after the wait.
            guard let at = pending.firstIndex(where: { $0.request == request }) else { return }
            pending.remove(at: at)
            orders.answers.append((request, isAllowed ? .allowed : .limited))
        case (.state(let used, let epoch), .replica) where epoch >= self.epoch:
            self.epoch = epoch
            lastHeard = now
            bucket.setUsed(used, now: now)
        case (.serving(let epoch), .client) where epoch > self.epoch:
            self.epoch = epoch
            role = .client(server: from)
            // What waits for the old one's answer is asked of the new one.
            for i in pending.indices {
                pending[i].askedAt = now
                send(.ask(pending[i].request), to: from, &orders)
            }
        case (.serving(let epoch), .server) where epoch > self.epoch,
            (.state(_, let epoch), .server) where epoch > self.epoch:
            self.epoch = epoch
            role = .replica
            lastHeard = now
        default:
            // A question to who does not serve, or word of an epoch that is over.
            break
        }
    }

    package func tick(now: ClockTime, _ orders: inout Orders<Message>) {
        switch role {
        case .client(let server):
            while let first = pending.first, now >= first.deadline {
                orders.answers.append((first.request, .unavailable))
                pending.removeFirst()
            }
            guard repeats else { return }
            for i in pending.indices where now - pending[i].askedAt >= SharedCache.repeatAfter {
                pending[i].askedAt = now
                send(.ask(pending[i].request), to: server, &orders)
            }
        case .server:
            if partner != nil, lastSaid.map({ now - $0 >= SharedCache.heartbeat }) ?? true { tellReplica(now, &orders) }
        case .replica:
            guard let heard = lastHeard else {
                lastHeard = now
                return
            }
            guard now - heard > SharedCache.suspicion else { return }
            role = .server
            epoch += 1
            for client in 0..<clients { send(.serving(epoch: epoch), to: client, &orders) }
            if let partner { send(.serving(epoch: epoch), to: partner, &orders) }
        }
    }

    private func tellReplica(_ now: ClockTime, _ orders: inout Orders<Message>) {
        guard let partner else { return }
        lastSaid = now
        send(.state(used: bucket.used(now: now), epoch: epoch), to: partner, &orders)
    }

    private func remember(_ question: Question, _ isAllowed: Bool) {
        answered[question] = isAllowed
        order.append(question)
        guard order.count - oldest > SharedCache.mostAnswers else { return }
        answered[order[oldest]] = nil
        oldest += 1
    }

    private func send(_ message: Message, to other: Int, _ orders: inout Orders<Message>) {
        orders.sends.append((other, message, message.bytes))
    }
}

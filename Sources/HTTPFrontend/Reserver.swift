import HTTPTypes
import HummingbirdCore
import LimiterCore
import NIOCore
import Synchronization

/// Answers `POST /v1/reserve` and what settles a reservation: tokens are held at this node until it is told how many were used.
final class Reserver: Sendable {
    private struct Open {
        var held: HeldTokens
        var drift: DriftBound
        var deadline: ClockTime
    }

    private struct State {
        var open: [UInt64: Open] = [:]
        /// In the order of their making, to find those that have expired; some may have been settled since.
        var order: [UInt64] = []
        var generator = SystemRandomNumberGenerator()
    }

    private let acquirer: Acquirer
    private let state = Mutex(State())

    /// The most reservations that are open at a time.
    static let mostOpen = 65_536
    /// The longest time limit, in milliseconds: an hour.
    static let longestTTL: Int64 = 3_600_000
    /// The time limit where the request does not say, in milliseconds.
    static let usualTTL: Int64 = 60_000

    init(acquirer: Acquirer) { self.acquirer = acquirer }

    /// How many are open.
    var count: Int { state.withLock { $0.open.count } }

    // MARK: Making one

    /// Holds what the body asks for; throws `Problem`.
    func reserve(_ body: ByteBuffer) async throws -> Response {
        let (wish, ttl) = try wish(body)
        let path = acquirer.path
        let now = path.clock()
        expire(now: now)
        let decision: Decision
        let held: HeldTokens?
        if let (tokens, known) = path.hold(wish.bucket, cost: wish.cost, drift: wish.drift, now: now) {
            (decision, held) = (known, tokens)
        } else {
            (decision, held) = await acquirer.pending.gather(
                wish.bucket, key: wish.key, cost: wish.cost, by: acquirer.handler)
        }
        if decision.outcome == .unavailable { throw Acquirer.problem(decision.cause) }
        guard decision.isAllowed, let held else { return wish.answer.response(decision) }
        let open = Open(held: held, drift: wish.drift, deadline: path.clock() + ttl * 1_000_000)
        let id: UInt64? = state.withLock { state in
            guard state.open.count < Reserver.mostOpen else { return nil }
            var id = state.generator.next()
            while state.open[id] != nil { id = state.generator.next() }
            state.open[id] = open
            state.order.append(id)
            return id
        }
        guard let id else {
            path.settle(held, used: 0, drift: wish.drift, now: path.clock())
            throw Problem.unavailable(
                "\(Reserver.mostOpen) reservations are open at this node",
                remedy: "commit or cancel some, or send the request to another node")
        }
        return wish.answer.response(decision, reservation: String(id, radix: 16))
    }

    private func wish(_ body: ByteBuffer) throws(Problem) -> (Acquirer.Wish, ttl: Int64) {
        let bytes = body.readableBytesUInt8Span
        let request: AcquireBody
        do { request = try AcquireScanner.scan(bytes) } catch { throw Acquirer.problem(error) }
        guard request.permits.isEmpty, request.waitMs == nil else {
            throw .malformed(
                "a reservation has a rule, a key, a cost and a ttlMs", remedy: "leave 'permits' and 'waitMs' away")
        }
        guard request.cost > 0 else {
            throw .malformed("a reservation of 0 tokens holds nothing", remedy: "reserve at least 1")
        }
        let ttl = request.ttlMs ?? Reserver.usualTTL
        guard (1...Reserver.longestTTL).contains(ttl) else {
            throw .malformed("a ttlMs of \(ttl)", remedy: "use 1 to \(Reserver.longestTTL) milliseconds")
        }
        return (try acquirer.wish(request, priority: request.priority, in: bytes), ttl)
    }

    // MARK: Settling

    /// `{"actual":n}`: so many were used, the others go back among this node's allowances.
    func commit(_ id: String, _ body: ByteBuffer) throws(Problem) -> Response {
        let actual: Int64
        do { actual = try AcquireScanner.scanActual(body.readableBytesUInt8Span) } catch {
            throw Acquirer.problem(error)
        }
        return try settle(id, actual: actual)
    }

    func cancel(_ id: String) throws(Problem) -> Response { try settle(id, actual: 0) }

    private func settle(_ id: String, actual: Int64) throws(Problem) -> Response {
        let path = acquirer.path
        expire(now: path.clock())
        let number = UInt64(id, radix: 16)
        guard let number, let open = state.withLock({ $0.open.removeValue(forKey: number) }),
            open.deadline >= path.clock()
        else {
            throw Problem(
                status: .notFound, name: "no-open-reservation", title: "There is no such open reservation",
                detail: "'\(String(id.prefix(40)))' has been settled, has expired, or was made at another node",
                remedy:
                    "settle a reservation once, in time, and at the node that made it; an expired one counts as used")
        }
        let cost = open.held.cost
        path.settle(open.held, used: min(actual, cost), drift: open.drift, now: path.clock())
        guard actual <= cost else {
            throw Problem(
                status: .unprocessableContent, name: "actual-above-reserved", title: "More was used than was reserved",
                detail: "\(actual) tokens were used of \(cost) reserved; all \(cost) count as used",
                remedy: "reserve the most that the work can cost: what is not used goes back")
        }
        var json = JSONText()
        json.object { json in
            json.field("committed", actual)
            json.field("returned", open.held.piece == nil ? 0 : cost - actual)
        }
        var fields = HTTPFields()
        fields.append(HTTPField(name: .contentType, value: "application/json"))
        return Response(status: .ok, headers: fields, body: ResponseBody(byteBuffer: json.buffer))
    }

    /// What was not settled in time counts as used. Those made first are looked at first: a short one behind a long one waits for it,
    /// unless somebody asks for it.
    private func expire(now: ClockTime) {
        let late: [Open] = state.withLock { state in
            var late: [Open] = []
            var looked = 0
            while looked < state.order.count {
                guard let open = state.open[state.order[looked]] else {
                    looked += 1
                    continue
                }
                guard open.deadline < now else { break }
                late.append(open)
                state.open[state.order[looked]] = nil
                looked += 1
            }
            if looked > 0 { state.order.removeFirst(looked) }
            return late
        }
        for open in late { acquirer.path.settle(open.held, used: open.held.cost, drift: open.drift, now: now) }
    }
}

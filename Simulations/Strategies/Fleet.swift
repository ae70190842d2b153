package import LimiterCore
import Simulator

/// How messages travel.
package enum LinkKind: String, CaseIterable, Sendable {
    /// In order and all of them, late where one had to be sent again.
    case tcp = "TCP"
    /// Lost ones are lost, and some are overtaken.
    case udp = "UDP"

    /// What each message costs besides its own bytes: Ethernet 14, IPv4 20, and TCP with timestamps 32 or UDP 8. Every message is
    /// counted as a packet of its own, and acknowledgements are not counted.
    var headerBytes: Int { self == .tcp ? 66 : 42 }
}

/// Something that goes wrong in a fleet.
package enum FleetFault: Sendable {
    /// The machine whose loss hurts most dies and does not come back.
    case lossOfEssential
    /// The first half of the machines that take requests, and what they cannot do without, are cut off from the others.
    case partition
    case heal
    /// The clock of the machine whose loss hurts most runs so many parts in 10^9 faster.
    case clockRate(Int64)
}

/// A fleet's traffic, network and faults, the same for every strategy.
package struct FleetConditions: Sendable {
    /// One request after the other at each machine, in random intervals around a mean, beginning at ``loadStart``.
    package var perSecond: [Double]
    /// Or these requests and no others: when, after ``loadStart``, and where.
    package var arrivals: [(at: Int64, machine: Int)] = []
    package var limit: Limit
    package var links = LinkKind.tcp
    package var lossPermille = 0
    /// How long a message takes, one way.
    package var delay: ClosedRange<Int64> = 100_000...400_000
    package var syncTime: ClosedRange<Int64> = 200_000...1_000_000
    /// How far each clock's rate is off at the most, in parts in 10^9.
    package var mostDrift: Int64 = 250_000
    package var faults: [(at: Int64, FleetFault)] = []
    /// Before that there are no requests: clusters form.
    package var loadStart: Int64 = 3_000_000_000
    package var loadTime: Int64 = 5_000_000_000
    /// How long after ``loadStart`` the comparison with one ideal bucket begins.
    package var settlingTime: Int64 = 1_000_000_000

    package init(perSecond: [Double], limit: Limit) {
        self.perSecond = perSecond
        self.limit = limit
    }

    /// How long a lost packet takes to be sent again by TCP if nothing else is sent: Linux's least, doubled each time (RFC 6298).
    /// A later packet that arrives shortens that to a round trip (RFC 8985).
    static let retransmission: Int64 = 200_000_000
    /// Of a hundred UDP packets so many take up to ten times as long, and are overtaken.
    static let latePermille = 20
}

/// What one run of a fleet came to.
package struct FleetOutcome: Sendable {
    /// In the time of load, all machines together.
    package var messages = 0
    package var bytes = 0
    package var offered = 0
    /// Tokens granted since the settling time.
    package var granted: Int64 = 0
    /// What one ideal bucket would have granted of the same requests in that time.
    package var ideal: Int64 = 0
    package var unavailable = 0
    /// Tokens beyond burst + rate * time in the worst window; below 0 where there was room.
    package var excess = 0.0
    /// From request to answer, in nanoseconds.
    package var latencies: [Int64] = []

    package var utilisation: Double { ideal == 0 ? 1 : Double(granted) / Double(ideal) }
}

/// Machines with one strategy, in virtual time: one bucket, one seed, every run the same.
package struct Fleet<C: Coordinator> {
    private enum Event {
        case tick(Int)
        case arrival(Int, isChain: Bool)
        case message(C.Message, from: Int, to: Int)
        /// What is first on a TCP link may have come.
        case delivery(link: Int)
        case written(UInt64, Int)
        case fault(FleetFault)
    }

    private let conditions: FleetConditions
    private var machines: [C]
    private var clocks: [SimulatedClock]
    private var isAlive: [Bool]
    private var side: [Int]
    private var heap = EventHeap<Event>()
    private var draws: Draws
    private var time: Int64 = 0
    private var ledger: Ledger
    private var outcome = FleetOutcome()
    /// When each request was made.
    private var requests: [Int64] = []
    private var isAnswered: [Bool] = []
    private var lastWrite: [Int64]
    /// The last arrival on each TCP link.
    private var lastDelivery: [Int64]
    /// What is on its way behind a lost packet, by link and in order, and when it is there.
    private var delayed: [[(message: C.Message, readyAt: Int64)]]
    /// What waits for a cut TCP link.
    private var held: [(message: C.Message, from: Int, to: Int)] = []
    private static var tick: Int64 { 10_000_000 }

    /// `make` gets each machine's place and its clock's first reading; those beyond `conditions.perSecond` are servers.
    package init(
        machines count: Int, conditions: FleetConditions, seed: UInt64, make: (Int, ClockTime) throws -> C
    ) rethrows {
        self.conditions = conditions
        draws = Draws(seed: seed)
        ledger = Ledger(limit: conditions.limit)
        clocks = []
        machines = []
        for i in 0..<count {
            let clock = SimulatedClock(
                start: draws.within(0...1_000_000_000_000_000, .clock, i),
                drift: draws.within(-conditions.mostDrift...conditions.mostDrift, .clock, i))
            clocks.append(clock)
            machines.append(try make(i, clock.reading(at: 0)))
        }
        isAlive = Array(repeating: true, count: count)
        side = Array(repeating: 0, count: count)
        lastWrite = Array(repeating: 0, count: count)
        lastDelivery = Array(repeating: 0, count: count * count)
        delayed = Array(repeating: [], count: count * count)
    }

    private var end: Int64 { conditions.loadStart + conditions.loadTime }

    package mutating func run() -> FleetOutcome {
        for i in machines.indices { heap.push(.tick(i), at: draws.within(0...Fleet.tick, .tick, i)) }
        for (i, rate) in conditions.perSecond.enumerated() where rate > 0 {
            heap.push(.arrival(i, isChain: true), at: conditions.loadStart + interval(i, rate))
        }
        for (at, machine) in conditions.arrivals {
            heap.push(.arrival(machine, isChain: false), at: conditions.loadStart + at)
        }
        for (at, fault) in conditions.faults { heap.push(.fault(fault), at: conditions.loadStart + at) }
        // Two seconds more than the load, so that whatever waits is answered.
        while let next = heap.firstTime, next <= end + 2_000_000_000 {
            time = next
            handle(heap.pop())
        }
        (outcome.granted, outcome.ideal) = ledger.comparison(
            from: conditions.loadStart + conditions.settlingTime, to: end)
        outcome.unavailable = ledger.unavailable
        // The allowance of the promise for the clocks' rates, for all strategies alike.
        outcome.excess =
            Double(ledger.worstExcess(rho: 500_000)) / Double(conditions.limit.emissionInterval)
            * Double(conditions.limit.unit)
        return outcome
    }

    private mutating func interval(_ i: Int, _ rate: Double) -> Int64 {
        draws.within(0...Int64(2e9 / rate), .load, i)
    }

    private mutating func handle(_ event: Event) {
        switch event {
        case .tick(let i):
            guard isAlive[i] else { return }
            heap.push(.tick(i), at: time + Fleet.tick)
            act(i) { machine, now, orders in machine.tick(now: now, &orders) }
        case .arrival(let i, let isChain):
            // The load balancer has noticed.
            guard time < end, isAlive[i] else { return }
            if isChain { heap.push(event, at: time + interval(i, conditions.perSecond[i])) }
            let number = requests.count
            requests.append(time)
            isAnswered.append(false)
            ledger.offer(cost: 1, at: time)
            outcome.offered += 1
            act(i) { machine, now, orders in machine.request(number, now: now, &orders) }
        case .message(let message, let from, let to):
            deliver(message, from: from, to: to)
        case .delivery(let link):
            while let first = delayed[link].first, first.readyAt <= time {
                delayed[link].removeFirst()
                deliver(first.message, from: link / machines.count, to: link % machines.count)
            }
        case .written(let number, let i):
            guard isAlive[i] else { return }
            act(i) { machine, now, orders in machine.written(number, now: now, &orders) }
        case .fault(let fault):
            strike(fault)
        }
    }

    private mutating func strike(_ fault: FleetFault) {
        switch fault {
        case .lossOfEssential:
            isAlive[C.essential(of: machines)] = false
        case .partition:
            let essential = C.essential(of: machines)
            let clients = conditions.perSecond.count
            // A replica stands on the other side: that is what it is for.
            for i in machines.indices {
                side[i] = i < clients ? (i * 2 < clients ? 0 : 1) : (i == essential ? 0 : 1)
            }
        case .heal:
            side = Array(repeating: 0, count: side.count)
            let waiting = held
            held = []
            for (message, from, to) in waiting { transmit(message, from: from, to: to) }
        case .clockRate(let drift):
            clocks[C.essential(of: machines)].setDrift(drift, at: time)
        }
    }

    private mutating func act(_ i: Int, _ body: (C, ClockTime, inout Orders<C.Message>) -> Void) {
        var orders = Orders<C.Message>()
        body(machines[i], clocks[i].reading(at: time), &orders)
        for tokens in orders.spent { ledger.spentByOwner(conditions.limit.time(of: tokens)!, at: time) }
        for number in orders.writes {
            let done = max(time, lastWrite[i]) + draws.within(conditions.syncTime, .sync, i)
            lastWrite[i] = done
            heap.push(.written(number, i), at: done)
        }
        for (request, answer) in orders.answers { settle(request, answer, at: i) }
        for (to, message, bytes) in orders.sends {
            if time >= conditions.loadStart, time < end {
                outcome.messages += 1
                outcome.bytes += bytes + conditions.links.headerBytes
            }
            transmit(message, from: i, to: to)
        }
    }

    private mutating func settle(_ request: Int, _ answer: Reply, at i: Int) {
        precondition(!isAnswered[request], "request \(request) was answered twice")
        isAnswered[request] = true
        outcome.latencies.append(time - requests[request])
        let outcome: Decision.Outcome =
            switch answer {
            case .allowed: .allowed
            case .limited: .limited
            case .unavailable: .unavailable
            }
        ledger.settled(Decision(outcome: outcome, limit: conditions.limit.burst), cost: 1, node: i, at: time)
    }

    private mutating func deliver(_ message: C.Message, from: Int, to: Int) {
        guard isAlive[to] else { return }
        if side[from] != side[to] {
            // Under way when the link was cut: TCP sends it again.
            if conditions.links == .tcp { held.append((message, from, to)) }
            return
        }
        act(to) { machine, now, orders in machine.receive(message, from: from, now: now, &orders) }
    }

    private mutating func transmit(_ message: C.Message, from: Int, to: Int) {
        let link = from * machines.count + to
        var delay = draws.within(conditions.delay, .delay, link)
        switch conditions.links {
        case .udp:
            if draws.chance(permille: conditions.lossPermille, .loss, link) || side[from] != side[to] { return }
            if draws.chance(permille: FleetConditions.latePermille, .lateness, link) {
                delay *= draws.within(1...10, .lateness, link)
            }
            heap.push(.message(message, from: from, to: to), at: time + delay)
        case .tcp:
            if side[from] != side[to] {
                held.append((message, from, to))
            } else {
                transmitInOrder(message, from: from, to: to, link: link, delay: delay)
            }
        }
    }

    private mutating func transmitInOrder(_ message: C.Message, from: Int, to: Int, link: Int, delay: Int64) {
        let arrival = max(time + delay, lastDelivery[link])
        var readyAt = arrival
        var wait = FleetConditions.retransmission
        while draws.chance(permille: conditions.lossPermille, .loss, link) {
            readyAt += wait
            wait *= 2
        }
        if readyAt == arrival, delayed[link].isEmpty {
            lastDelivery[link] = arrival
            heap.push(.message(message, from: from, to: to), at: arrival)
            return
        }
        // Its arrival tells the sender what is missing before it; that is sent again at once, and may be lost again.
        if readyAt == arrival {
            let soon = arrival + 2 * delay
            for i in delayed[link].indices where delayed[link][i].readyAt > soon {
                if draws.chance(permille: conditions.lossPermille, .loss, link) { continue }
                delayed[link][i].readyAt = soon
                heap.push(.delivery(link: link), at: soon)
            }
        }
        // Whatever comes after a lost packet waits for it.
        delayed[link].append((message, readyAt))
        heap.push(.delivery(link: link), at: readyAt)
    }
}

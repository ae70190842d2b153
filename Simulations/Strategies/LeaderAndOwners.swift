import Coordination
package import LimiterCore
package import NodeRuntime
import PeerCodec
import Raft
import Simulator

/// **Leader and owners**: Millrace itself, the production values. The first machines (three, or five where there are five) are a cluster
/// of ``NodeRuntime``s; the others are holders that report to the bucket's owner, as embedded clients would.
///
/// A holder outside the cluster asks one of its nodes five times a second who owns what, and gets the map when that has changed.
package final class LeaderAndOwners: Coordinator {
    package enum Message: Sendable {
        case peer(PeerMessage)
        /// "Who owns what? I know this."
        case whoOwns(version: UInt64)
        /// The log's state as bytes, in which the map is; nil if that is known already.
        case owners([UInt8]?, directory: RuleDirectory?)

        var bytes: Int {
            switch self {
            // A frame's length and kind, and the message.
            case .peer(let message): 5 + PeerCodec.encode(message).count
            case .whoOwns: 2 + 8
            // A node, a process and an epoch for each range; a holder needs no more of the state.
            case .owners(let state, _): 2 + (state == nil ? 0 : RangeID.count * (4 + 8 + 8))
            }
        }
    }

    private enum Part {
        case node(Node)
        case holder(Outside)
    }

    /// A machine of the cluster.
    private final class Node {
        var runtime: NodeRuntime<TableStore>

        init(_ runtime: consuming NodeRuntime<TableStore>) { self.runtime = runtime }

        var version: UInt64 { RangeID.all.reduce(0) { $0 &+ runtime.epoch(of: $1) } }
    }

    /// A machine that only holds.
    private final class Outside {
        var holder: Holder
        var state = ReplicatedState()
        var version: UInt64 = 0
        var nextQuestion: ClockTime?

        init(_ holder: consuming Holder) { self.holder = holder }
    }

    private static let questionPeriod: Int64 = 200_000_000
    private static let key = Array("hot".utf8)

    private let place: Int
    private let members: Int
    private let limit: Limit
    private let drift: DriftBound
    private let store = TableStore(capacity: 64)
    private let part: Part
    private var directory: RuleDirectory?
    private var bucket: Bucket?

    init(_ limit: Limit, place: Int, machines: Int, seed: UInt64, now: ClockTime) {
        var draws = Draws(seed: seed)
        let genesis = Genesis(
            secretHigh: draws.next(.secrets), secretLow: draws.next(.secrets), cluster: draws.next(.secrets),
            parameters: ClusterParameters())
        self.place = place
        self.limit = limit
        members = machines < 5 ? min(3, machines) : 5
        drift = genesis.parameters.drift
        let own = draws.next(.process, place)
        let timing = NodeConfiguration.Timing()
        guard place < members else {
            part = .holder(
                Outside(
                    Holder(
                        nodes: machines, seed: own, patience: timing.patience,
                        isolationAfter: timing.isolation)))
            return
        }
        let configuration = NodeConfiguration(
            node: NodeID(UInt32(place + 1)), voters: (1...members).map { NodeID(UInt32($0)) },
            incarnation: UInt64(place + 1), seed: own, genesis: genesis, timing: timing)
        do {
            var runtime = try NodeRuntime(configuration, restored: PersistedState(), store: store, now: now)
            runtime.traceAdmissions()
            part = .node(Node(runtime))
        } catch {
            preconditionFailure("a node with an empty disk does not start: \(error)")
        }
    }

    package static func essential(of machines: [LeaderAndOwners]) -> Int {
        // The owner with the latest epoch.
        var found: (place: Int, epoch: UInt64) = (0, 0)
        for machine in machines {
            guard case .node(let node) = machine.part, let range = machine.bucket?.range,
                node.runtime.served & (1 << UInt64(range.rawValue)) != 0
            else { continue }
            let epoch = node.runtime.epoch(of: range)
            if epoch > found.epoch { found = (machine.place, epoch) }
        }
        return found.place
    }

    // MARK: Events

    package func request(_ request: Int, now: ClockTime, _ orders: inout Orders<Message>) {
        guard let bucket else {
            orders.answers.append((request, .unavailable))
            return
        }
        // As DecisionPath.decide does it.
        let span = bucket.limit.emissionInterval
        let verdict = store.withTable(for: bucket.id) {
            $0.decide(
                bucket.id, time: span, tokens: 1, tolerance: bucket.limit.tolerance, scaled: drift.longest(now.ns))
        }
        switch verdict {
        case .allowed:
            orders.spent.append(1)
            orders.answers.append((request, .allowed))
            return
        case .limited:
            orders.answers.append((request, .limited))
            return
        case .unknown:
            break
        }
        let pending = PendingRequest(bucket: bucket, key: LeaderAndOwners.key, cost: 1, token: UInt64(request))
        switch part {
        case .node(let node): node.runtime.submit([pending], sink: 0, now: now)
        case .holder(let outside): outside.holder.submit(pending, sink: 0, now: now)
        }
        finish(now: now, &orders)
    }

    package func receive(_ message: Message, from: Int, now: ClockTime, _ orders: inout Orders<Message>) {
        switch (message, part) {
        case (.peer(let message), .node(let node)):
            do throws(PeerViolation) {
                try node.runtime.receive(message, from: NodeID(UInt32(from + 1)), now: now)
            } catch {
                preconditionFailure("a correct machine was refused: \(error)")
            }
        case (.peer(.coordination(.answer(let answer))), .holder(let outside)):
            outside.holder.receive(answer, store: store, now: now)
        case (.peer(.coordination(.verdicts(let session, let batch))), .holder(let outside)):
            outside.holder.receive(verdicts: batch, session: session, store: store, now: now)
        case (.whoOwns(let known), .node(let node)):
            let isNews = node.version != known
            let answer = Message.owners(
                isNews ? node.runtime.stateBytes : nil, directory: isNews ? directory : nil)
            orders.sends.append((from, answer, answer.bytes))
        case (.owners(let state?, let news), .holder(let outside)):
            adopt(state, news, outside, now: now)
        case (.owners, _), (.whoOwns, .holder), (.peer, .holder):
            break
        }
        finish(now: now, &orders)
    }

    private func adopt(_ bytes: [UInt8], _ news: RuleDirectory?, _ outside: Outside, now: ClockTime) {
        do {
            let state = try ReplicatedState(snapshot: bytes)
            // From a node that lags behind the one asked before.
            guard state.applied >= outside.state.applied else { return }
            outside.state = state
        } catch {
            preconditionFailure("a node's state cannot be read: \(error)")
        }
        outside.version = RangeID.all.reduce(0) { $0 &+ outside.state.epoch(of: $1) }
        outside.holder.restored(state: outside.state, now: now)
        if let news { use(news) }
    }

    private func use(_ directory: RuleDirectory) {
        self.directory = directory
        bucket = directory.bucket(limit: limit, key: LeaderAndOwners.key.span.bytes)
    }

    package func tick(now: ClockTime, _ orders: inout Orders<Message>) {
        switch part {
        case .node(let node):
            node.runtime.tick(now: now)
        case .holder(let outside):
            outside.holder.tick(store: store, now: now)
            if outside.nextQuestion.map({ now >= $0 }) ?? true {
                // Each time another node, so that none that is away is asked for ever.
                let number = outside.nextQuestion == nil ? 0 : Int(now.ns / LeaderAndOwners.questionPeriod)
                outside.nextQuestion = now + LeaderAndOwners.questionPeriod
                let question = Message.whoOwns(version: outside.version)
                orders.sends.append(((place + number) % members, question, question.bytes))
            }
        }
        finish(now: now, &orders)
    }

    package func written(_ number: UInt64, now: ClockTime, _ orders: inout Orders<Message>) {
        guard case .node(let node) = part else { return }
        node.runtime.written(number, now: now)
        finish(now: now, &orders)
    }

    /// Carries out what an event led to.
    private func finish(now: ClockTime, _ orders: inout Orders<Message>) {
        switch part {
        case .node(let node):
            let outputs = node.runtime.finish(now: now)
            orders.writes += outputs.writes.map(\.number)
            for next in outputs.messages { send(next.message, to: next.to, &orders) }
            for admission in outputs.admissions {
                orders.spent.append(admission.time / limit.emissionInterval * limit.unit)
            }
            if let directory = outputs.directory { use(directory) }
            settle(outputs.settled, &orders)
        case .holder(let outside):
            for (target, report) in outside.holder.reportsDue(directory: directory, store: store, now: now) {
                send(.coordination(.report(report)), to: target, &orders)
            }
            settle(outside.holder.takeSettled(), &orders)
        }
    }

    private func settle(_ settled: [Holder.Settled], _ orders: inout Orders<Message>) {
        for one in settled {
            let answer: Reply =
                switch one.decision.outcome {
                case .allowed: .allowed
                case .limited: .limited
                case .unavailable: .unavailable
                }
            orders.answers.append((Int(one.token), answer))
        }
    }

    private func send(_ message: PeerMessage, to target: NodeID, _ orders: inout Orders<Message>) {
        let message = Message.peer(message)
        orders.sends.append((Int(target.rawValue) - 1, message, message.bytes))
    }
}

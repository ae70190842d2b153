package import ClientRuntime
import Coordination
package import LimiterCore
import NodeRuntime
import Raft

/// An embedded client in a ``SimulatedCluster``: the library's own ``ClientRuntime``, a clock, and a connection that keeps order and
/// breaks with its ends.
package final class SimulatedClient {
    /// What is lost when the process dies.
    package final class Process {
        package var runtime: ClientRuntime<TableStore>
        package let store: TableStore
        package var directory: RuleDirectory?
        fileprivate var connection: Connection?
        fileprivate var asked: [UInt64: (id: BucketID, cost: Int64, priority: Priority)] = [:]

        init(runtime: consuming ClientRuntime<TableStore>, store: TableStore) {
            self.runtime = runtime
            self.store = store
        }
    }

    fileprivate struct Connection {
        var id: ClientID
        var node: Int
        /// The process at the other end.
        var incarnation: UInt64
        /// Nothing overtakes what was sent before it.
        var lastArrivalUp: Int64
        var lastArrivalDown: Int64
    }

    package let index: Int
    package let weight: UInt32
    package fileprivate(set) var process: Process?
    fileprivate var clock: SimulatedClock
    /// Until then no event reaches the process, while its clock goes on.
    package fileprivate(set) var pausedUntil: Int64 = 0
    fileprivate var starts: UInt64 = 0
    package fileprivate(set) var messagesSent = 0
    package fileprivate(set) var decidedLocally = 0
    package fileprivate(set) var forwarded = 0

    init(index: Int, weight: UInt32, clock: SimulatedClock) {
        self.index = index
        self.weight = weight
        self.clock = clock
    }

    /// The node that it is connected to.
    package var node: Int? { process?.connection?.node }
    package var unsettled: Int { process?.asked.count ?? 0 }
}

extension SimulatedCluster {
    // MARK: Coming and going

    /// Starts a client with a clock of its own; it connects to any node that is up. Returns its number.
    @discardableResult
    package func addClient(weight: UInt32 = 1) -> Int {
        let i = clients.count
        let most = options.drifts ? options.mostDrift ?? options.parameters.rho / 2 : 0
        let entity = 1_000 + i
        clients.append(
            SimulatedClient(
                index: i, weight: weight,
                clock: SimulatedClock(
                    start: draws.within(0...1_000_000_000_000_000, .clock, entity),
                    drift: draws.within(-most...most, .clock, entity))))
        startClient(i)
        return i
    }

    /// Starts a new process of a client whose process is dead.
    package func startClient(_ i: Int) {
        precondition(clients[i].process == nil, "client \(i) is up")
        clients[i].starts += 1
        let store = TableStore(capacity: 256)
        var configuration = ClientConfiguration()
        configuration.weight = clients[i].weight
        let runtime = ClientRuntime(configuration, seed: draws.next(.process, 1_000 + i), store: store)
        let process = SimulatedClient.Process(runtime: runtime, store: store)
        clients[i].process = process
        clients[i].pausedUntil = 0
        connect(i, process)
        tickClient(i, process)
    }

    /// The process dies; what it held is lost.
    package func killClient(_ i: Int) {
        clients[i].process = nil
        trace.note("client-crash", at: time, [("client", .int(Int64(i)))])
    }

    /// No event reaches the process for so long, while its clock goes on.
    package func pauseClient(_ i: Int, for duration: Int64) {
        clients[i].pausedUntil = max(clients[i].pausedUntil, time + duration)
    }

    private func onClient(_ i: Int, _ process: SimulatedClient.Process, _ body: @escaping (SimulatedCluster) -> Void) {
        guard clients[i].process === process else { return }
        guard clients[i].pausedUntil <= time else {
            after(clients[i].pausedUntil - time) { $0.onClient(i, process, body) }
            return
        }
        body(self)
    }

    private func tickClient(_ i: Int, _ process: SimulatedClient.Process) {
        after(process.runtime.configuration.tick + draws.within(-500_000...500_000, .tick, 1_000 + i)) { cluster in
            cluster.onClient(i, process) { cluster in
                let now = cluster.clients[i].clock.reading(at: cluster.time)
                process.runtime.tick(now: now)
                cluster.finishClient(i, process)
                if process.runtime.isNodeSilent(now: now) { cluster.disconnect(i, process) }
                cluster.tickClient(i, process)
            }
        }
    }

    // MARK: Connections

    private func connect(_ i: Int, _ process: SimulatedClient.Process) {
        after(draws.within(1_000_000...30_000_000, .delay, 1_000 + i)) { cluster in
            cluster.onClient(i, process) { cluster in
                let node = cluster.draws.below(cluster.nodes.count, .load, 1_000 + i)
                guard let there = cluster.nodes[node].process else { return cluster.connect(i, process) }
                let id = ClientID(cluster.nextConnection)
                cluster.nextConnection += 1
                process.connection = SimulatedClient.Connection(
                    id: id, node: node, incarnation: there.incarnation, lastArrivalUp: cluster.time,
                    lastArrivalDown: cluster.time)
                process.runtime.connected()
                cluster.deliver(to: node, of: process, i) { runtime, _ in runtime.clientConnected(id) }
            }
        }
    }

    /// The client gives its connection up, or has noticed that it is gone.
    private func disconnect(_ i: Int, _ process: SimulatedClient.Process) {
        guard process.connection != nil else { return }
        process.connection = nil
        process.runtime.disconnected()
        connect(i, process)
    }

    /// Lets something reach the node that the client is connected to now, in order, if both ends are still there then.
    private func deliver(
        to node: Int, of process: SimulatedClient.Process, _ i: Int,
        _ body: @escaping (inout NodeRuntime<TableStore>, ClockTime) -> Void
    ) {
        guard let connection = process.connection else { return }
        let delay = draws.within(options.delay, .delay, 1_000 + i) + nodes[node].extraDelay
        let arrival = max(time + delay, connection.lastArrivalUp)
        process.connection!.lastArrivalUp = arrival
        after(arrival - time) { $0.arrive(at: node, connection.id, connection.incarnation, i, process, body) }
    }

    private func arrive(
        at node: Int, _ id: ClientID, _ incarnation: UInt64, _ i: Int, _ process: SimulatedClient.Process,
        _ body: @escaping (inout NodeRuntime<TableStore>, ClockTime) -> Void
    ) {
        guard let there = nodes[node].process, there.incarnation == incarnation else {
            // The node's process is gone, and its kernel says so.
            return onClient(i, process) { cluster in
                if process.connection?.id == id { cluster.disconnect(i, process) }
            }
        }
        guard nodes[node].pausedUntil <= time else {
            return after(nodes[node].pausedUntil - time) { $0.arrive(at: node, id, incarnation, i, process, body) }
        }
        act(node, body)
    }

    /// What a node has to say to clients.
    func carryOutForClients(of node: Int, _ there: SimulatedNode.Process) {
        for admission in there.outputs.clientAdmissions {
            trace.fold(UInt64(bitPattern: admission.time))
            guard
                let limit = noteKnown(
                    admission.id, { $0.spentByOwner(admission.time, at: time, number: nextAdmission()) })
            else { continue }
            let terms = admission.terms
            let bucket = Bucket(
                id: admission.id, range: RangeID(0), limit: limit.closing(terms.reserve), reserve: terms.reserve
            ).with(admission.priority)
            for invariant in ofAdmissions { invariant.holderAdmitted(bucket, admission.time, by: node, self) }
        }
        guard !clients.isEmpty else { return }
        var messages = there.outputs.clientMessages
        if !there.outputs.clientRules.isEmpty || there.outputs.sendsGoodbye {
            for client in clients {
                guard let connection = client.process?.connection, connection.node == node,
                    connection.incarnation == there.incarnation
                else { continue }
                messages += there.outputs.clientRules.map { (connection.id, .rules($0)) }
                if there.outputs.sendsGoodbye { messages.append((connection.id, .goodbye)) }
            }
        }
        for (id, message) in messages {
            for invariant in ofMessages { invariant.said(message, by: node, to: id, self) }
            guard let client = clients.first(where: { $0.process?.connection?.id == id }), let process = client.process
            else { continue }
            let delay = draws.within(options.delay, .delay, 1_000 + client.index) + nodes[node].extraDelay
            let arrival = max(time + delay + nodes[node].stall, process.connection!.lastArrivalDown)
            process.connection!.lastArrivalDown = arrival
            after(arrival - time) { cluster in
                cluster.onClient(client.index, process) { cluster in
                    guard process.connection?.id == id else { return }
                    do throws(ClientViolation) {
                        try process.runtime.receive(message, now: client.clock.reading(at: cluster.time))
                    } catch {
                        cluster.failures.append(
                            "client \(client.index) refused a message of node \(node + 1): \(error)")
                    }
                    cluster.finishClient(client.index, process)
                }
            }
        }
    }

    private func finishClient(_ i: Int, _ process: SimulatedClient.Process) {
        let now = clients[i].clock.reading(at: time)
        let outputs = process.runtime.finish(now: now)
        if let directory = outputs.directory { process.directory = directory }
        for settled in outputs.settled { settleClient(i, process, settled) }
        for message in outputs.messages {
            guard let connection = process.connection else { continue }
            clients[i].messagesSent += 1
            deliver(to: connection.node, of: process, i) { runtime, now in
                do throws(PeerViolation) { try runtime.receive(message, from: connection.id, now: now) } catch {
                    self.failures.append("node \(connection.node + 1) refused a message of client \(i): \(error)")
                }
            }
        }
        if outputs.isToldToGo { disconnect(i, process) }
    }

    // MARK: Requests

    /// A request of a client: decided from its allowances if possible, by its node if not. False if the client is down or has no rules.
    @discardableResult
    package func clientRequest(
        _ i: Int, rule: String, key: String, cost: Int64 = 1, wait: Int64 = 0, priority: Priority = .normal
    ) -> Bool {
        let (name, bytes) = (Array(rule.utf8), Array(key.utf8))
        guard let process = clients[i].process, clients[i].pausedUntil <= time,
            let bucket = process.directory?.bucket(rule: name.span.bytes, key: bytes.span.bytes)?.with(priority)
        else { return false }
        note(bucket) { $0.offer(cost: cost, wait: wait, at: time) }
        let now = clients[i].clock.reading(at: time)
        if let span = bucket.limit.time(of: cost) {
            let verdict = process.store.table.decide(
                bucket.id, time: span, tokens: cost, tolerance: bucket.limit.tolerance,
                scaled: options.parameters.drift.longest(now.ns))
            switch verdict {
            case .allowed:
                clients[i].decidedLocally += 1
                note(bucket) {
                    $0.spentLocally(
                        cost: cost, priority: priority, node: nodes.count + i, at: time, number: nextAdmission())
                }
                for invariant in ofAdmissions { invariant.holderAdmitted(bucket, span, by: nodes.count + i, self) }
                trace.note("admit", at: time, [("key", .text(key)), ("cost", .int(cost)), ("client", .int(Int64(i)))])
                return true
            case .limited where wait == 0:
                clients[i].decidedLocally += 1
                note(bucket) { $0.refusedLocally() }
                return true
            case .limited, .unknown: break
            }
        }
        clients[i].forwarded += 1
        nextConnection += 1
        let token = nextConnection
        process.asked[token] = (bucket.id, cost, priority)
        process.runtime.submit(
            [PendingRequest(bucket: bucket, key: bytes, cost: cost, longestWait: wait, token: token)], sink: 0, now: now
        )
        finishClient(i, process)
        return true
    }

    private func settleClient(_ i: Int, _ process: SimulatedClient.Process, _ settled: Holder.Settled) {
        guard let request = process.asked.removeValue(forKey: settled.token) else {
            failures.append("request \(settled.token) of client \(i) was settled twice")
            return
        }
        _ = noteKnown(request.id) {
            $0.settled(
                settled.decision, cost: request.cost, priority: request.priority, node: nodes.count + i, at: time)
        }
        if settled.decision.isAllowed {
            trace.note("admit", at: time, [("cost", .int(request.cost)), ("client", .int(Int64(i)))])
        }
    }

    /// Keeps asking at a client, in random intervals of the given mean, until `end`.
    package func clientLoad(
        _ i: Int, rule: String, key: String, perSecond: Double, cost: Int64 = 1, wait: Int64 = 0,
        priority: Priority = .normal, until end: Int64
    ) {
        after(draws.within(0...Int64(2e9 / perSecond), .load, 10_000 + i)) { cluster in
            guard cluster.time < end else { return }
            cluster.clientRequest(i, rule: rule, key: key, cost: cost, wait: wait, priority: priority)
            cluster.clientLoad(
                i, rule: rule, key: key, perSecond: perSecond, cost: cost, wait: wait, priority: priority, until: end)
        }
    }
}

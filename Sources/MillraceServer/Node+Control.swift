import Coordination
public import HTTPFrontend
public import LimiterCore
import NodeRuntime
import PeerTransport
import Raft
import WriteAheadLog

/// What the HTTP front door asks of the node, besides decisions.
extension Node: NodeControl {
    public var isReady: Readiness { driver.readiness.map { .notReady($0) } ?? .ready }

    public func clusterStatus() async -> ClusterStatus {
        guard let view = try? await driver.withRuntime({ runtime, _ in runtime.view }),
            let (_, connected) = try? await driver.transportStatistics()
        else { return stoppedStatus }
        return ClusterStatus(
            node: Int(options.node), leader: view.raft.leader.map { Int($0.rawValue) }, term: view.raft.term,
            members: options.members.map { member in
                let id = NodeID(member.id)
                return ClusterStatus.Member(
                    id: Int(member.id), address: "\(member.address)", role: role(of: id, in: view.raft),
                    reachable: member.id == options.node || connected.contains(id))
            },
            ranges: view.ranges.map {
                ClusterStatus.Range(id: $0.range.index, owner: $0.owner.map { Int($0.rawValue) }, epoch: $0.epoch)
            }, commitIndex: view.raft.commitIndex, clusterTimeMs: view.newestStamp.ns / 1_000_000,
            incarnation: incarnation,
            version: Node.version, health: driver.readiness ?? "ok")
    }

    private func role(of id: NodeID, in raft: Status) -> String {
        if id == raft.leader { return "leader" }
        guard id == raft.id else { return raft.leader == nil ? "unknown" : "follower" }
        switch raft.role {
        case .follower: return "follower"
        case .preCandidate, .candidate: return "candidate"
        case .leader: return "leader"
        }
    }

    /// What a node says that is on its way out.
    private var stoppedStatus: ClusterStatus {
        ClusterStatus(
            node: Int(options.node), leader: nil, term: 0, members: [], ranges: [], commitIndex: 0, clusterTimeMs: 0,
            incarnation: incarnation, version: Node.version, health: "stopping")
    }

    /// The node that owns the range of a key of `CL.THROTTLE` with this limit, as far as this one knows.
    package func owner(ofKey key: String, limit: Limit) async -> UInt32? {
        let bytes = Array(key.utf8)
        guard let range = path.directory?.bucket(limit: limit, key: bytes.span.bytes).range else { return nil }
        return try? await driver.withRuntime { runtime, _ in runtime.view.ranges[range.index].owner?.rawValue }
    }

    public func rules() async -> [VersionedRule] { path.directory?.rules ?? [] }

    public func apply(_ rules: [Rule]) async throws(ControlError) -> UInt64 {
        try await change(rules.map { .put($0) })
    }

    public func delete(rule name: String) async throws(ControlError) -> Bool {
        guard path.directory?.rules.contains(where: { $0.rule.name == name }) == true else { return false }
        do { _ = try await change([.delete(name)]) } catch {
            // Somebody else was faster.
            if error.code == .refused { return false }
            throw error
        }
        return true
    }

    private func change(_ changes: [RuleChange]) async throws(ControlError) -> UInt64 {
        let result: Completion.Result
        do { result = try await driver.change(changes) } catch {
            throw ControlError(.unavailable, "this node is stopping: ask another one")
        }
        switch result {
        case .applied(let index): return index
        case .refused(let why): throw ControlError(.refused, why)
        case .notProposed(let why): throw ControlError(.unavailable, why)
        case .unknown:
            throw ControlError(
                .timeout,
                "the change was not committed in time and may still come into force: look at the rules before trying again"
            )
        }
    }

    public func hotKeys(rule: String?, top: Int) async -> [HotKey] {
        let keys = try? await driver.withRuntime { runtime, now in runtime.hotKeys(top, rule: rule, now: now) }
        return (keys ?? []).map {
            HotKey(
                key: $0.key, rule: $0.rule, tokens: $0.tokens, limit: $0.limit, holders: $0.holders,
                admittedPerSecond: $0.admittedPerSecond, refusedPerSecond: $0.refusedPerSecond)
        }
    }

    public func metricsText() async -> String {
        guard let view = try? await driver.withRuntime({ runtime, _ in runtime.view }),
            let (transport, connected) = try? await driver.transportStatistics()
        else { return "" }
        var metrics = MetricsText()
        metrics.gauge("millrace_ready", "1 if this node is able to decide.", driver.readiness == nil ? 1 : 0)
        metrics.gauge("millrace_raft_term", "The current term.", view.raft.term)
        metrics.gauge(
            "millrace_raft_leader", "The leader's number; 0 if none is known.", view.raft.leader?.rawValue ?? 0)
        metrics.gauge("millrace_raft_commit_index", "The last entry known to be committed.", view.raft.commitIndex)
        metrics.gauge("millrace_raft_applied_index", "The last entry applied.", view.raft.appliedIndex)
        metrics.gauge("millrace_ranges_owned", "Key ranges that this node serves.", view.served.nonzeroBitCount)
        metrics.gauge("millrace_owner_buckets", "Live buckets of those ranges.", view.buckets)
        metrics.gauge("millrace_bounds", "Reservations in the replicated state.", view.bounds)
        metrics.gauge("millrace_rules", "Rules in force.", view.rules.count)
        metrics.gauge("millrace_requests_waiting", "Requests that wait for an owner's word.", view.waitingAtHolder)
        metrics.gauge(
            "millrace_requests_waiting_for_log", "Groups of requests that wait here for the log.", view.waitingAtOwner)
        let owner = view.ownerCounters
        metrics.counter("millrace_owner_reports_total", "Usage reports answered.", owner.reports)
        metrics.counter("millrace_owner_reports_repeated_total", "Reports that came again.", owner.repeatedReports)
        metrics.counter("millrace_owner_admitted_total", "Requests admitted by this owner.", owner.admitted)
        metrics.counter("millrace_owner_refused_total", "Requests refused by this owner.", owner.refused)
        metrics.counter("millrace_owner_allowances_total", "Allowances handed out.", owner.allowances)
        metrics.counter("millrace_owner_bounds_proposed_total", "Reservations proposed.", owner.boundsProposed)
        metrics.counter("millrace_owner_takeovers_total", "Ranges taken over.", owner.takeovers)
        metrics.counter("millrace_owner_forgotten_total", "Buckets forgotten by raising a floor.", owner.forgotten)
        let holder = view.holderCounters
        metrics.counter("millrace_misses_total", "Requests that the local table could not decide.", holder.requests)
        metrics.counter("millrace_misses_admitted_total", "Of these, admitted.", holder.admitted)
        metrics.counter("millrace_misses_refused_total", "Of these, over the limit.", holder.refused)
        metrics.counter("millrace_misses_unavailable_total", "Of these, without an answer.", holder.unavailable)
        metrics.counter("millrace_isolated_total", "Requests decided while cut off from the owner.", holder.isolated)
        metrics.counter("millrace_reports_total", "Usage reports made.", holder.reports)
        metrics.counter("millrace_reports_repeats_total", "Usage reports sent again.", holder.repeats)
        metrics.counter("millrace_allowances_total", "Allowances received.", holder.allowances)
        let lender = view.lenderCounters
        metrics.gauge(
            "millrace_clients", "Embedded clients that are connected.", transport.clients)
        metrics.counter("millrace_client_reports_total", "Reports of embedded clients answered.", lender.reports)
        metrics.counter(
            "millrace_client_admitted_total", "Clients' requests admitted from this node's allowances.", lender.admitted
        )
        metrics.counter(
            "millrace_client_refused_total", "Clients' requests refused by what this node knows.", lender.refused)
        metrics.counter(
            "millrace_client_forwarded_total", "Clients' requests that owners were asked.", lender.forwarded)
        metrics.counter("millrace_client_lent_total", "Pieces of allowances lent to clients.", lender.lent)
        metrics.counter(
            "millrace_client_messages_total", "Messages from and to clients.",
            transport.clientMessagesReceived + transport.clientMessagesSent)
        metrics.counter("millrace_clients_refused_total", "Clients that were not taken.", transport.refusedClients)
        let log = driver.logStatistics
        metrics.counter("millrace_log_syncs_total", "Syncs of the log.", log.syncs)
        metrics.counter("millrace_log_bytes_total", "Bytes written to the log.", log.bytes)
        metrics.gauge(
            "millrace_log_last_sync_seconds", "How long the last sync took.", Double(log.lastSyncNanoseconds) / 1e9)
        for (peer, statistics) in transport.peers.sorted(by: { $0.key < $1.key }) {
            let label = "peer=\"\(peer)\""
            metrics.gauge(
                "millrace_peer_connected", "1 if there is a direct connection.", connected.contains(peer) ? 1 : 0, label
            )
            metrics.counter("millrace_peer_messages_sent_total", "Messages sent.", statistics.messagesSent, label)
            metrics.counter(
                "millrace_peer_messages_received_total", "Messages received.", statistics.messagesReceived, label)
            metrics.counter("millrace_peer_bytes_sent_total", "Bytes sent.", statistics.bytesSent, label)
            metrics.counter("millrace_peer_bytes_received_total", "Bytes received.", statistics.bytesReceived, label)
        }
        return metrics.text
    }

    /// The program's version.
    public static let version = "0.1.0"
}

/// Builds Prometheus' text format (version 0.0.4).
struct MetricsText {
    private(set) var text = ""
    private var described: Set<String> = []

    mutating func gauge(_ name: String, _ help: String, _ value: some CustomStringConvertible, _ label: String = "") {
        add(name, "gauge", help, value.description, label)
    }

    mutating func counter(_ name: String, _ help: String, _ value: some CustomStringConvertible, _ label: String = "") {
        add(name, "counter", help, value.description, label)
    }

    private mutating func add(_ name: String, _ type: String, _ help: String, _ value: String, _ label: String) {
        if described.insert(name).inserted { text += "# HELP \(name) \(help)\n# TYPE \(name) \(type)\n" }
        text += label.isEmpty ? "\(name) \(value)\n" : "\(name){\(label)} \(value)\n"
    }
}

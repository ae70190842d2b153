import Foundation
import Glibc
import Synchronization

/// Drives all nodes with several streams at given rates, from one thread a node, and notes what becomes of each request.
///
/// Each stream has a connection of its own to each node, so that a reply that waits for a dead owner holds up nobody else. Requests that
/// could not be sent in time (no connection, too many unanswered, or this machine was busy) are not made up for.
final class LoadGenerator: Sendable {
    let streams: [Stream]
    private let workers: [Worker]

    /// Starts at once.
    init(_ streams: [Stream], at nodes: [ClusterHarness.Node]) {
        self.streams = streams
        workers = nodes.map { Worker(node: $0.id, port: $0.respPort, streams: streams) }
        for worker in workers { worker.start() }
    }

    /// Stops, waits a moment for the answers that are still out, and returns all outcomes in the order in which they were known.
    func stop() -> LoadRecord {
        for worker in workers { worker.finish() }
        let results = workers.map { $0.result() }
        var errors: [String: Int] = [:]
        for (text, count) in results.flatMap(\.errors) { errors[text, default: 0] += count }
        return LoadRecord(
            streams: streams, outcomes: results.flatMap(\.outcomes).sorted { $0.answered < $1.answered }, errors: errors
        )
    }

    /// Whether every stream that ends has ended at every node.
    var isDone: Bool { workers.allSatisfy { $0.isDone } }
}

/// One node's thread.
private final class Worker: Sendable {
    struct State {
        var isFinishing = false
        var isDone = false
        var isOver = false
        var outcomes: [Outcome] = []
        var errors: [String: Int] = [:]
    }

    private let node: Int
    private let port: Int
    private let streams: [Stream]
    private let state = Mutex(State())

    init(node: Int, port: Int, streams: [Stream]) {
        self.node = node
        self.port = port
        self.streams = streams
    }

    func start() {
        let thread = Thread { [self] in run() }
        thread.name = "load for node \(node)"
        thread.start()
    }

    func finish() { state.withLock { $0.isFinishing = true } }

    var isDone: Bool { state.withLock { $0.isDone } }

    func result() -> State {
        _ = eventually(within: 30, every: 0.005) { state.withLock { $0.isOver } }
        return state.withLock { $0 }
    }

    /// Longest that answers are waited for after the last request.
    private static let patience: Int64 = 1_500_000_000

    private func run() {
        let start = MachineClock.now()
        var lanes = streams.indices.map { Lane(stream: $0, terms: streams[$0], node: node, port: port, start: start) }
        var record = State()
        var finishingSince: Int64?
        while true {
            let now = MachineClock.now()
            if finishingSince == nil {
                for i in lanes.indices { lanes[i].send(now: now, into: &record) }
                let isDone = lanes.allSatisfy(\.isDone)
                let isFinishing = state.withLock { state in
                    state.isDone = isDone
                    return state.isFinishing
                }
                if isFinishing { finishingSince = now }
            }
            if let since = finishingSince, now - since > Worker.patience || lanes.allSatisfy(\.isIdle) { break }
            var polled = lanes.map { pollfd(fd: $0.descriptor, events: Int16(POLLIN), revents: 0) }
            _ = poll(&polled, nfds_t(polled.count), 2)
            for i in lanes.indices where polled[i].fd >= 0 && polled[i].revents != 0 { lanes[i].receive(into: &record) }
        }
        let now = MachineClock.now()
        for i in lanes.indices { lanes[i].disconnect(now: now, into: &record) }
        record.isOver = true
        record.isDone = true
        state.withLock { $0 = record }
    }
}

/// One stream to one node.
private struct Lane {
    /// Requests without an answer at the most.
    private static let mostUnanswered = 256
    /// Requests that are sent late, when this thread could not run, at the most.
    private static let latest: Int64 = 20_000_000
    private static let retryAfter: Int64 = 50_000_000

    let stream: Int
    let terms: Stream
    let node: Int
    let port: Int
    private let interval: Double
    private var nextAt: Double
    private var sent = 0
    private var socket: Socket?
    private var connectAt: Int64 = 0
    private var parser = ReplyParser()
    private var unanswered: [(key: Int, sent: Int64)] = []
    private var firstUnanswered = 0
    private var singleCommand: [UInt8]

    init(stream: Int, terms: Stream, node: Int, port: Int, start: Int64) {
        self.stream = stream
        self.terms = terms
        self.node = node
        self.port = port
        interval = 1e9 / terms.perSecond
        nextAt = Double(start) + Double(node * 7 % 5) / 5 * interval
        singleCommand = terms.command(key: 0)
    }

    var descriptor: Int32 { socket?.descriptor ?? -1 }
    var isIdle: Bool { firstUnanswered == unanswered.count }
    var isDone: Bool { !terms.hasEnd || terms.key(ofRequest: sent) >= terms.keys }

    mutating func send(now: Int64, into record: inout Worker.State) {
        if socket == nil, now >= connectAt {
            connectAt = now + Lane.retryAfter
            socket = try? Socket(port: port)
            if let socket { _ = fcntl(socket.descriptor, F_SETFL, O_NONBLOCK) }
            parser = ReplyParser()
        }
        if Double(now) - nextAt > Double(Lane.latest) { nextAt = Double(now - Lane.latest) }
        guard let socket else { return }
        var bytes: [UInt8] = []
        while nextAt <= Double(now), unanswered.count - firstUnanswered < Lane.mostUnanswered {
            nextAt += interval
            if terms.hasEnd, isDone { continue }
            let key = terms.key(ofRequest: sent)
            bytes += terms.hasEnd ? terms.command(key: key) : singleCommand
            unanswered.append((key, 0))
            sent += 1
        }
        guard !bytes.isEmpty else { return }
        // Noted before the bytes leave: a window that begins here holds the whole request.
        let at = MachineClock.now()
        for i in stride(from: unanswered.count - 1, through: firstUnanswered, by: -1) {
            guard unanswered[i].sent == 0 else { break }
            unanswered[i].sent = at
        }
        do { try socket.write(bytes) } catch { disconnect(now: MachineClock.now(), into: &record) }
    }

    mutating func receive(into record: inout Worker.State) {
        var bytes: [UInt8] = []
        do {
            guard try socket?.read(into: &bytes) == true else { throw HarnessError("closed") }
            parser.feed(bytes)
            // Read after the bytes: not before the answer.
            let now = MachineClock.now()
            while let verdict = try parser.nextVerdict() { settle(verdict, now: now, into: &record) }
        } catch {
            disconnect(now: MachineClock.now(), into: &record)
        }
    }

    private mutating func settle(_ verdict: ReplyParser.Verdict, now: Int64, into record: inout Worker.State) {
        guard firstUnanswered < unanswered.count else { return }
        let request = unanswered[firstUnanswered]
        firstUnanswered += 1
        if firstUnanswered > 4096 {
            unanswered.removeFirst(firstUnanswered)
            firstUnanswered = 0
        }
        let kind: Outcome.Kind
        switch verdict {
        case .allowed: kind = .admitted
        case .limited: kind = .refused
        case .other(.simple): kind = .echoed
        case .other(let reply):
            kind = .error
            record.errors[reply.errorText ?? "\(reply)", default: 0] += 1
        }
        record.outcomes.append(
            Outcome(stream: stream, key: request.key, node: node, sent: request.sent, answered: now, kind: kind))
    }

    /// Gives the connection up; what was not answered never will be.
    mutating func disconnect(now: Int64, into record: inout Worker.State) {
        for request in unanswered[firstUnanswered...] {
            record.outcomes.append(
                Outcome(stream: stream, key: request.key, node: node, sent: request.sent, answered: now, kind: .lost))
        }
        unanswered = []
        firstUnanswered = 0
        socket = nil
        connectAt = now + Lane.retryAfter
    }
}

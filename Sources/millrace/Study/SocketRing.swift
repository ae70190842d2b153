import NIOCore
import NIOPosix
import RingElection

/// An election among members that talk over TCP on loopback: a listener and a task each, in one process.
struct SocketRing {
    struct Result: Sendable {
        /// Who leads, if all who answer agree.
        var leader: UInt64?
        /// From the start to when the last one knew.
        var took: Duration
        var reports: [RingMember.Report]
    }

    private enum Word: Sendable {
        case connected
        case believes(place: Int, leader: UInt64?)
        case timeIsUp
    }

    /// UIDs clockwise.
    let uids: [UInt64]
    let repairs: Bool
    /// The place of a member that takes everything and never answers.
    let silent: Int?
    let timeout: Duration

    func run() async throws -> Result {
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        do {
            let result = try await elect(group)
            try await group.shutdownGracefully()
            return result
        } catch {
            try? await group.shutdownGracefully()
            throw error
        }
    }

    private func elect(_ group: MultiThreadedEventLoopGroup) async throws -> Result {
        var inboxes: [AsyncStream<RingMember.Event>] = []
        var continuations: [AsyncStream<RingMember.Event>.Continuation] = []
        var listeners: [any Channel] = []
        for _ in uids {
            let (inbox, continuation) = AsyncStream.makeStream(
                of: RingMember.Event.self, bufferingPolicy: .bufferingOldest(RingMember.mostEvents))
            inboxes.append(inbox)
            continuations.append(continuation)
            listeners.append(try await listen(group, continuation))
        }
        let ports = listeners.map { $0.localAddress!.port! }
        let (words, tell) = AsyncStream.makeStream(of: Word.self)
        let clock = ContinuousClock()
        var beliefs: [UInt64?] = Array(repeating: nil, count: uids.count)
        let (reports, leader, took) = await withTaskGroup(of: RingMember.Report?.self) { tasks in
            for place in uids.indices {
                let member = RingMember(
                    place: place, ports: ports, group: group, inbox: inboxes[place],
                    isConnected: { tell.yield(.connected) },
                    tell: { tell.yield(.believes(place: $0, leader: $1)) })
                let elector = elector(place)
                tasks.addTask { await member.run(elector) }
            }
            let all = continuations
            for continuation in all { continuation.yield(.connect) }
            if repairs {
                tasks.addTask {
                    while (try? await Task.sleep(for: RingMember.tick)) != nil {
                        for continuation in all { continuation.yield(.tick) }
                    }
                    return nil
                }
            }
            let timeout = timeout
            tasks.addTask {
                if (try? await Task.sleep(for: timeout)) != nil { tell.yield(.timeIsUp) }
                return nil
            }
            var leader: UInt64?
            var connected = 0
            var began = clock.now
            loop: for await word in words {
                switch word {
                case .timeIsUp: break loop
                case .connected:
                    connected += 1
                    guard connected == uids.count else { continue }
                    began = clock.now
                    for continuation in all { continuation.yield(.start) }
                case .believes(let place, let uid):
                    beliefs[place] = uid
                    let known = uids.indices.filter { $0 != silent }.map { beliefs[$0] }
                    if let first = known[0], known.allSatisfy({ $0 == first }) {
                        leader = first
                        break loop
                    }
                }
            }
            let took = began.duration(to: clock.now)
            for continuation in all { continuation.finish() }
            var reports: [RingMember.Report] = []
            // The clocks' tasks end when they are cancelled; the members when their inboxes have ended.
            while reports.count < uids.count, let finished = await tasks.next() {
                if let report = finished { reports.append(report) }
            }
            tasks.cancelAll()
            return (reports.sorted { $0.place < $1.place }, leader, took)
        }
        for listener in listeners { try? await listener.close() }
        return Result(leader: leader, took: took, reports: reports)
    }

    private func elector(_ place: Int) -> RingMember.Elector {
        if place == silent { return .silent }
        return repairs ? .repaired(RepairedRing(place: place, uids: uids)) : .plain(LCR(uid: uids[place]))
    }

    private func listen(
        _ group: MultiThreadedEventLoopGroup, _ inbox: AsyncStream<RingMember.Event>.Continuation
    ) async throws -> any Channel {
        let members = uids.count
        return try await ServerBootstrap(group: group)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandlers([
                        ByteToMessageHandler(RingFrameDecoder(members: members)), RingFrameReader(inbox),
                    ])
                }
            }
            .bind(host: "127.0.0.1", port: 0).get()
    }
}

import ClientRuntime
import Coordination
import Foundation
import LimiterCore
import MillraceServer
import NIOCore
import Raft
import TestSupport
import Testing

@testable import MillraceClient

/// The client against real nodes, over sockets. One after the other: each test has a cluster of its own.
@Suite(.serialized, .inRealTime, .timeLimit(.minutes(5)))
struct MillraceClientTests {
    @Test func itCountsExactly() async throws {
        let rules = [try rule("five", 1, per: 3_600 * second, burst: 5)]
        try await TestCluster.with(rules) { cluster in
            try await withClient(of: cluster) { client in
                #expect(try await client.peek("five", key: "a").remaining == 5)
                for left in (0..<5).reversed() {
                    let decision = try await client.tryAcquire("five", key: "a")
                    #expect(decision.outcome == .allowed)
                    #expect(decision.remaining == left)
                    #expect(decision.limit == 5 && decision.rule == "five")
                }
                let refused = try await client.tryAcquire("five", key: "a")
                #expect(refused.outcome == .limited)
                let retry = try #require(refused.retryAfter)
                #expect(retry > .seconds(3_500) && retry <= .seconds(3_600))
                // A flood on an exhausted key is refused here, and needs nobody.
                let isLocal = try await eventually {
                    if let local = try client.tryAcquireNow("five", key: "a") { return local.outcome == .limited }
                    return try await client.tryAcquire("five", key: "a").isAllowed
                }
                #expect(isLocal)
                // Another key is another bucket, and a larger cost is one request.
                #expect(try await client.tryAcquire("five", key: "b", cost: 4).remaining == 1)
                #expect(try await client.tryAcquire("five", key: "b", cost: 2).outcome == .limited)
                #expect(try await client.peek("five", key: "b").remaining == 1)
            }
        }
    }

    @Test func criticalRequestsHaveAPartToThemselves() async throws {
        let rules = [
            try Rule(
                name: "kept", limit: Limit(tokens: 1, per: 3_600 * second, burst: 10), reserveForCritical: 50)
        ]
        try await TestCluster.with(rules) { cluster in
            try await withClient(of: cluster) { client in
                for left in (0..<5).reversed() {
                    let decision = try await client.tryAcquire("kept", key: "a")
                    #expect(decision.isAllowed && decision.remaining == left && decision.limit == 5)
                }
                #expect(try await client.tryAcquire("kept", key: "a").outcome == .limited)
                // It cannot wait, and is told so at once.
                #expect(try await client.acquire("kept", key: "a", within: .seconds(3_600)).outcome == .limited)
                for left in (0..<5).reversed() {
                    let decision = try await client.tryAcquire("kept", key: "a", priority: .critical)
                    #expect(decision.isAllowed && decision.remaining == left && decision.limit == 10)
                }
                #expect(try await client.tryAcquire("kept", key: "a", priority: .critical).outcome == .limited)
                let permits = [MillraceClient.Permit("kept", key: "b", cost: 7)]
                await #expect(throws: MillraceClientError.self) { try await client.acquireAll(permits) }
                #expect(try await client.acquireAll(permits, priority: .critical).isAllowed)
                var bucket = client.bucket("kept", key: "c")
                #expect(try await bucket.tryAcquire(cost: 8, priority: .critical).isAllowed)
                #expect(try await bucket.tryAcquire().outcome == .limited)
                let result = try await client.reserve("kept", key: "d", cost: 9, priority: .critical, for: .seconds(60))
                if case .reserved(let reservation) = result {
                    try reservation.commit(9)
                } else {
                    Issue.record("nothing was reserved")
                }
            }
        }
    }

    @Test func aWeightIsFrom1To100() throws {
        for (weight, isGood) in [(0, false), (1, true), (100, true), (101, false), (-1, false)] {
            var configuration = MillraceClient.Configuration(nodes: .list(["127.0.0.1:1"]))
            configuration.weight = weight
            do {
                _ = try MillraceClient(configuration)
                #expect(isGood)
            } catch {
                #expect(!isGood && error.code == .invalidConfiguration && error.message.contains("from 1 to 100"))
            }
        }
    }

    @Test func twoClientsShareOneBucket() async throws {
        let rules = [try rule("ten", 1, per: 3_600 * second, burst: 10)]
        try await TestCluster.with(rules) { cluster in
            let allowed = try await withClient(of: cluster) { one in
                try await withClient(of: cluster) { two in
                    var allowed = 0
                    for _ in 0..<10 {
                        for client in [one, two] where try await client.tryAcquire("ten", key: "k").isAllowed {
                            allowed += 1
                        }
                    }
                    return allowed
                }
            }
            #expect(allowed == 10)
        }
    }

    /// What the client is for: after some requests it holds an allowance and decides itself.
    @Test func allowancesCome() async throws {
        let rules = [try rule("fast", 50_000, burst: 50_000)]
        try await TestCluster.with(rules) { cluster in
            try await withClient(of: cluster) { client in
                var bucket = client.bucket("fast", key: "k")
                var local = 0
                let hasCome = try await eventually {
                    for _ in 0..<50 {
                        if let decision = try bucket.tryAcquireNow() {
                            #expect(decision.isAllowed)
                            local += 1
                        } else {
                            #expect(try await client.tryAcquire("fast", key: "k").isAllowed)
                        }
                    }
                    return local > 500
                }
                #expect(hasCome)
            }
        }
    }

    @Test func waitsAreInTurn() async throws {
        // A token each 200 ms, one at a time: five requests at once are due 200 ms apart.
        let rules = [try rule("slow", 5, burst: 1), try rule("delay", 5, burst: 1, onLimit: .delay(10 * second))]
        try await TestCluster.with(rules) { cluster in
            try await withClient(of: cluster) { client in
                let waits = try await withThrowingTaskGroup(of: MillraceClient.Decision.self) { group in
                    for _ in 0..<5 {
                        group.addTask { try await client.acquire("slow", key: "k", within: .seconds(30)) }
                    }
                    return try await group.reduce(into: []) { $0.append($1) }
                }
                #expect(waits.allSatisfy { $0.isAllowed })
                let sorted = waits.map(\.waited).sorted()
                for (a, b) in zip(sorted, sorted.dropFirst()) { #expect(b - a > .milliseconds(20), "\(sorted)") }
                #expect(sorted.last! > .milliseconds(300))
                // Too late is told at once.
                let late = try await client.acquire("slow", key: "k", within: .zero)
                #expect(late.outcome == .limited || late.isAllowed)
                // A rule that delays does so for everybody who asks.
                _ = try await client.tryAcquire("delay", key: "k")
                let delayed = try await client.tryAcquire("delay", key: "k")
                #expect(delayed.isAllowed)
            }
        }
    }

    @Test func aCancelledWaitEnds() async throws {
        try await TestCluster.with([try rule("slow", 1, per: 60 * second, burst: 1)]) { cluster in
            try await withClient(of: cluster) { client in
                #expect(try await client.tryAcquire("slow", key: "k").isAllowed)
                let waiting = Task { try await client.acquire("slow", key: "k", within: .seconds(600)) }
                try await Task.sleep(for: .milliseconds(100))
                waiting.cancel()
                await #expect(throws: CancellationError.self) { try await waiting.value }
                // Cancelled before it began.
                let never = Task {
                    withUnsafeCurrentTask { $0?.cancel() }
                    return try await client.peek("slow", key: "k")
                }
                await #expect(throws: CancellationError.self) { try await never.value }
            }
        }
    }

    @Test func misuseIsTold() async throws {
        try await TestCluster.with([try rule("api", 10, burst: 10)]) { cluster in
            try await withClient(of: cluster) { client in
                try await client.waitUntilReady()
                func code(_ body: () async throws -> Void) async -> MillraceClientError.Code? {
                    do { try await body() } catch { return (error as? MillraceClientError)?.code }
                    return nil
                }
                #expect(await code { _ = try await client.tryAcquire("apo", key: "k") } == .unknownRule)
                #expect(await code { _ = try client.tryAcquireNow("apo", key: "k") } == .unknownRule)
                #expect(await code { _ = try await client.tryAcquire("api", key: "k", cost: 11) } == .costAboveBurst)
                #expect(await code { _ = try client.tryAcquireNow("api", key: "k", cost: 11) } == .costAboveBurst)
                #expect(await code { _ = try client.tryAcquireNow("api", key: "k", cost: -1) } == .invalidCost)
                #expect(await code { _ = try await client.tryAcquire("api", key: "") } == .invalidKey)
                let longest = String(repeating: "k", count: Rule.longestKey)
                #expect(await code { _ = try await client.tryAcquire("api", key: longest) } == nil)
                #expect(await code { _ = try await client.tryAcquire("api", key: longest + "k") } == .invalidKey)
                #expect(await code { _ = try client.tryAcquireNow("api", key: longest + "k") } == .invalidKey)
                do { _ = try await client.tryAcquire("apo", key: "k") } catch {
                    #expect("\(error)" == "there is no rule 'apo': the cluster knows api")
                }
            }
        }
    }

    @Test func whoNeverReachedACluster() async throws {
        var configuration = MillraceClient.Configuration(nodes: .list(["127.0.0.1:1"]))
        configuration.startTimeout = .milliseconds(300)
        let client = try MillraceClient(configuration, logger: quiet)
        // Before anybody runs it.
        let nothing = try client.tryAcquireNow("api", key: "k")
        #expect(nothing == nil)
        do {
            _ = try await client.tryAcquire("api", key: "k")
            Issue.record("decided")
        } catch { #expect((error as? MillraceClientError)?.code == .notRunning) }
        let running = Task { try await client.run() }
        let isTold = try await eventually {
            do { _ = try await client.tryAcquire("api", key: "k") } catch {
                return (error as? MillraceClientError)?.code == .notConnected && "\(error)".contains("127.0.0.1:1")
            }
            return false
        }
        #expect(isTold)
        running.cancel()
        _ = await running.result
        do { _ = try await client.tryAcquire("api", key: "k") } catch {
            #expect((error as? MillraceClientError)?.code == .stopped)
        }
        await #expect(throws: MillraceClientError.self) { try await client.run() }
    }

    @Test func configurationsThatCannotWork() {
        for nodes: MillraceClient.Configuration.Nodes in [
            .list([]), .list(["nowhere"]), .list(["host:0"]), .dns(name: "", port: 1), .file(""),
        ] {
            #expect(throws: MillraceClientError.self) {
                try MillraceClient(MillraceClient.Configuration(nodes: nodes), logger: quiet)
            }
        }
    }

    @Test func itGoesToAnotherNode() async throws {
        try await TestCluster.with([try rule("fast", 10_000, burst: 10_000)]) { cluster in
            try await withClient(of: cluster) { client in
                #expect(try await client.tryAcquire("fast", key: "k").isAllowed)
                let node = try await client.driver.withRuntime { $0.currentNode }
                await cluster.stopNode(Int(node!.node.rawValue) - 1)
                let hasMoved = try await eventually {
                    let now = try await client.driver.withRuntime { $0.currentNode }
                    return now != nil && now != node
                }
                #expect(hasMoved)
                let isServed = try await eventually { try await client.tryAcquire("fast", key: "other").isAllowed }
                #expect(isServed)
            }
        }
    }

    @Test func rulesFollow() async throws {
        try await TestCluster.with([try rule("api", 1, per: 3_600 * second, burst: 3)]) { cluster in
            try await withClient(of: cluster) { client in
                var bucket = client.bucket("api", key: "k")
                #expect(try await bucket.tryAcquire().remaining == 2)
                try await cluster.put([
                    try rule("api", 1, per: 3_600 * second, burst: 20), try rule("new", 1, per: 60 * second, burst: 1),
                ])
                // Tokens that were used stay used.
                #expect(try await eventually { try await client.peek("api", key: "k").limit == 20 })
                #expect(try await bucket.tryAcquire().remaining == 18)
                #expect(try await client.tryAcquire("new", key: "k").isAllowed)
            }
        }
    }

    /// With the whole cluster away each rule decides: the promise is kept, or given up and said so.
    @Test func theClusterIsAway() async throws {
        let rules = [
            try rule("deny", 10, burst: 10), try rule("allow", 10, burst: 10, onIsolation: .allow),
            try rule("share", 10, burst: 10, onIsolation: .share),
        ]
        try await TestCluster.with(rules) { cluster in
            try await withClient(of: cluster) { client in
                try await client.waitUntilReady()
                for i in 0..<3 { await cluster.stopNode(i) }
                let isAllowed = try await eventually {
                    let decision = try await client.tryAcquire("allow", key: "k")
                    return decision.isAllowed && decision.isIsolated
                }
                #expect(isAllowed)
                for name in ["deny", "share"] {
                    let decision = try await client.tryAcquire(name, key: "k")
                    #expect(decision.outcome == .unavailable(.isolated), "\(name): \(decision)")
                    #expect(decision.isIsolated)
                }
            }
        }
    }

    @Test func tokensAndLimitsOfClients() async throws {
        let rules = [try rule("api", 1_000, burst: 1_000)]
        func change(_ options: inout NodeOptions) {
            options.token = "secret"
            options.mostClients = 1
        }
        try await TestCluster.with(rules, options: change) { cluster in
            await #expect(throws: MillraceClientError.self) {
                try await withClient(of: cluster, { $0.startTimeout = .milliseconds(500) }) { client in
                    try await client.waitUntilReady()
                }
            }
            // Three nodes with room for one client each.
            func open(_ left: Int) async throws {
                guard left > 0 else { return }
                try await withClient(of: cluster, { $0.token = "secret" }) { client in
                    #expect(try await client.tryAcquire("api", key: "k").isAllowed)
                    try await open(left - 1)
                    if left == 1 {
                        await #expect(throws: MillraceClientError.self) {
                            try await withClient(
                                of: cluster,
                                {
                                    $0.token = "secret"
                                    $0.startTimeout = .milliseconds(500)
                                }
                            ) { try await $0.waitUntilReady() }
                        }
                    }
                }
            }
            try await open(3)
        }
    }

    @Test func nodesFromAFileOrAName() async throws {
        try await TestCluster.with([try rule("api", 10, burst: 10)]) { cluster in
            let path = "/tmp/millrace-nodes-\(UInt64.random(in: 0...(.max))).txt"
            try ("# our nodes\n" + cluster.addresses.joined(separator: "  # one\n") + "\n").write(
                toFile: path, atomically: true, encoding: .utf8)
            defer { try? FileManager.default.removeItem(atPath: path) }
            try await withClient(of: cluster, { $0.nodes = .file(path) }) { client in
                let decision = try await client.tryAcquire("api", key: "k")
                #expect(decision.isAllowed)
            }
            let port = Int(cluster.addresses[0].split(separator: ":")[1])!
            try await withClient(of: cluster, { $0.nodes = .dns(name: "localhost", port: port) }) { client in
                let decision = try await client.tryAcquire("api", key: "k")
                #expect(decision.isAllowed)
            }
        }
    }

    @Test func permitsAreAllOrNothing() async throws {
        let rules = [
            try rule("user", 1, per: 3_600 * second, burst: 5), try rule("tenant", 1, per: 3_600 * second, burst: 2),
        ]
        try await TestCluster.with(rules) { cluster in
            try await withClient(of: cluster) { client in
                func both(_ user: String) async throws -> MillraceClient.Decision {
                    try await client.acquireAll([
                        .init("user", key: user, cost: 2), .init("tenant", key: "t"),
                    ])
                }
                #expect(try await both("a").isAllowed)
                let last = try await both("c")
                #expect(last.isAllowed && last.rule == "tenant" && last.remaining == 0)
                // The tenant has no more: neither user is charged for asking.
                for _ in 0..<3 {
                    let refused = try await both("b")
                    #expect(refused.outcome == .limited && refused.rule == "tenant")
                }
                // But for the fraction of a token that passed while they were held.
                for _ in 0..<4 { #expect(try await client.tryAcquire("user", key: "b").isAllowed) }
                await #expect(throws: MillraceClientError.self) { try await client.acquireAll([]) }
                await #expect(throws: MillraceClientError.self) {
                    try await client.acquireAll(
                        Array(repeating: .init("user", key: "z"), count: MillraceClient.mostPermits + 1))
                }
                await #expect(throws: MillraceClientError.self) {
                    try await client.acquireAll([.init("user", key: "z"), .init("tenant", key: "t", cost: 3)])
                }
                #expect(try await client.peek("user", key: "z").remaining == 5)
            }
        }
    }

    @Test func reservationsAreSettledOnce() async throws {
        try await TestCluster.with([try rule("llm", 1, per: 3_600 * second, burst: 100)]) { cluster in
            try await withClient(of: cluster, { $0.mostReservations = 2 }) { client in
                func reserve(_ cost: Int, for time: Duration = .seconds(600)) async throws -> MillraceClient
                    .Reservation?
                {
                    switch try await client.reserve("llm", key: "k", cost: cost, for: time) {
                    case .reserved(let reservation): reservation
                    case .refused: nil
                    }
                }
                func code(_ body: () throws -> Void) -> MillraceClientError.Code? {
                    do { try body() } catch { return (error as? MillraceClientError)?.code }
                    return nil
                }
                do {
                    let one = try #require(try await reserve(60))
                    let tooMuch = try await reserve(60)
                    #expect(tooMuch == nil)
                    try one.commit(10)
                    #expect(code { try one.commit(10) } == .alreadySettled)
                    #expect(code { try one.cancel() } == .alreadySettled)
                }
                // 90 are left: 40 in the bucket, 50 back in this client's hands.
                do {
                    let two = try #require(try await reserve(50))
                    let three = try #require(try await reserve(40))
                    await #expect(throws: MillraceClientError.self) { try await reserve(1) }
                    try two.cancel()
                    #expect(code { try three.commit(41) } == .actualAboveReserved)
                }
                do {
                    let late = try #require(try await reserve(50, for: .milliseconds(1)))
                    try await Task.sleep(for: .milliseconds(20))
                    #expect(code { try late.commit(0) } == .reservationExpired)
                }
                // All of it counts as used.
                #expect(try await client.tryAcquire("llm", key: "k").outcome == .limited)
                await #expect(throws: MillraceClientError.self) { try await reserve(0) }
                await #expect(throws: MillraceClientError.self) { try await reserve(101) }
            }
        }
    }
}

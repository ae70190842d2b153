import LimiterCore
import RESP
import RESPFrontend
import Testing

@Suite struct ThrottleTests {
    /// What redis-cell's own test `it_rates_limits` expects of a burst of 4 and one a second: seconds, quantity, then
    /// remaining, seconds to full and to retry as redis-cell keeps them, and whether it was limited.
    static let vectors: [(at: Double, quantity: Int, remaining: Int, reset: Double, retry: Double, isLimited: Bool)] = [
        (0, 6, 5, 0, -1, true), (0, 1, 4, 1, -1, false), (0, 1, 3, 2, -1, false), (0, 1, 2, 3, -1, false),
        (0, 1, 1, 4, -1, false), (0, 1, 0, 5, -1, false), (0, 1, 0, 5, 1, true), (3.0, 1, 2, 3, -1, false),
        (3.1, 1, 1, 3.9, -1, false), (4.0, 1, 1, 4, -1, false), (8.0, 1, 4, 1, -1, false), (9.5, 1, 4, 1, -1, false),
        (9.5, 0, 4, 1, -1, false), (9.5, 2, 2, 3, -1, false), (9.5, 5, 2, 3, 3, true),
    ]

    @Test func agreesWithRedisCell() throws {
        let node = try TestNode()
        var conversation = Conversation(node)
        var now = 0.0
        for vector in Self.vectors {
            node.clock.advance(seconds: vector.at - now)
            now = vector.at
            let answer = conversation.send("CL.THROTTLE user 4 1 1 \(vector.quantity)")
            let (retry, reset) = (Int(vector.retry), Int(vector.reset.rounded(.up)))
            #expect(
                answer == "*5|:\(vector.isLimited ? 1 : 0)|:5|:\(vector.remaining)|:\(retry)|:\(reset)",
                "at \(vector.at) for \(vector.quantity)")
        }
    }

    @Test func oneTokenUnlessTold() throws {
        var conversation = Conversation(try TestNode())
        #expect(conversation.send("CL.THROTTLE a 4 1 1") == "*5|:0|:5|:4|:-1|:1")
        #expect(conversation.send("cl.throttle a 4 1 1 2") == "*5|:0|:5|:2|:-1|:3")
    }

    @Test func parametersArePartOfTheBucket() throws {
        var conversation = Conversation(try TestNode())
        #expect(conversation.send("CL.THROTTLE a 0 1 60") == "*5|:0|:1|:0|:-1|:60")
        #expect(conversation.send("CL.THROTTLE a 0 1 60") == "*5|:1|:1|:0|:60|:60")
        #expect(conversation.send("CL.THROTTLE a 0 1 61") == "*5|:0|:1|:0|:-1|:61")
        #expect(conversation.send("CL.THROTTLE b 0 1 60") == "*5|:0|:1|:0|:-1|:60")
    }

    @Test func aCostAboveTheBurstNeverPassesAndIsNotTaken() throws {
        var conversation = Conversation(try TestNode())
        #expect(conversation.send("CL.THROTTLE a 4 1 1 9223372036854775807") == "*5|:1|:5|:5|:-1|:0")
        #expect(conversation.send("CL.THROTTLE a 4 1 1 5") == "*5|:0|:5|:0|:-1|:5")
        #expect(conversation.send("CL.THROTTLE a 4 1 1 6") == "*5|:1|:5|:0|:-1|:5")
        conversation.node.limiter.isHolding = true
        #expect(conversation.send("CL.THROTTLE a 4 1 1 6") == "")
        #expect(conversation.session.requests.map(\.cost) == [0], "only looked at")
    }

    @Test(arguments: [
        ("CL.THROTTLE a 4 1", "Usage: cl.throttle <key> <max_burst> <count per period> <period> [<quantity>]"),
        ("CL.THROTTLE a 4 1 1 1 1", "Usage: cl.throttle <key> <max_burst> <count per period> <period> [<quantity>]"),
        ("CL.THROTTLE a x 1 1", "Couldn't parse as integer: x"),
        ("CL.THROTTLE a 4 1.5 1", "Couldn't parse as integer: 1.5"),
        ("CL.THROTTLE a 4 1 1 9223372036854775808", "Couldn't parse as integer: 9223372036854775808"),
        ("CL.THROTTLE a 4 0 1", "Zero rates are not supported"),
        ("CL.THROTTLE a 4 1 0", "Zero rates are not supported"),
        ("CL.THROTTLE a -1 1 1", "max_burst must be 0 or more, not -1"),
        ("CL.THROTTLE a 4 -1 1", "the rate's tokens must be at least 1, not -1"),
        ("CL.THROTTLE a 4 1 -1", "the rate's period must be longer than 0, not -1000000000 ns"),
    ])
    func badArguments(command: String, message: String) throws {
        var conversation = Conversation(try TestNode())
        #expect(conversation.send(command) == "-ERR \(message)")
        #expect(conversation.session.counts[.badArguments] == 1)
    }

    @Test func refundsAreExplained() throws {
        var conversation = Conversation(try TestNode())
        #expect(
            conversation.send("CL.THROTTLE a 4 1 1 -1").hasPrefix(
                "-ERR quantity must be 0 or more: tokens cannot be given back"))
        #expect(
            conversation.send("MR.ACQUIRE api a -1").hasPrefix(
                "-ERR cost must be 0 or more: tokens cannot be given back"))
    }

    @Test func theLargestNumbersAreRefusedOrServedButNeverTrap() throws {
        var conversation = Conversation(try TestNode())
        let numbers = [
            "0", "1", "-1", "9223372036854775807", "9223372036854775806", "-9223372036854775808", "9223372036",
            "9223372037",
        ]
        for maxBurst in numbers {
            for count in numbers {
                for period in numbers {
                    for quantity in numbers {
                        let answer = conversation.send("CL.THROTTLE a \(maxBurst) \(count) \(period) \(quantity)")
                        #expect(answer.hasPrefix("-ERR ") || answer.hasPrefix("*5|"), "\(answer)")
                    }
                }
            }
        }
    }

    @Test func keysUpToTheLimit() throws {
        var conversation = Conversation(try TestNode())
        let longest = String(repeating: "k", count: Rule.longestKey)
        #expect(conversation.send("CL.THROTTLE \(longest) 4 1 1") == "*5|:0|:5|:4|:-1|:1")
        #expect(
            conversation.send("CL.THROTTLE \(longest)k 4 1 1").hasPrefix("-ERR the key has 4097 bytes, at most 4096"))
        #expect(conversation.send("PING") == "+PONG", "the connection lives")
        #expect(conversation.session.counts[.longKeys] == 1)
    }

    // MARK: Rules

    @Test func rulesBringTheirLimits() throws {
        var conversation = Conversation(try TestNode())
        #expect(conversation.send("MR.ACQUIRE api u") == "*5|:0|:20|:19|:-1|:1")
        #expect(conversation.send("MR.ACQUIRE api u 19") == "*5|:0|:20|:0|:-1|:2")
        #expect(conversation.send("mr.acquire api u 10") == "*5|:1|:20|:0|:1|:2")
        #expect(conversation.send("MR.ACQUIRE api u 0") == "*5|:0|:20|:0|:-1|:2")
        #expect(conversation.send("MR.ACQUIRE vip boss 100") == "*5|:0|:100|:0|:-1|:1")
    }

    @Test func impossibleRequestsAreExplained() throws {
        var conversation = Conversation(try TestNode())
        #expect(conversation.send("MR.ACQUIRE nope u").hasPrefix("-ERR no such rule 'nope'"))
        #expect(
            conversation.send("MR.ACQUIRE api u 21").hasPrefix(
                "-ERR a cost of 21 is above the burst of 20 of rule 'api'"))
        #expect(conversation.send("MR.ACQUIRE api") == "-ERR wrong number of arguments for 'mr.acquire' command")
        #expect(
            conversation.send("MR.ACQUIRE api u 1 normal 1")
                == "-ERR wrong number of arguments for 'mr.acquire' command")
        #expect(conversation.send("MR.ACQUIRE api u many") == "-ERR Couldn't parse as integer: many")
    }

    @Test func nothingCanBeDecidedBeforeTheClusterIsFormed() throws {
        let node = try TestNode(isFormed: false)
        var conversation = Conversation(node)
        #expect(conversation.send("CL.THROTTLE a 4 1 1").hasPrefix("-CLUSTERDOWN the cluster has not been formed yet"))
        #expect(conversation.send("MR.ACQUIRE api a").hasPrefix("-CLUSTERDOWN the cluster has not been formed yet"))
        #expect(conversation.session.counts[.starting] == 2)
        node.path.setDirectory(node.directory)
        #expect(conversation.send("CL.THROTTLE a 4 1 1") == "*5|:0|:5|:4|:-1|:1", "without connecting again")
    }

    @Test func aCriticalRequestMayUseWhatIsKept() throws {
        let node = try TestNode()
        var conversation = Conversation(node)
        let limit = try Limit(tokens: 1, per: 1_000_000_000, burst: 10)
        let rule = try Rule(name: "kept", limit: limit, reserveForCritical: 50)
        node.path.setDirectory(
            RuleDirectory(
                rules: [VersionedRule(rule: rule, version: 2)], hash: node.directory.hash, drift: TestNode.drift))
        #expect(conversation.send("MR.ACQUIRE kept a 5") == "*5|:0|:5|:0|:-1|:5")
        #expect(conversation.send("MR.ACQUIRE kept a 1 normal") == "*5|:1|:5|:0|:1|:5")
        #expect(conversation.send("MR.ACQUIRE kept a 2 CRITICAL") == "*5|:0|:10|:3|:-1|:7")
        #expect(
            conversation.send("MR.ACQUIRE kept a 6").hasPrefix(
                "-ERR a cost of 6 is above the burst of 5 that is open to requests of normal priority"))
        #expect(
            conversation.send("MR.ACQUIRE kept a 11 critical").hasPrefix("-ERR a cost of 11 is above the burst of 10"))
        #expect(
            conversation.send("MR.ACQUIRE kept a 1 urgent") == "-ERR no such priority 'urgent'; say CRITICAL or NORMAL")
        #expect(conversation.send("MR.ACQUIRE kept a 1 critical 1").hasPrefix("-ERR wrong number of arguments"))
    }

    @Test func aNewDirectoryIsNoticed() throws {
        let node = try TestNode()
        var conversation = Conversation(node)
        #expect(conversation.send("MR.ACQUIRE new a").hasPrefix("-ERR no such rule"))
        let rule = try Rule(name: "new", limit: Limit(tokens: 1, per: 1_000_000_000, burst: 3))
        node.path.setDirectory(
            RuleDirectory(
                rules: [VersionedRule(rule: rule, version: 2)], hash: node.directory.hash, drift: TestNode.drift))
        #expect(conversation.send("MR.ACQUIRE new a") == "*5|:0|:3|:2|:-1|:1")
    }

    @Test(arguments: [
        (Decision.Cause.isolated, "-CLUSTERDOWN the owner of this key cannot be reached", RESPCounter.isolated),
        (.timeout, "-CLUSTERDOWN no answer from the owner", .timedOut),
        (.overloaded, "-CLUSTERDOWN too many requests are waiting", .overloaded),
        (.starting, "-CLUSTERDOWN the cluster has not been formed", .starting),
    ])
    func noDecisionIsAnErrorThatSaysWhy(cause: Decision.Cause, message: String, counter: RESPCounter) throws {
        let node = try TestNode()
        node.limiter.isHolding = true
        var conversation = Conversation(node)
        #expect(conversation.send("CL.THROTTLE a 4 1 1\nPING") == "")
        let request = try #require(conversation.session.requests.first)
        _ = conversation.session.decided(conversation.place(request), .unavailable(cause, limit: 5))
        let answer = conversation.take()
        #expect(answer.hasPrefix(message))
        #expect(answer.hasSuffix("|+PONG"))
        #expect(conversation.session.counts[counter] == 1)
    }

    // MARK: The table

    @Test func anAllowanceIsSpentWithoutAsking() throws {
        let node = try TestNode()
        node.limiter.isHolding = true
        node.lend(key: "a", limit: try Limit(tokens: 100, per: 1_000_000_000, burst: 100), tokens: 3)
        var conversation = Conversation(node)
        #expect(conversation.send("CL.THROTTLE a 99 100 1 3") == "*5|:0|:100|:97|:-1|:1")
        #expect(conversation.session.requests.count == 0)
        #expect(conversation.session.counts[.decidedHere] == 1)
        #expect(conversation.send("CL.THROTTLE a 99 100 1") == "", "it is used up: only the owner knows")
        #expect(conversation.session.requests.count == 1)
        #expect(conversation.session.requests.first?.key == Array("a".utf8))
        #expect(conversation.session.requests.first?.cost == 1)
    }
}

import LimiterCore
import RESP
import RESPFrontend
import Testing

@Suite struct OrderTests {
    @Test func repliesWaitForTheirTurn() throws {
        let node = try TestNode()
        node.limiter.isHolding = true
        node.lend(key: "lent", limit: try Limit(tokens: 100, per: 1_000_000_000, burst: 100), tokens: 10)
        var conversation = Conversation(node)
        let answer = conversation.send(
            "PING 0\nCL.THROTTLE a 0 1 1\nPING 1\nCL.THROTTLE lent 99 100 1\nCL.THROTTLE b 1 1 1\nNOPE\n"
                + "CL.THROTTLE c 2 1 1"
        )
        #expect(answer == "$1|0", "what comes before the first that waits goes out")
        let requests = conversation.session.requests
        #expect(requests.map(\.bucket.limit.burst) == [1, 2, 3])
        for i in [2, 1] {
            _ = conversation.session.decided(conversation.place(requests[i]), node.limiter.decide(requests[i]))
            #expect(conversation.take() == "")
        }
        _ = conversation.session.decided(conversation.place(requests[0]), node.limiter.decide(requests[0]))
        #expect(
            conversation.take() == "*5|:0|:1|:0|:-1|:1|$1|1|*5|:0|:100|:99|:-1|:1|*5|:0|:2|:1|:-1|:1"
                + "|-ERR unknown command 'NOPE', with args beginning with: |*5|:0|:3|:2|:-1|:1")
        #expect(conversation.send("PING") == "+PONG", "and nothing is in the way any more")
    }

    @Test func anAdmissionIsAnsweredWhenItIsDue() throws {
        let node = try TestNode()
        node.limiter.isHolding = true
        var conversation = Conversation(node)
        #expect(conversation.send("MR.ACQUIRE slow k\nMR.ACQUIRE slow k\nPING") == "")
        let requests = conversation.session.requests
        #expect(requests.map(\.longestWait) == [1_000_000_000, 1_000_000_000])
        #expect(conversation.session.decided(conversation.place(requests[0]), node.limiter.decide(requests[0])) == 0)
        #expect(conversation.take() == "*5|:0|:1|:0|:-1|:1")
        #expect(
            conversation.session.decided(conversation.place(requests[1]), node.limiter.decide(requests[1]))
                == 50_000_000)
        #expect(conversation.take() == "")
        conversation.session.due(conversation.place(requests[1]))
        #expect(conversation.take() == "*5|:0|:1|:0|:-1|:1|+PONG")
    }

    @Test(arguments: 0..<20)
    func anyOrderOfDecisionsGivesTheOrderOfCommands(seed: UInt64) throws {
        var random = SplitMix64(seed: seed)
        let node = try TestNode()
        node.limiter.isHolding = true
        var options = RESPServer.Options()
        options.mostWaiting = 1 + random.below(20)
        var conversation = Conversation(node, options)
        var commands = ""
        var expected: [String] = []
        for i in 0..<200 {
            if random.below(2) == 0 {
                commands += "PING \(i)\r\n"
                expected.append("$\("\(i)".count)|\(i)")
            } else {
                commands += "CL.THROTTLE k\(i) \(i) 1000 1\r\n"
                expected.append("*5|:0|:\(i + 1)|:\(i)|:-1|:1")
            }
        }
        conversation.feed(Array(commands.utf8))
        var answers: [String] = []
        var open: [PendingRequest] = []
        var steps = 0
        while steps < 10_000, conversation.unreadCount > 0 || !conversation.session.isSettled || !open.isEmpty {
            steps += 1
            open += conversation.session.requests
            conversation.session.requests = []
            #expect(open.count <= options.mostWaiting)
            if !open.isEmpty {
                let request = open.remove(at: random.below(open.count))
                _ = conversation.session.decided(conversation.place(request), node.limiter.decide(request))
            }
            let answer = conversation.take()
            if !answer.isEmpty { answers.append(answer) }
            conversation.feed([])
        }
        answers.append(conversation.take())
        #expect(
            answers.filter { !$0.isEmpty }.joined(separator: "|") == expected.joined(separator: "|"), "seed \(seed)")
    }

    // MARK: Limits: at each, and one past it

    @Test func noMoreIsTakenThanMayWait() throws {
        let node = try TestNode()
        node.limiter.isHolding = true
        var options = RESPServer.Options()
        options.mostWaiting = 3
        var conversation = Conversation(node, options)
        #expect(conversation.send("CL.THROTTLE a 0 1 1\nPING\nCL.THROTTLE b 0 1 1") == "")
        #expect(conversation.session.isBlocked == true)
        #expect(conversation.unreadCount == 0)
        #expect(conversation.send("PING last") == "")
        #expect(conversation.unreadCount == 11, "one more is left where it is")
        let requests = conversation.session.requests
        _ = conversation.session.decided(conversation.place(requests[0]), node.limiter.decide(requests[0]))
        #expect(conversation.take() == "*5|:0|:1|:0|:-1|:1|+PONG")
        conversation.feed([])
        #expect(conversation.unreadCount == 0)
        _ = conversation.session.decided(conversation.place(requests[1]), node.limiter.decide(requests[1]))
        #expect(conversation.take() == "*5|:0|:1|:0|:-1|:1|$4|last")
    }

    @Test func noMoreIsTakenThanOutputHasRoomFor() throws {
        var options = RESPServer.Options()
        options.mostOutput = 14
        var conversation = Conversation(try TestNode(), options)
        conversation.feed(Array("PING\r\nPING\r\nPING\r\n".utf8))
        #expect(conversation.unreadCount == 6)
        #expect(conversation.take() == "+PONG|+PONG")
        conversation.feed([])
        #expect(conversation.take() == "+PONG")
    }

    @Test func repliesThatWaitCountAsOutput() throws {
        let node = try TestNode()
        node.limiter.isHolding = true
        var options = RESPServer.Options()
        options.mostOutput = 14
        var conversation = Conversation(node, options)
        conversation.feed(Array("CL.THROTTLE a 0 1 1\r\nPING\r\nPING\r\nPING\r\n".utf8))
        #expect(conversation.unreadCount == 6)
        let request = try #require(conversation.session.requests.first)
        _ = conversation.session.decided(conversation.place(request), node.limiter.decide(request))
        #expect(conversation.take() == "*5|:0|:1|:0|:-1|:1|+PONG|+PONG")
    }

    // MARK: Ending

    @Test func quitIsAnsweredBehindWhatWaitsAndNothingFollows() throws {
        let node = try TestNode()
        node.limiter.isHolding = true
        var conversation = Conversation(node)
        #expect(conversation.send("CL.THROTTLE a 0 1 1\nQUIT\nPING") == "")
        #expect(conversation.session.isEnding == true)
        let requests = conversation.session.requests
        conversation.session.requests = []
        #expect(conversation.session.isSettled == false)
        _ = conversation.session.decided(conversation.place(requests[0]), node.limiter.decide(requests[0]))
        #expect(conversation.take() == "*5|:0|:1|:0|:-1|:1|+OK")
        #expect(conversation.session.isSettled == true)
    }

    @Test func aBrokenStreamIsAnsweredOnceAndEnds() throws {
        var conversation = Conversation(try TestNode())
        #expect(conversation.send("PING\n*1\n$-5\nPING\n*x") == "+PONG|-ERR Protocol error: invalid bulk length")
        #expect(conversation.session.isEnding == true)
        #expect(conversation.session.counts[.protocolErrors] == 1)
    }
}

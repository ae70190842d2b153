import LimiterCore
import NIOCore
import TestSupport
import Testing

@testable import HTTPFrontend

/// `POST /v1/acquire` as a client sees it.
@Suite(.inRealTime) struct AcquireTests {
    static let call = #"{"rule":"api","key":"user:42","cost":1}"#

    @Test func fourTokensPassAndTheFifthIsTold() async throws {
        try await Bench.run { bench in
            var remaining: [String] = []
            for _ in 0..<4 {
                let answer = try await bench.acquire(Self.call)
                #expect(answer.status == 200)
                remaining.append(answer.body)
            }
            #expect(
                remaining == [
                    #"{"allowed":true,"limit":4,"remaining":3,"retryAfterMs":0,"resetAfterMs":500}"#,
                    #"{"allowed":true,"limit":4,"remaining":2,"retryAfterMs":0,"resetAfterMs":1000}"#,
                    #"{"allowed":true,"limit":4,"remaining":1,"retryAfterMs":0,"resetAfterMs":1500}"#,
                    #"{"allowed":true,"limit":4,"remaining":0,"retryAfterMs":0,"resetAfterMs":2000}"#,
                ])
            let fifth = try await bench.acquire(Self.call)
            #expect(fifth.status == 429)
            #expect(fifth.body == #"{"allowed":false,"limit":4,"remaining":0,"retryAfterMs":500,"resetAfterMs":2000}"#)
            #expect(fifth.headers["content-type"] == "application/json")
            #expect(fifth.headers["ratelimit-policy"] == #""api";q=4;w=2"#)
            #expect(fifth.headers["ratelimit"] == #""api";r=0;t=1"#)
            #expect(fifth.headers["retry-after"] == "1")
            #expect(fifth.headers["x-ratelimit-limit"] == "4")
            #expect(fifth.headers["x-ratelimit-remaining"] == "0")
            #expect(fifth.headers["x-ratelimit-reset"] == "2")
            bench.clock.advance(500_000_000)
            let sixth = try await bench.acquire(Self.call)
            #expect(sixth.status == 200)
            #expect(sixth.headers["ratelimit"] == #""api";r=0;t=2"#)
            #expect(sixth.headers["retry-after"] == nil)
            #expect(sixth.headers["date"]?.hasSuffix(" GMT") == true)
        }
    }

    @Test func anAllowanceIsSpentWithoutTheRuntime() async throws {
        try await Bench.run { bench in
            let directory = try #require(bench.path.directory)
            let names = (rule: Array("api".utf8), key: Array("user:42".utf8))
            let found = directory.bucket(rule: names.rule.span.bytes, key: names.key.span.bytes)
            let bucket = try #require(found)
            let scaled = directory.drift.longest(bench.clock.now.ns)
            bench.path.withTable(for: bucket.id) { table in
                let start = AxisTime(ns: scaled)
                let isInstalled = table.install(
                    bucket.id, span: (start, start + 2 * bucket.limit.emissionInterval),
                    tat: start + bucket.limit.tolerance, base: 0, tag: 1, scaled: scaled)
                #expect(isInstalled)
            }
            #expect(try await bench.acquire(Self.call).status == 200)
            #expect(try await bench.acquire(Self.call).status == 200)
            #expect(try await bench.acquire(Self.call).status == 429)
            #expect(bench.handler.submitted.isEmpty)
            // A caller who would wait is not refused from the table: only the owner knows when its turn comes.
            _ = try await bench.acquire(#"{"rule":"api","key":"user:42","waitMs":1}"#)
            #expect(bench.handler.submitted.map(\.longestWait) == [1_000_000])
        }
    }

    @Test func aPeekSpendsNothing() async throws {
        try await Bench.run { bench in
            for _ in 0..<3 {
                let answer = try await bench.acquire(#"{"rule":"api","key":"k","cost":0}"#)
                #expect(answer.body == #"{"allowed":true,"limit":4,"remaining":4,"retryAfterMs":0,"resetAfterMs":0}"#)
            }
        }
    }

    @Test func escapesMeanWhatTheyStandFor() async throws {
        try await Bench.run { bench in
            _ = try await bench.acquire(#"{"rule":"api","key":"é😀","cost":4}"#)
            let answer = try await bench.acquire(#" { "\u006bey" : "\u00e9\uD83D\ude00" , "r\u0075le" : "\u0061pi" } "#)
            #expect(answer.status == 429)
            #expect(bench.handler.submitted.map(\.key) == [Array("é😀".utf8), Array("é😀".utf8)])
        }
    }

    @Test func aShadowRuleRefusesNothing() async throws {
        try await Bench.run { bench in
            let first = try await bench.acquire(#"{"rule":"shadow","key":"k","cost":4}"#)
            #expect(!first.body.contains("shadow"))
            let second = try await bench.acquire(#"{"rule":"shadow","key":"k","cost":4}"#)
            #expect(second.status == 200)
            #expect(
                second.body
                    == #"{"allowed":true,"limit":4,"remaining":0,"retryAfterMs":0,"resetAfterMs":2000,"shadow":true}"#)
        }
    }

    // MARK: Waiting

    @Test func aRequestWaitsForItsTurn() async throws {
        try await Bench.run { bench in
            _ = try await bench.acquire(#"{"rule":"api","key":"k","cost":4}"#)
            let late = try await bench.acquire(#"{"rule":"api","key":"k","waitMs":499}"#)
            #expect(late.status == 429)
            let answer = try await bench.acquire(#"{"rule":"api","key":"k","waitMs":500}"#)
            #expect(answer.status == 200)
            #expect(answer.body.hasSuffix(#","waitedMs":500}"#))
            #expect(bench.sleeper.asked == [500_000_000])
        }
    }

    @Test func theRuleSaysHowLongUnlessTheCallerDoes() async throws {
        try await Bench.run { bench in
            for body in [
                #"{"rule":"slow","key":"k"}"#, #"{"rule":"slow","key":"k","waitMs":0}"#,
                #"{"rule":"slow","key":"k","waitMs":7}"#, #"{"rule":"slow","key":"k","waitMs":9223372036854775807}"#,
                #"{"rule":"api","key":"k"}"#,
            ] {
                _ = try await bench.acquire(body)
            }
            #expect(
                bench.handler.submitted.map(\.longestWait) == [2_000_000_000, 0, 7_000_000, 3_600_000_000_000, 0])
        }
    }

    @Test func aClientThatGoesStopsItsWait() async throws {
        try await Bench.run { bench in
            bench.sleeper.sleepForEver()
            _ = try await bench.acquire(#"{"rule":"api","key":"k","cost":4}"#)
            try await Client.connect(port: bench.port) { session in
                try await session.send(
                    Client.Session.request(
                        "POST", "/v1/acquire", Array(#"{"rule":"api","key":"k","waitMs":5000}"#.utf8)))
                try await bench.sleeper.wait(for: 1)
            }
            try await bench.sleeper.wait(forWoken: 1)
            #expect(bench.pending.count == 0)
        }
    }

    @Test func aStoppingServerWaitsForNobody() async throws {
        try await Bench.run { bench in
            bench.sleeper.sleepForEver()
            _ = try await bench.acquire(#"{"rule":"api","key":"k","cost":4}"#)
            let answer = try await Client.connect(port: bench.port) { session in
                try await session.send(
                    Client.Session.request(
                        "POST", "/v1/acquire", Array(#"{"rule":"api","key":"k","waitMs":5000}"#.utf8)))
                try await bench.sleeper.wait(for: 1)
                async let stopped: Void = bench.shutDown()
                let answer = try await session.answer()
                await stopped
                return answer
            }
            #expect(answer.status == 503)
            #expect(answer.body.contains("the node is stopping"))
        }
    }

    @Test func aClientThatGoesLeavesNothingBehind() async throws {
        try await Bench.run { bench in
            bench.handler.hold()
            try await Client.connect(port: bench.port) { session in
                try await session.send(
                    Client.Session.request("POST", "/v1/acquire", Array(Self.call.utf8)))
                while bench.handler.submitted.isEmpty { try await Task.sleep(nanoseconds: 1_000_000) }
            }
            #expect(bench.pending.count == 1)
            bench.handler.release()
            #expect(bench.pending.count == 0)
            #expect(try await bench.acquire(Self.call).status == 200)
        }
    }

    @Test func pipelinedRequestsAreAnsweredInTheirOrder() async throws {
        try await Bench.run { bench in
            let limits = try await Client.connect(port: bench.port) { session in
                var bytes: [UInt8] = []
                for i in 0..<20 {
                    bytes += Client.Session.request(
                        "POST", "/v1/acquire", Array(#"{"rule":"api","key":"k\#(i)","cost":\#(i % 5)}"#.utf8))
                }
                try await session.send(bytes)
                var remaining: [String] = []
                for _ in 0..<20 { remaining.append(try await session.answer().headers["x-ratelimit-remaining"] ?? "") }
                return remaining
            }
            #expect(limits == (0..<20).map { "\(4 - $0 % 5)" })
        }
    }

    // MARK: What is refused

    @Test(arguments: [
        (Decision.Cause.isolated, "cannot reach the owner"), (.timeout, "no decision came in time"),
        (.overloaded, "too many requests are waiting"), (.starting, "still forming"),
    ]) func whereNothingCanBeDecided(cause: Decision.Cause, detail: String) async throws {
        try await Bench.run { bench in
            bench.handler.fail(cause)
            let answer = try await bench.acquire(Self.call)
            #expect(answer.status == 503)
            #expect(answer.headers["retry-after"] == "1")
            #expect(answer.headers["content-type"] == "application/problem+json")
            #expect(
                answer.body.hasPrefix(
                    #"{"type":"https://iana.org/assignments/http-problem-types#temporary-reduced-capacity","#))
            #expect(answer.body.contains(detail))
        }
    }

    @Test func beforeTheClusterIsFormed() async throws {
        let path = DecisionPath(capacity: 8, shards: 1) { ClockTime(ns: 1) }
        let clock = ManualClock()
        let acquirer = Acquirer(
            path: path, handler: PlainHandler(clock: clock), pending: PendingDecisions(), turn: .real,
            hasLegacyHeaders: true)
        #expect(throws: Problem.self) { try acquirer.step(ByteBuffer(string: Self.call)) }
    }

    @Test func anUnknownRuleIsToldItsNeighbours() async throws {
        try await Bench.run { bench in
            let answer = try await bench.acquire(#"{"rule":"apu","key":"k"}"#)
            #expect(answer.status == 404)
            #expect(answer.body.contains(#""detail":"no rule is called 'apu'; did you mean 'api'?""#))
            #expect(answer.body.hasSuffix(#","near":["api"]}"#))
            #expect(try await bench.acquire(#"{"rule":"","key":"k"}"#).status == 404)
        }
    }

    @Test func costsAtTheBurstAndAboveIt() async throws {
        try await Bench.run { bench in
            #expect(try await bench.acquire(#"{"rule":"api","key":"k","cost":4}"#).status == 200)
            let answer = try await bench.acquire(#"{"rule":"api","key":"k","cost":5}"#)
            #expect(answer.status == 422)
            #expect(answer.body.contains("a cost of 5 is above the burst of 4 tokens"))
        }
    }

    @Test func keysAtTheirLimitsAndPastThem() async throws {
        try await Bench.run { bench in
            let longest = String(repeating: "k", count: 4096)
            let escaped = String(repeating: "\\u006b", count: 4096)
            for (key, expected) in [
                ("", 400), (longest, 200), (longest + "k", 400), (escaped, 200), (escaped + "k", 400),
            ] {
                let status = try await bench.acquire(#"{"rule":"api","key":"\#(key)"}"#).status
                #expect(status == expected)
            }
        }
    }

    @Test func bodiesAtTheirLimitAndPastIt() async throws {
        try await Bench.run { bench in
            let padding = AcquireBody.mostBytes - Self.call.utf8.count
            let most = Self.call + String(repeating: " ", count: padding)
            #expect(try await bench.acquire(most).status == 200)
            let answer = try await bench.acquire(most + " ")
            #expect(answer.status == 413)
            #expect(answer.body.contains("the body may have at most 65536 bytes"))
            // The same without a length up front.
            let chunk = String(most.utf8.count, radix: 16) + "\r\n" + most + "\r\n"
            for (end, status) in [("0\r\n\r\n", 200), ("1\r\n \r\n0\r\n\r\n", 413)] {
                let answer = try await Client.connect(port: bench.port) { session in
                    let head = "POST /v1/acquire HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n"
                    try await session.send(Array((head + chunk + end).utf8))
                    return try await session.answer()
                }
                #expect(answer.status == status)
            }
        }
    }

    @Test func aBodyThatCannotBeReadIsToldWhere() async throws {
        try await Bench.run { bench in
            let answer = try await bench.acquire(#"{"rule":"api","key":7}"#)
            #expect(answer.status == 400)
            #expect(
                answer.body
                    == #"{"type":"urn:millrace:problem:malformed-request","title":"The request cannot be read","status":400,"#
                    + #""detail":"body, byte 20: field 'key': expected a string in double quotes","#
                    + #""remedy":"send JSON such as {\"rule\":\"api\",\"key\":\"user:42\",\"cost\":1}"}"#)
        }
    }
}

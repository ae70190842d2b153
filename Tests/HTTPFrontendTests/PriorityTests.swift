import LimiterCore
import Testing

@testable import HTTPFrontend

/// `"priority": "critical"`, as a client sees it: a rule with ten tokens, five of which are kept.
@Suite struct PriorityTests {
    private func run(_ body: (Bench) async throws -> Void) async throws {
        try await Bench.run { (bench: Bench) async throws in
            let limit = try Limit(tokens: 1, per: 1_000_000_000, burst: 10)
            _ = try await bench.control.apply([Rule(name: "kept", limit: limit, reserveForCritical: 50)])
            try await body(bench)
        }
    }

    @Test func aNormalRequestSeesItsOwnSmallerLimit() async throws {
        try await run { bench in
            let normal = try await bench.acquire(#"{"rule":"kept","key":"k","cost":5}"#)
            #expect(normal.status == 200 && normal.body.contains(#""limit":5,"remaining":0"#))
            #expect(try await bench.acquire(#"{"rule":"kept","key":"k","priority":"normal"}"#).status == 429)
            let critical = try await bench.acquire(#"{"rule":"kept","key":"k","cost":2,"priority":"critical"}"#)
            #expect(critical.status == 200 && critical.body.contains(#""limit":10,"remaining":3"#))
            // Two tokens more than it may have gone: three seconds for the next one.
            let refused = try await bench.acquire(#"{"rule":"kept","key":"k"}"#)
            #expect(refused.status == 429 && refused.body.contains(#""retryAfterMs":3000"#))
        }
    }

    @Test func whatIsNotOpenToItCanNeverPass() async throws {
        try await run { bench in
            let normal = try await bench.acquire(#"{"rule":"kept","key":"k","cost":6}"#)
            #expect(normal.status == 422 && normal.body.contains("open to requests of normal priority"))
            #expect(try await bench.acquire(#"{"rule":"kept","key":"k","cost":6,"priority":"critical"}"#).status == 200)
            #expect(
                try await bench.acquire(#"{"rule":"kept","key":"k","cost":11,"priority":"critical"}"#).status == 422)
        }
    }

    @Test func onlyACriticalOneMayWait() async throws {
        try await run { bench in
            _ = try await bench.acquire(#"{"rule":"kept","key":"k","cost":10,"priority":"critical"}"#)
            #expect(try await bench.acquire(#"{"rule":"kept","key":"k","waitMs":60000}"#).status == 429)
            let critical = #"{"rule":"kept","key":"k","waitMs":60000,"priority":"critical"}"#
            #expect(try await bench.acquire(critical).status == 200)
            #expect(bench.handler.submitted.map(\.longestWait) == [0, 0, 60_000_000_000])
        }
    }

    @Test func permitsAndReservationsHaveOnePriority() async throws {
        try await run { bench in
            let permits = #""permits":[{"rule":"kept","key":"a","cost":7},{"rule":"kept","key":"b"}]"#
            #expect(try await bench.acquire("{\(permits)}").status == 422)
            #expect(try await bench.acquire(#"{"priority":"critical",\#(permits)}"#).status == 200)
            let inside = try await bench.acquire(#"{"permits":[{"rule":"kept","key":"a","priority":"critical"}]}"#)
            #expect(inside.status == 400 && inside.body.contains("the priority stands beside 'permits'"))
            let reserve = #"{"rule":"kept","key":"c","cost":8,"priority":"critical"}"#
            #expect(try await bench.call("POST", "/v1/reserve", reserve).status == 200)
        }
    }

    @Test func unknownWordsAreRefused() async throws {
        try await run { bench in
            for word in [#""high""#, #""Critical""#, #""""#, "1", "true"] {
                let answer = try await bench.acquire(#"{"rule":"kept","key":"k","priority":\#(word)}"#)
                #expect(answer.status == 400 && answer.body.contains("priority"), "\(word): \(answer.body)")
            }
            let twice = #"{"rule":"kept","key":"k","priority":"normal","priority":"critical"}"#
            #expect(try await bench.acquire(twice).status == 400)
        }
    }
}

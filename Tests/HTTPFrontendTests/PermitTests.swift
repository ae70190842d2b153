import LimiterCore
import TestSupport
import Testing

@testable import HTTPFrontend

/// Several permits at once, and reservations, as a client sees them. The rules are those of ``Bench``: four tokens, two a second.
@Suite(.inRealTime) struct PermitTests {
    private func permits(_ list: [(String, Int)]) -> String {
        let each = list.map { #"{"rule":"api","key":"\#($0.0)","cost":\#($0.1)}"# }
        return #"{"permits":["# + each.joined(separator: ",") + "]}"
    }

    @Test func allOfThemPass() async throws {
        try await Bench.run { (bench: Bench) async throws in
            let answer = try await bench.acquire(permits([("a", 1), ("b", 3), ("c", 2)]))
            #expect(answer.status == 200)
            // The one with the least left.
            #expect(
                answer.body
                    == #"{"allowed":true,"limit":4,"remaining":1,"retryAfterMs":0,"resetAfterMs":1500,"rule":"api"}"#)
        }
    }

    @Test func oneThatIsRefusedLeavesTheOthersTheirTokens() async throws {
        try await Bench.run { (bench: Bench) async throws in
            #expect(try await bench.acquire(#"{"rule":"api","key":"b","cost":4}"#).status == 200)
            let refused = try await bench.acquire(permits([("a", 3), ("b", 1), ("c", 1)]))
            #expect(refused.status == 429)
            #expect(refused.headers["retry-after"] == "1")
            #expect(refused.body.contains(#""retryAfterMs":500"#))
            // What was gathered for `a` is held by this node: its next request needs nobody.
            let asked = bench.handler.submitted.count
            #expect(try await bench.acquire(#"{"rule":"api","key":"a","cost":3}"#).status == 200)
            #expect(bench.handler.submitted.count == asked)
            // And was charged once.
            #expect(try await bench.acquire(#"{"rule":"api","key":"a","cost":1}"#).status == 200)
            #expect(try await bench.acquire(#"{"rule":"api","key":"a","cost":1}"#).status == 429)
        }
    }

    @Test func theSameKeyTwice() async throws {
        try await Bench.run { (bench: Bench) async throws in
            #expect(try await bench.acquire(permits([("a", 2), ("a", 2)])).status == 200)
            #expect(try await bench.acquire(permits([("b", 3), ("b", 3)])).status == 429)
        }
    }

    @Test func whatCanNeverPassCostsNothing() async throws {
        try await Bench.run { (bench: Bench) async throws in
            let answer = try await bench.acquire(permits([("a", 1), ("b", 5)]))
            #expect(answer.status == 422)
            #expect(bench.handler.submitted.isEmpty)
            #expect(try await bench.acquire(#"{"permits":[{"rule":"nope","key":"k"}]}"#).status == 404)
        }
    }

    @Test func sixteenAtMost() async throws {
        try await Bench.run { (bench: Bench) async throws in
            let keys = (0..<17).map { ("k\($0)", 1) }
            #expect(try await bench.acquire(permits(Array(keys.prefix(16)))).status == 200)
            let answer = try await bench.acquire(permits(keys))
            #expect(answer.status == 400)
            #expect(answer.body.contains("more than 16 permits"))
        }
    }

    @Test func nobodyCanTell() async throws {
        try await Bench.run { (bench: Bench) async throws in
            bench.handler.fail(.isolated)
            #expect(try await bench.acquire(permits([("a", 1)])).status == 503)
        }
    }

    // MARK: Reservations

    private func reserve(_ bench: Bench, _ cost: Int, ttl: Int? = nil) async throws -> (Answer, id: String) {
        let ttl = ttl.map { #","ttlMs":\#($0)"# } ?? ""
        let answer = try await bench.call("POST", "/v1/reserve", #"{"rule":"api","key":"k","cost":\#(cost)\#(ttl)}"#)
        let id = answer.body.split(separator: #""id":""#).dropFirst().first?.prefix { $0 != "\"" } ?? ""
        return (answer, String(id))
    }

    @Test func whatIsNotUsedGoesBack() async throws {
        try await Bench.run { (bench: Bench) async throws in
            let (answer, id) = try await reserve(bench, 4)
            #expect(answer.status == 200)
            #expect(!id.isEmpty)
            #expect(try await bench.acquire(#"{"rule":"api","key":"k","cost":1}"#).status == 429)
            let commit = try await bench.call("POST", "/v1/reserve/\(id)/commit", #"{"actual":1}"#)
            #expect(commit.body == #"{"committed":1,"returned":3}"#)
            for _ in 0..<3 { #expect(try await bench.acquire(#"{"rule":"api","key":"k","cost":1}"#).status == 200) }
            #expect(try await bench.acquire(#"{"rule":"api","key":"k","cost":1}"#).status == 429)
            // Once only.
            #expect(try await bench.call("POST", "/v1/reserve/\(id)/commit", #"{"actual":1}"#).status == 404)
            #expect(try await bench.call("POST", "/v1/reserve/\(id)/cancel").status == 404)
        }
    }

    @Test func aCancelledOneGoesBackWhole() async throws {
        try await Bench.run { (bench: Bench) async throws in
            let (_, id) = try await reserve(bench, 4)
            #expect(try await bench.call("POST", "/v1/reserve/\(id)/cancel").body == #"{"committed":0,"returned":4}"#)
            #expect(try await bench.acquire(#"{"rule":"api","key":"k","cost":4}"#).status == 200)
        }
    }

    @Test func anExpiredOneCountsAsUsed() async throws {
        try await Bench.run { (bench: Bench) async throws in
            let (_, id) = try await reserve(bench, 4, ttl: 100)
            bench.clock.advance(100_000_001)
            let late = try await bench.call("POST", "/v1/reserve/\(id)/commit", #"{"actual":0}"#)
            #expect(late.status == 404)
            #expect(late.body.contains("expired"))
            #expect(try await bench.acquire(#"{"rule":"api","key":"k","cost":1}"#).status == 429)
        }
    }

    @Test func moreThanWasReserved() async throws {
        try await Bench.run { (bench: Bench) async throws in
            let (_, id) = try await reserve(bench, 2)
            let answer = try await bench.call("POST", "/v1/reserve/\(id)/commit", #"{"actual":3}"#)
            #expect(answer.status == 422)
            #expect(answer.body.contains("all 2 count as used"))
        }
    }

    @Test func badReservationsAreTold() async throws {
        try await Bench.run { (bench: Bench) async throws in
            for body in [
                #"{"rule":"api","key":"k","cost":0}"#, #"{"rule":"api","key":"k","ttlMs":0}"#,
                #"{"rule":"api","key":"k","ttlMs":3600001}"#, #"{"rule":"api","key":"k","waitMs":1}"#,
                #"{"permits":[{"rule":"api","key":"k"}]}"#,
            ] { #expect(try await bench.call("POST", "/v1/reserve", body).status == 400, "\(body)") }
            #expect(try await bench.acquire(#"{"rule":"api","key":"k","ttlMs":5}"#).status == 400)
            #expect(try await bench.call("POST", "/v1/reserve/xyz/commit", #"{"actual":1}"#).status == 404)
            #expect(try await bench.call("POST", "/v1/reserve/1/commit", #"{"actual":-1}"#).status == 400)
            #expect(try await bench.call("POST", "/v1/reserve/1/commit", #"{"used":1}"#).status == 400)
            #expect(try await bench.call("POST", "/v1/reserve/1/burn").status == 404)
            #expect(try await bench.call("GET", "/v1/reserve").status == 405)
            #expect(try await reserve(bench, 5).0.status == 422)
        }
    }
}

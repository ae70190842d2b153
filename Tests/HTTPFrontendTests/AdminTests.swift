import Foundation
import LimiterCore
import Synchronization
import TestSupport
import Testing

@testable import HTTPFrontend

@Suite(.inRealTime) struct AdminTests {
    @Test func health() async throws {
        try await Bench.run { bench in
            #expect(try await bench.call("GET", "/healthz").body == #"{"status":"ok"}"#)
            #expect(try await bench.call("GET", "/readyz").body == #"{"ready":true}"#)
            bench.control.state.withLock { $0.readiness = .notReady("no leader") }
            let answer = try await bench.call("GET", "/readyz")
            #expect(answer.status == 503)
            #expect(answer.headers["retry-after"] == "1")
            #expect(answer.body.contains("the node cannot decide yet: no leader"))
            #expect(try await bench.call("GET", "/healthz").status == 200)
        }
    }

    @Test func metrics() async throws {
        try await Bench.run { bench in
            let answer = try await bench.call("GET", "/metrics")
            #expect(answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8")
            #expect(answer.body.hasSuffix("millrace_up 1\n"))
            let head = try await bench.call("HEAD", "/metrics")
            #expect(head.status == 200)
        }
    }

    @Test func theCluster() async throws {
        try await Bench.run { bench in
            let answer = try await bench.call("GET", "/v1/cluster")
            #expect(
                answer.body
                    == #"{"node":1,"leader":null,"term":5,"members":[{"id":1,"address":"127.0.0.1:7101","role":"follower","#
                    + #""reachable":true}],"ranges":[{"id":0,"owner":1,"epoch":3},{"id":1,"owner":null,"epoch":4}],"#
                    + #""commitIndex":17,"clusterTimeMs":42,"incarnation":2,"version":"0.1.0","health":"no leader \"yet\""}"#
            )
            let status = try JSONDecoder().decode(ClusterStatus.self, from: Data(answer.body.utf8))
            #expect(status == (await bench.control.clusterStatus()))
        }
    }

    @Test func busyKeys() async throws {
        try await Bench.run { bench in
            let answer = try await bench.call("GET", "/v1/keys?rule=%61pi&top=7")
            #expect(
                answer.body
                    == #"{"keys":[{"key":"user:\"1\"","rule":"api","tokens":3,"limit":5,"holders":7,"#
                    + #""admittedPerSecond":1.5,"refusedPerSecond":0}]}"#)
            #expect(try await bench.call("GET", "/v1/keys").body.contains(#""rule":"any""#))
            #expect(try await bench.call("GET", "/v1/keys").body.contains(#""holders":20"#))
            for (query, status) in [
                ("top=1000", 200), ("top=0", 400), ("top=1001", 400), ("top=x", 400), ("top=", 400), ("limit=3", 400),
                ("rule=apo", 404), ("rule=%zz", 400), ("rule=%ff", 400),
            ] {
                #expect(try await bench.call("GET", "/v1/keys?\(query)").status == status, "\(query)")
            }
        }
    }

    // MARK: Rules

    @Test func aRuleFromItsBeginningToItsEnd() async throws {
        try await Bench.run { bench in
            let rule = #"{"rate":{"tokens":5,"per":"1m"}}"#
            #expect(try await bench.call("PUT", "/v1/rules/login", rule).body == #"{"name":"login","version":12}"#)
            let shown = try await bench.call("GET", "/v1/rules/login").body
            #expect(
                shown
                    == #"{"name":"login","rate":{"tokens":5,"per":"1m"},"burst":5,"onLimit":"reject","onIsolation":"deny","#
                    + #""exact":false,"shadow":false,"reserveForCritical":"0%","overrides":{},"version":12}"#)
            // What is shown can be sent back.
            #expect(try await bench.call("PUT", "/v1/rules/login", shown).body == #"{"name":"login","version":13}"#)
            #expect(try await bench.acquire(#"{"rule":"login","key":"k","cost":5}"#).status == 200)
            let deleted = try await bench.call("DELETE", "/v1/rules/login")
            #expect(deleted.body == #"{"name":"login","deleted":true}"#)
            #expect(try await bench.call("DELETE", "/v1/rules/login").status == 404)
            #expect(try await bench.call("GET", "/v1/rules/login").status == 404)
            #expect(try await bench.acquire(#"{"rule":"login","key":"k"}"#).status == 404)
        }
    }

    @Test func theListIsInTheOrderOfNamesAndCanBeSentBack() async throws {
        try await Bench.run { bench in
            let list = try await bench.call("GET", "/v1/rules").body
            let names = list.components(separatedBy: #""name":""#).dropFirst().map { $0.prefix { $0 != "\"" } }
            #expect(names == ["api", "shadow", "slow"])
            #expect(try await bench.call("PUT", "/v1/rules", list).body == #"{"applied":3,"version":12}"#)
        }
    }

    @Test func aFileIsAppliedWholeOrNotAtAll() async throws {
        try await Bench.run { bench in
            let yaml = "rules:\n  - {name: a, rate: {tokens: 1, per: 1s}}\n  - {name: b, rate: {tokens: 1, per: 1s}}\n"
            let applied = try await bench.call("POST", "/v1/rules", yaml, headers: ["Content-Type: application/yaml"])
            #expect(applied.body == #"{"applied":2,"version":12}"#)
            let bad = yaml + "  - {name: c, rate: {tokens: 0, per: 1s}}\n"
            let refused = try await bench.call("POST", "/v1/rules", bad, headers: ["Content-Type: text/yaml"])
            #expect(refused.status == 422)
            #expect(refused.body.contains("body:4:30: rule 'c': field 'rate.tokens': found '0'"))
            #expect(try await bench.call("GET", "/v1/rules/c").status == 404)
            // Without the content type it is JSON, and that is not.
            #expect(try await bench.call("POST", "/v1/rules", yaml).status == 400)
        }
    }

    @Test func badRulesAreRefusedWithTheirReasons() async throws {
        try await Bench.run { bench in
            let answer = try await bench.call("PUT", "/v1/rules/a", #"{"rate":{"tokens":0,"per":"1y"},"brust":1}"#)
            #expect(answer.status == 422)
            #expect(answer.headers["content-type"] == "application/problem+json")
            #expect(answer.body.contains(#""problems":["body:1:19: "#))
            for (path, body, status) in [
                ("/v1/rules/a", "", 400), ("/v1/rules/a", "{", 400), ("/v1/rules/a", "[]", 422),
                ("/v1/rules/A", #"{"rate":{"tokens":1,"per":"1s"}}"#, 422),
                ("/v1/rules/a", #"{"name":"b","rate":{"tokens":1,"per":"1s"}}"#, 422), ("/v1/rules", "{}", 422),
            ] {
                #expect(try await bench.call("PUT", path, body).status == status, "\(path) \(body)")
            }
            let bytes: [UInt8] = [0x22, 0xFF, 0x22]
            let bad = try await Client.connect(port: bench.port) { try await $0.call("PUT", "/v1/rules/a", bytes) }
            #expect(bad.status == 400)
        }
    }

    @Test func bodiesAtTheirLimitAndPastIt() async throws {
        try await Bench.run { bench in
            let rule = #"{"rate":{"tokens":1,"per":"1s"}}"#
            let most = rule + String(repeating: " ", count: AdminRoutes.mostBytes - rule.utf8.count)
            let atLimit = try await bench.call("PUT", "/v1/rules/a", most)
            #expect(atLimit.status == 200)
            let past = try await bench.call("PUT", "/v1/rules/a", most + " ")
            #expect(past.status == 413)
        }
    }

    @Test(arguments: [
        (ControlError(.refused, "too many rules"), 422), (ControlError(.unavailable, "no leader"), 503),
        (ControlError(.timeout, "no commit in time"), 503),
    ]) func whatTheClusterDoesNotDo(error: ControlError, status: Int) async throws {
        try await Bench.run { bench in
            bench.control.state.withLock { $0.failure = error }
            for (method, path, body) in [
                ("PUT", "/v1/rules/a", #"{"rate":{"tokens":1,"per":"1s"}}"#), ("DELETE", "/v1/rules/api", ""),
                ("POST", "/v1/rules", #"{"rules":[]}"#),
            ] {
                let answer = try await bench.call(method, path, body)
                #expect(answer.status == status)
                #expect(answer.body.contains("\"detail\":\"\(error.message)\""))
                #expect((answer.headers["retry-after"] != nil) == (status == 503))
            }
        }
    }

    // MARK: Routing

    @Test(arguments: [
        ("GET", "/v1/acquire", "POST"), ("DELETE", "/v1/rules", "GET, PUT, POST, HEAD"),
        ("POST", "/v1/rules/api", "GET, PUT, DELETE, HEAD"), ("PATCH", "/v1/cluster", "GET, HEAD"),
        ("POST", "/v1/keys", "GET, HEAD"), ("PUT", "/healthz", "GET, HEAD"), ("POST", "/readyz", "GET, HEAD"),
        ("DELETE", "/metrics", "GET, HEAD"),
    ]) func wrongMethods(method: String, path: String, allow: String) async throws {
        try await Bench.run { bench in
            let answer = try await bench.call(method, path)
            #expect(answer.status == 405)
            #expect(answer.headers["allow"] == allow)
        }
    }

    @Test(arguments: ["/", "/v1", "/v2/acquire", "/v1/rules/a/b", "/v1/acquire/", "/healthz/", "/v1/acquir%65x"])
    func unknownPaths(path: String) async throws {
        try await Bench.run { bench in
            let answer = try await bench.call("GET", path)
            #expect(answer.status == 404)
            for path in Router.paths { #expect(answer.body.contains(path)) }
        }
    }

    @Test func theTokenIsAskedForEverywhereButAtHealthz() async throws {
        try await Bench.run(.init(port: 0, token: "s3cret")) { bench in
            for (method, path) in [
                ("POST", "/v1/acquire"), ("GET", "/v1/rules"), ("PUT", "/v1/rules/a"), ("GET", "/metrics"),
                ("GET", "/readyz"),
                ("GET", "/nowhere"),
            ] {
                for header in [
                    "X: y", "Authorization: Bearer s3cre", "Authorization: Bearer s3cret2",
                    "Authorization: Basic s3cret",
                    "Authorization: Bearer", "Authorization: s3cret",
                ] {
                    let answer = try await bench.call(method, path, headers: [header])
                    #expect(answer.status == 401, "\(path) \(header)")
                    #expect(answer.headers["www-authenticate"] == #"Bearer realm="millrace""#)
                }
            }
            #expect(try await bench.call("GET", "/healthz").status == 200)
            #expect(try await bench.call("GET", "/v1/rules", headers: ["Authorization: Bearer s3cret"]).status == 200)
            let answer = try await bench.call(
                "POST", "/v1/acquire", AcquireTests.call, headers: ["authorization: bEARER s3cret"])
            #expect(answer.status == 200)
        }
    }

    @Test func headersOfOldCanBeLeftOut() async throws {
        try await Bench.run(.init(port: 0, hasLegacyHeaders: false)) { bench in
            let answer = try await bench.acquire(AcquireTests.call)
            #expect(answer.headers["x-ratelimit-limit"] == nil)
            #expect(answer.headers["ratelimit"] != nil)
        }
    }

    // MARK: Parts

    @Test func requestTargets() throws {
        let target = try #require(RequestTarget("/v1/rules/a%2Fb?x=1&y&z=%20a+b=c#f?"))
        #expect(target.segments == ["v1", "rules", "a/b"])
        #expect(target.query.map(\.name) == ["x", "y", "z"])
        #expect(target.query.map(\.value) == ["1", "", " a b=c"])
        #expect(RequestTarget("/")?.segments == [""])
        for bad in ["/%", "/%4", "/%g0", "/%ff", "/?a=%", "/%４1"] { #expect(RequestTarget(bad) == nil, "\(bad)") }
    }

    @Test func dates() {
        let formatter = DateFormatter()
        formatter.locale = Locale(identifier: "en_US_POSIX")
        formatter.timeZone = TimeZone(identifier: "GMT")
        formatter.dateFormat = "EEE, dd MMM yyyy HH:mm:ss 'GMT'"
        #expect(HTTPDate.text(784_111_777) == "Sun, 06 Nov 1994 08:49:37 GMT")
        var generator = Generator(seed: 1)
        let edges: [Int64] = [0, 951_782_399, 951_782_400, 951_868_800, 4_107_542_399, 4_107_542_400, 1_709_164_800]
        for second in edges + (0..<500).map({ _ in Int64(generator.below(8_000_000_000)) }) {
            #expect(HTTPDate.text(second) == formatter.string(from: Date(timeIntervalSince1970: Double(second))))
        }
    }

    @Test func roundingUp() {
        #expect([-1, 0, 1, 999, 1000, 1001].map { DecisionAnswer.ceiling($0, 1000) } == [0, 0, 1, 1, 1, 2])
    }
}

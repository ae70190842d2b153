import LimiterCore
import Testing

private let second: Int64 = 1_000_000_000
private let secret = KeyedHash(secret: (0xfeed, 0xbeef))

private func limit(_ tokens: Int64, burst: Int64? = nil) throws -> Limit {
    try Limit(tokens: tokens, per: second, burst: burst ?? tokens)
}

private func makeDirectory(_ rules: [VersionedRule]) -> RuleDirectory {
    RuleDirectory(rules: rules, hash: secret, drift: DriftBound(partsPerBillion: 500_000))
}

extension RuleDirectory {
    fileprivate func bucket(_ name: String, _ key: String) -> Bucket? {
        bucket(rule: Array(name.utf8).span.bytes, key: Array(key.utf8).span.bytes)
    }

    fileprivate func bucket(_ limit: Limit, _ key: String) -> Bucket {
        bucket(limit: limit, key: Array(key.utf8).span.bytes)
    }
}

@Suite("Rule directory")
struct RuleDirectoryTests {
    @Test("as many rules as there may be are each found by their own name, and nothing else is")
    func manyRules() throws {
        // Names that share long beginnings and ends, and every length.
        var names: Set<String> = []
        for i in 0..<RuleDirectory.mostRules - 128 {
            names.insert(i % 2 == 0 ? "service-a.\(i).requests-per-user" : "service-a.requests-per-user.\(i)")
        }
        for length in 1...64 {
            names.insert(String(repeating: "a", count: length))
            names.insert(String(repeating: "a", count: length - 1) + "b")
        }
        let rules = try names.sorted().enumerated().map { i, name in
            VersionedRule(rule: try Rule(name: name, limit: limit(Int64(i + 1))), version: UInt64(i + 10))
        }
        #expect(rules.count == RuleDirectory.mostRules)
        let directory = makeDirectory(rules.reversed())
        for (i, rule) in rules.enumerated() {
            let bucket = directory.bucket(rule.rule.name, "k")
            #expect(bucket?.limit == rule.rule.limit)
            #expect(bucket.flatMap { directory.ruleName(of: $0) } == rule.rule.name)
            if i % 16 == 0 {
                for wrong in [
                    rule.rule.name + "x", String(rule.rule.name.dropLast()) + "#", "x" + rule.rule.name.dropFirst(),
                ] {
                    #expect((directory.bucket(wrong, "k") != nil) == names.contains(wrong))
                }
            }
        }
        #expect(directory.bucket("", "k") == nil)
        #expect(directory.bucket(String(repeating: "a", count: 65), "k") == nil)
        #expect(directory.bucket(RuleDirectory.adHocName, "k") == nil)
    }

    @Test("without rules there are no buckets but those of callers' own limits")
    func noRules() throws {
        #expect(makeDirectory([]).bucket("a", "k") == nil)
    }

    @Test("a bucket carries what its rule says")
    func fields() throws {
        let rule = try Rule(
            name: "slow", limit: limit(5), onLimit: .delay(2 * second), onIsolation: .share, exact: true, shadow: true)
        let bucket = try #require(makeDirectory([VersionedRule(rule: rule, version: 3)]).bucket("slow", "k"))
        #expect(bucket.longestWait == 2 * second && bucket.onIsolation == .share && bucket.exact && bucket.shadow)
        #expect(bucket.ruleIndex == 0 && bucket.limit == rule.limit)
    }

    @Test("an override is for its key alone, byte by byte")
    func overrides() throws {
        let composed = "caf\u{e9}"
        let decomposed = "cafe\u{301}"
        #expect(composed == decomposed, "equal strings of different bytes")
        let rule = try Rule(
            name: "api", limit: limit(10),
            overrides: [
                .init(key: "vip", limit: limit(1000)), .init(key: composed, limit: limit(20)),
                .init(key: decomposed, limit: limit(30)),
            ])
        let directory = makeDirectory([VersionedRule(rule: rule, version: 1)])
        #expect(try directory.bucket("api", "vip")?.limit == limit(1000))
        #expect(try directory.bucket("api", composed)?.limit == limit(20))
        #expect(try directory.bucket("api", decomposed)?.limit == limit(30))
        for key in ["", "vi", "vip ", "VIP", "cafe"] { #expect(try directory.bucket("api", key)?.limit == limit(10)) }
        #expect(directory.bucket("api", "vip")?.id.toleranceClass == 30)
    }

    @Test("a new version means new buckets in the same ranges; an equal one means the same buckets")
    func versions() throws {
        let rule = try Rule(name: "api", limit: limit(10))
        let old = makeDirectory([VersionedRule(rule: rule, version: 7)])
        let new = makeDirectory([VersionedRule(rule: rule, version: 8)])
        let other = makeDirectory([
            VersionedRule(rule: try Rule(name: "aaa", limit: limit(1)), version: 9),
            VersionedRule(rule: rule, version: 7),
        ])
        for key in (0..<100).map({ "user:\($0)" }) {
            let (a, b, c) = (
                try #require(old.bucket("api", key)), try #require(new.bucket("api", key)),
                try #require(other.bucket("api", key))
            )
            #expect(a.id != b.id && a.range == b.range)
            #expect(a.id == c.id && a.range == c.range, "the neighbours do not matter")
        }
    }

    @Test("the buckets of earlier versions can be named, with the limits they had, newest first")
    func predecessors() throws {
        let override = Rule.Override(key: "vip", limit: try limit(500))
        let first = try Rule(name: "api", limit: limit(10), overrides: [override])
        let second = try Rule(name: "api", limit: limit(20))
        let third = try Rule(name: "api", limit: limit(30))
        let directory1 = makeDirectory([VersionedRule(rule: first, version: 1)])
        let directory2 = makeDirectory([VersionedRule(rule: second, version: 2)])
        let directory3 = makeDirectory([
            VersionedRule(
                rule: third, version: 3,
                previous: [
                    .init(version: 2, limit: second.limit, overrides: []),
                    .init(version: 1, limit: first.limit, overrides: [override]),
                ])
        ])
        for key in ["vip", "someone", "v\u{ec}p", ""] {
            let bytes = Array(key.utf8)
            let bucket = try #require(directory3.bucket("api", key))
            let found = directory3.predecessors(of: bucket, key: bytes)
            let one = try #require(directory1.bucket("api", key))
            let two = try #require(directory2.bucket("api", key))
            #expect(found.map(\.id) == [two.id, one.id])
            #expect(found.map(\.emissionInterval) == [two.limit.emissionInterval, one.limit.emissionInterval])
            #expect(directory1.predecessors(of: one, key: bytes).isEmpty)
            // A request that was resolved by an earlier directory has waited while its rule changed.
            #expect(directory3.predecessors(of: two, key: bytes).map(\.id) == [one.id])
            #expect(directory3.predecessors(of: one, key: bytes).isEmpty)
        }
        // Or while others were put beside it, in the same entry or in a later one.
        let before = try Rule(name: "aaa", limit: limit(7))
        let previous = directory3.rules[0].previous
        let moved = makeDirectory([
            VersionedRule(rule: before, version: 3, previous: previous),
            VersionedRule(rule: third, version: 3, previous: previous),
        ])
        let three = try #require(directory3.bucket("api", "vip"))
        let vip = Array("vip".utf8)
        #expect(moved.predecessors(of: three, key: vip) == directory3.predecessors(of: three, key: vip))
        let two = try #require(directory2.bucket("api", "vip"))
        #expect(moved.predecessors(of: two, key: vip) == directory3.predecessors(of: two, key: vip))
        #expect(moved.predecessors(of: two, key: vip).count == 1)
        let stray = Bucket(id: BucketID(high: 1, low: 1), range: RangeID(0), limit: third.limit, ruleIndex: 99)
        #expect(directory3.predecessors(of: stray, key: []).isEmpty)
    }

    @Test("a caller's own limit is part of the identity: interval, burst and unit")
    func adHoc() throws {
        let directory = makeDirectory([])
        // 50 and 60 million a second: both 100 ns a unit, of five and six tokens, in the same tolerance class.
        let limits = [
            try limit(50_000_000, burst: 1000), try limit(60_000_000, burst: 1000), try limit(10_000_000, burst: 1000),
            try limit(50_000_000, burst: 1005), try limit(100, burst: 1000), try limit(101, burst: 1000),
        ]
        #expect(limits[0].emissionInterval == limits[1].emissionInterval && limits[0].unit != limits[1].unit)
        #expect(Set(limits.map { directory.bucket($0, "k").id }).count == limits.count)
        #expect(Set(limits.map { directory.bucket($0, "k").range }).count == 1)
        let bucket = directory.bucket(limits[4], "k")
        #expect(bucket.ruleIndex == -1 && directory.ruleName(of: bucket) == RuleDirectory.adHocName)
        #expect(directory.predecessors(of: bucket, key: [1]).isEmpty)
        #expect(bucket.longestWait == 0 && bucket.onIsolation == .deny && !bucket.exact && !bucket.shadow)
        // The same rate and burst in other words are the same bucket.
        #expect(directory.bucket(try Limit(tokens: 6000, per: 60 * second, burst: 1000), "k").id == bucket.id)
    }

    @Test("limits whose identities agree have the same arithmetic")
    func identities() throws {
        var seen: [String: Limit] = [:]
        var random = SplitMix64(seed: 4)
        for _ in 0..<50_000 {
            guard
                let limit = try? Limit(
                    tokens: random.within(1...(1 << random.within(1...50))),
                    per: random.within(1...(1 << random.within(1...40))),
                    burst: random.within(1...4000))
            else { continue }
            guard let other = seen.updateValue(limit, forKey: "\(limit.identity)") else { continue }
            #expect(other.emissionInterval == limit.emissionInterval && other.unit == limit.unit)
            #expect(other.tolerance == limit.tolerance && other.burst == limit.burst)
        }
    }
}

@Suite("Rules")
struct RuleTests {
    @Test("names have 1 to 64 characters of a few kinds")
    func names() {
        for name in ["a", "api", "a.b_c-9", String(repeating: "z", count: 64)] { #expect(Rule.isName(name), "\(name)") }
        for name in [
            "", "A", "a b", "a/b", "\u{e4}", String(repeating: "z", count: 65), "a\n", RuleDirectory.adHocName,
        ] {
            #expect(!Rule.isName(name), "\(name)")
            #expect(throws: RuleError.self) { try Rule(name: name, limit: limit(1)) }
        }
    }

    @Test("a delay is longer than nothing and at most an hour")
    func delays() throws {
        for ns in [1, Rule.longestDelay] {
            #expect(try Rule(name: "a", limit: limit(1), onLimit: .delay(ns)).longestWait == ns)
        }
        for ns in [.min, -1, 0, Rule.longestDelay + 1] {
            #expect(throws: RuleError.self) { try Rule(name: "a", limit: limit(1), onLimit: .delay(ns)) }
        }
        #expect(try Rule(name: "a", limit: limit(1)).longestWait == 0)
    }

    @Test("overrides: as many as there may be and no more, each key once, no empty or endless keys")
    func overrides() throws {
        func rule(_ keys: [String]) throws -> Rule {
            try Rule(name: "a", limit: limit(1), overrides: keys.map { .init(key: $0, limit: try limit(2)) })
        }
        #expect(try rule(["b", "a", "c"]).overrides.map(\.key) == ["a", "b", "c"])
        #expect(try rule((0..<Rule.mostOverrides).map { "k\($0)" }).overrides.count == Rule.mostOverrides)
        #expect(throws: RuleError.self) { try rule((0...Rule.mostOverrides).map { "k\($0)" }) }
        #expect(throws: RuleError.self) { try rule(["a", "b", "a"]) }
        #expect(throws: RuleError.self) { try rule([""]) }
        #expect(try rule([String(repeating: "k", count: Rule.longestKey)]).overrides.count == 1)
        #expect(throws: RuleError.self) { try rule([String(repeating: "k", count: Rule.longestKey + 1)]) }
    }
}

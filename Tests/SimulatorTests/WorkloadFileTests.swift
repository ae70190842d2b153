import LimiterCore
import RuleFiles
import Testing
import WorkloadFiles

/// A user's own workload: what is read from a file, and what is said about one with mistakes.
@Suite struct WorkloadFileTests {
    static let rules = """
        rules:
          - name: api
            rate: {tokens: 100, per: 1s}
            burst: 200

        """

    /// The messages of everything wrong with a text, each with its place.
    static func problems(_ text: String) -> [String] {
        do {
            _ = try Workload.read(text, file: "w.yaml")
            return []
        } catch {
            return error.problems.map(\.description)
        }
    }

    /// The messages about a file with the rule `api` and one load (line 6, fields from column 5).
    static func problems(load: String) -> [String] { problems(rules + "load:\n  - {rule: api, \(load)}\n") }

    @Test func aWholeFile() throws {
        let text = """
            nodes: 5                 # 3 or 5
            seconds: 60
            profile: split
            rules:
              - name: api
                rate: {tokens: 100, per: 1s}
                burst: 200
              - name: login
                rate: {tokens: 5, per: 1m}
            load:
              - rule: api
                keys: 10
                perSecond: 300
                cost: {from: 1, to: 5}
                pattern: hot
                at: all
              - rule: login
                pattern: {bursts: {every: 500ms, of: 50}}
                at: one
              - {rule: login, perSecond: 2, cost: 3, pattern: steady}
            """
        let workload = try Workload.read(text, file: "w.yaml")
        let expected = Workload(
            nodes: 5, seconds: 60, profile: "split",
            rules: [
                try Rule(name: "api", limit: Limit(tokens: 100, per: 1_000_000_000, burst: 200)),
                try Rule(name: "login", limit: Limit(tokens: 5, per: 60_000_000_000, burst: 5)),
            ],
            loads: [
                Load(rule: "api", keys: 10, perSecond: 300, cost: 1...5, pattern: .hot),
                Load(rule: "login", perSecond: 0, pattern: .bursts(every: 500_000_000, of: 50), at: .one),
                Load(rule: "login", perSecond: 2, cost: 3...3),
            ])
        #expect(workload == expected)
    }

    @Test func whatIsLeftOutHasADefault() throws {
        let workload = try Workload.read(Self.rules + "load:\n  - {rule: api, perSecond: 300}\n", file: "w.yaml")
        #expect(workload.nodes == 3)
        #expect(workload.seconds == 20)
        #expect(workload.profile == nil)
        #expect(workload.loads == [Load(rule: "api", perSecond: 300)])
    }

    @Test func aPartOfTheRequestsMayBeCritical() throws {
        let rules = Self.rules + "    reserveForCritical: 20%\n"
        func read(_ critical: String) throws -> Workload {
            try Workload.read(
                rules + "load:\n  - {rule: api, perSecond: 300, critical: \(critical)}\n", file: "w.yaml")
        }
        #expect(try read("10%").loads == [Load(rule: "api", perSecond: 300, criticalPercent: 10)])
        #expect(try read("0%").loads[0].criticalPercent == 0 && read("100%").loads[0].criticalPercent == 100)
        for wrong in ["101%", "10", "some"] { #expect(throws: (any Error).self) { try read(wrong) } }
        #expect(
            Self.problems(load: "perSecond: 3, critical: 10%").first?.contains("keeps nothing for critical requests")
                == true)
    }

    @Test func allMistakesAtOnceEachInItsPlace() {
        let text = """
            nodes: 4
            seconds: 0
            profile: spilt
            color: red
            rules:
              - name: api
                rate: {tokens: 0, per: 1s}
              - name: login
                rate: {tokens: 5, per: 1m}
            load:
              - rule: api
                keys: 0
                persecond: 300
              - rule: logn
                perSecond: 10
            """
        #expect(
            Self.problems(text) == [
                "w.yaml:1:8: the file: field 'nodes': found '4'; expected 3 or 5",
                "w.yaml:2:10: the file: field 'seconds': found '0'; expected a whole number from 1 to 3600",
                "w.yaml:3:10: the file: field 'profile': found 'spilt': did you mean 'split'?; expected calm, lossy, split, "
                    + "disk, clock, all",
                "w.yaml:4:1: the file: unknown field 'color'; allowed: nodes, seconds, profile, rules, load",
                "w.yaml:7:20: rule 'api': field 'rate.tokens': found '0'; expected a whole number from 1 to 1000000000000",
                "w.yaml:11:5: load[0]: field 'perSecond' is missing: write perSecond: 300",
                "w.yaml:12:11: load[0]: field 'keys': found '0'; expected a whole number from 1 to 1000000",
                "w.yaml:13:5: load[0]: unknown field 'persecond': did you mean 'perSecond'?; allowed: rule, keys, perSecond, "
                    + "cost, pattern, at, critical",
                "w.yaml:14:11: load[1]: field 'rule': no rule has the name 'logn': did you mean 'login'?; rules: api, login",
            ])
    }

    @Test(arguments: [
        ("perSecond: 1.5", "6:28: load[0]: field 'perSecond': found '1.5' (whole numbers in plain digits only)"),
        ("perSecond: \"9\"", "6:28: load[0]: field 'perSecond': found the text \"9\" (numbers stand without quotes)"),
        ("perSecond: 1, at: some", "6:35: load[0]: field 'at': found 'some'; expected all, one"),
        ("perSecond: 1, pattern: stead", "6:40: load[0]: field 'pattern': found 'stead': did you mean 'steady'?"),
        (
            "perSecond: 1, pattern: [hot]",
            "6:40: load[0]: field 'pattern': found a list; expected steady, hot or {bursts"
        ),
        (
            "pattern: {bursts: {every: 0s, of: 5}}",
            "6:43: load[0]: field 'pattern': field 'every': found '0s'; expected"
        ),
        ("pattern: {bursts: {every: 1s}}", "6:35: load[0]: field 'pattern': 'of' is missing: write {bursts: {every"),
        ("pattern: {bursts: 5}", "6:35: load[0]: field 'pattern': 'bursts': found '5'; expected {every: 1s, of: 50}"),
        ("pattern: {}", "6:26: load[0]: field 'pattern': 'bursts' is missing; expected steady, hot or"),
        (
            "perSecond: 1, cost: []",
            "6:37: load[0]: field 'cost': found an empty list; expected a whole number or {from"
        ),
        (
            "perSecond: 1, cost: {from: 5, to: 4}",
            "6:37: load[0]: field 'cost': found from 5 to 4; expected 'from' to be"
        ),
        ("perSecond: 1, cost: {from: 5}", "6:37: load[0]: field 'cost': 'to' is missing: write {from: 1, to: 5}"),
        (
            "perSecond: 1, cost: 201",
            "6:37: load[0]: field 'cost': 201 is more than rule 'api' can ever admit at once (burst 200): lower the cost or "
                + "raise the burst"
        ),
        (
            "perSecond: 1, pattern: hot, at: one",
            "6:49: load[0]: field 'at': found 'one', but with pattern 'hot' each key"
        ),
    ])
    func eachMistakeHasItsPlace(load: String, expected: String) throws {
        let problems = Self.problems(load: load)
        let problem = try #require(problems.first)
        #expect(problem.hasPrefix("w.yaml:\(expected)"), "\(problems)")
        #expect(problems.count == 1, "\(problems)")
    }

    @Test func whatIsMissing() {
        #expect(
            Self.problems("nodes: 3\n") == [
                "w.yaml:1:1: the file has no field 'rules': write 'rules:' and a list of rules",
                "w.yaml:1:1: the file has no field 'load': write 'load:' and a list such as '- {rule: api, perSecond: 300}'",
            ])
        #expect(
            Self.problems("rules: []\nload: []\n") == [
                "w.yaml:1:8: field 'rules': found an empty list; expected at least one rule to put load on",
                "w.yaml:2:7: field 'load': found an empty list; expected a list such as '- {rule: api, perSecond: 300}'",
            ])
        #expect(
            Self.problems("") == [
                "w.yaml:1:1: the file is empty: expected 'rules:' with a list of rules and 'load:' with one of loads"
            ])
        #expect(Self.problems("- 1\n").count == 1)
        #expect(Self.problems("rules: [\n")[0].hasPrefix("w.yaml:2:1: not valid YAML"))
    }

    @Test func aRuleWithAMistakeIsStillARule() {
        let text = """
            rules:
              - {name: api, rate: 5}
            load:
              - {rule: api, perSecond: 1}
            """
        #expect(Self.problems(text).count == 1, "only the rate is wrong")
    }

    @Test func anOverrideMayHoldWhatTheRuleCannot() {
        let text = """
            rules:
              - name: api
                rate: {tokens: 1, per: 1s}
                overrides: {vip: {rate: {tokens: 50, per: 1s}}}
            load:
              - {rule: api, perSecond: 1, cost: 50}
            """
        #expect(Self.problems(text) == [])
    }

    // MARK: Limits: at each, and one past it

    @Test(arguments: [
        ("keys: 1000000, perSecond: 1", "keys: 1000001, perSecond: 1"),
        ("perSecond: 500000", "perSecond: 500001"),
        ("perSecond: 1, cost: 200", "perSecond: 1, cost: 201"),
        ("pattern: {bursts: {every: 1ms, of: 1}}", "pattern: {bursts: {every: 999us, of: 1}}"),
        ("pattern: {bursts: {every: 1h, of: 1}}", "pattern: {bursts: {every: 3601s, of: 1}}"),
        ("pattern: {bursts: {every: 1s, of: 100000}}", "pattern: {bursts: {every: 1s, of: 100001}}"),
    ])
    func atTheLimitAndOnePast(at: String, past: String) {
        #expect(Self.problems(load: at) == [])
        #expect(Self.problems(load: past).count == 1)
    }

    @Test func aSecondsWorthOfTheHighestRate() {
        func text(_ perSecond: Int) -> String {
            "seconds: 1\n" + Self.rules + "load: [{rule: api, perSecond: \(perSecond)}]\n"
        }
        #expect(Self.problems(text(1_000_000)) == [])
        #expect(Self.problems(text(1_000_001)).count == 1)
    }

    @Test func secondsAndNodes() {
        func problems(_ head: String) -> [String] {
            Self.problems("\(head)\n" + Self.rules + "load: [{rule: api, perSecond: 1}]\n")
        }
        for good in ["nodes: 3", "nodes: 5", "seconds: 1", "seconds: 3600"] { #expect(problems(good) == []) }
        for bad in [
            "nodes: 1", "nodes: 7", "nodes: -3", "seconds: 3601", "seconds: 1e2", "seconds: 99999999999999999999",
        ] {
            #expect(problems(bad).count == 1, "\(bad)")
        }
    }

    @Test func requestsOfAllLoadsTogether() {
        let at = Self.rules + "load:\n  - {rule: api, perSecond: 499999}\n  - {rule: api, perSecond: 1}\n"
        #expect(Self.problems(at) == [])
        let past = at + "  - {rule: api, perSecond: 1}\n  - {rule: api, perSecond: 1}\n"
        #expect(
            Self.problems(past) == [
                "w.yaml:8:5: load[2]: with this load there are 10000020 requests in 20 seconds, at most 10000000 are possible in "
                    + "all: lower 'perSecond' or 'seconds'"
            ])
    }

    @Test func keysOfAllLoadsTogether() {
        let at =
            Self.rules + "load:\n  - {rule: api, keys: 999999, perSecond: 1}\n  - {rule: api, keys: 1, perSecond: 1}\n"
        #expect(Self.problems(at) == [])
        #expect(
            Self.problems(at + "  - {rule: api, perSecond: 1}\n") == [
                "w.yaml:8:5: load[2]: with this load there are 1000001 keys, at most 1000000 are possible in all: lower 'keys'"
            ])
    }

    @Test func loads() {
        let line = "  - {rule: api, perSecond: 1}\n"
        let at = Self.rules + "load:\n" + String(repeating: line, count: Workload.mostLoads)
        #expect(Self.problems(at) == [])
        #expect(
            Self.problems(at + line) == [
                "w.yaml:1006:5: field 'load': 1001 loads, at most 1000 are possible: put some together"
            ])
    }

    @Test func bytes() throws {
        let text = Self.rules + "load:\n  - {rule: api, perSecond: 1}\n#"
        let at = text + String(repeating: "x", count: Workload.mostBytes - text.utf8.count)
        #expect(Self.problems(at) == [])
        #expect(
            Self.problems(at + "x") == [
                "w.yaml:1:1: the text has 1048577 bytes, at most 1048576 are possible: leave something out"
            ])
    }

    @Test func manyMistakesAreCounted() throws {
        let text = Self.rules + "load:\n" + String(repeating: "  - {rule: api, perSecond: 0}\n", count: 30)
        let error = try #require(throws: WorkloadProblems.self) { try Workload.read(text, file: "w.yaml") }
        #expect(error.problems.count == 20)
        #expect(error.omitted == 10)
    }
}

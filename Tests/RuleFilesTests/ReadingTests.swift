import LimiterCore
import RuleFiles
import Testing

@Suite struct ReadingTests {
    static let second: Int64 = 1_000_000_000

    @Test func theExampleOfTheManualInYAML() throws {
        let rules = try RuleFile.parse(
            """
            # limits of the shop
            rules:
              - name: api                # [a-z0-9._-]{1,64}
                rate: {tokens: 100, per: 1s}
                burst: 200
                onLimit: {delay: 2s}
                onIsolation: share
                exact: true
                shadow: true
                overrides: {"user:vip": {rate: {tokens: 1000, per: 1s}, burst: 1000}}
              - name: login
                rate:
                  tokens: 5
                  per: 1m
            """, file: "limits.yaml")
        let first = try Rule(
            name: "api", limit: Limit(tokens: 100, per: Self.second, burst: 200), onLimit: .delay(2 * Self.second),
            onIsolation: .share, exact: true, shadow: true,
            overrides: [.init(key: "user:vip", limit: Limit(tokens: 1000, per: Self.second, burst: 1000))])
        let second = try Rule(name: "login", limit: Limit(tokens: 5, per: 60 * Self.second, burst: 5))
        #expect(rules == [first, second])
    }

    @Test func theSameInJSON() throws {
        let text = """
            {"rules": [{"name": "api", "rate": {"tokens": 100, "per": "1s"},
            \t"onLimit": "reject", "onIsolation": "deny", "exact": false,
              "overrides": {"\\u0075ser\\ud83d\\ude00": {"rate": {"tokens": 1, "per": "365d"}}}}]}
            """
        let expected = try Rule(
            name: "api", limit: Limit(tokens: 100, per: Self.second, burst: 100),
            overrides: [
                .init(key: "user😀", limit: Limit(tokens: 1, per: 365 * 86_400 * Self.second, burst: 1))
            ])
        #expect(try RuleFile.parse(text, file: "a.json") == [expected])
        #expect(try RuleFile.parse(text, file: "stdin", format: .json) == [expected])
        // YAML reads JSON as well, all but its surrogate pairs.
        let plain = text.replacing("\\ud83d\\ude00", with: "😀")
        #expect(try RuleFile.parse(plain, file: "stdin") == [expected])
    }

    @Test func aNameThatLooksLikeANumberIsANameInYAML() throws {
        let rules = try RuleFile.parse("rules: [{name: 404, rate: {tokens: 1, per: 1s}}]", file: "f")
        #expect(rules.map(\.name) == ["404"])
    }

    @Test func noRulesAtAll() throws {
        #expect(try RuleFile.parse("rules: []", file: "f").isEmpty)
        #expect(RuleFile.yaml([]) == "rules: []\n")
        #expect(RuleFile.json([Rule]()) == #"{"rules":[]}"#)
    }

    @Test func oneRuleTakesTheNameItIsAddressedBy() throws {
        let text = #"{"rate":{"tokens":1,"per":"1s"}}"#
        #expect(try RuleFile.parseOne(json: text, name: "a").name == "a")
        #expect(try RuleFile.parseOne(json: #"{"name":"a","rate":{"tokens":1,"per":"1s"}}"#, name: "a").name == "a")
        let missing = #expect(throws: RuleFileError.self) { try RuleFile.parseOne(json: text) }
        #expect(missing?.description == "rule:1:1: rule: field 'name' is missing")
        let other = #expect(throws: RuleFileError.self) {
            try RuleFile.parseOne(json: #"{"name":"b","rate":{"tokens":1,"per":"1s"}}"#, name: "a")
        }
        #expect(
            other?.description == "rule:1:9: rule 'b': field 'name': found 'b', but the rule is addressed as 'a'")
    }

    @Test func rendering() throws {
        let rule = try Rule(
            name: "no", limit: Limit(tokens: 90, per: 1_500_000_000, burst: 90), onLimit: .delay(1_000_000),
            onIsolation: .allow, shadow: true,
            overrides: [.init(key: "a\"\n", limit: Limit(tokens: 1, per: 7 * 86_400 * Self.second, burst: 2))])
        #expect(
            RuleFile.yaml([rule]) == #"""
                rules:
                  - name: "no"
                    rate: {tokens: 90, per: 1500ms}
                    onLimit: {delay: 1ms}
                    onIsolation: allow
                    shadow: true
                    overrides:
                      "a\"\u000a": {rate: {tokens: 1, per: 7d}, burst: 2}

                """#)
        #expect(
            RuleFile.json(rule)
                == #"{"name":"no","rate":{"tokens":90,"per":"1500ms"},"burst":90,"onLimit":{"delay":"1ms"},"#
                + #""onIsolation":"allow","exact":false,"shadow":true,"reserveForCritical":"0%","overrides":{"a\"\u000a":"#
                + #"{"rate":{"tokens":1,"per":"7d"},"burst":2}}}"#)
    }

    @Test(arguments: 0..<40) func whatIsWrittenIsReadBackUnchanged(seed: UInt64) throws {
        var generator = Generator(seed: seed)
        for _ in 0..<10 {
            let rules = generator.rules()
            #expect(try RuleFile.parse(RuleFile.yaml(rules), file: "f.yaml") == rules, "seed \(seed)")
            #expect(try RuleFile.parse(RuleFile.json(rules), file: "f.json") == rules, "seed \(seed)")
            for rule in rules { #expect(try RuleFile.parseOne(json: RuleFile.json(rule)) == rule, "seed \(seed)") }
        }
    }
}

@Suite struct DurationTextTests {
    @Test(arguments: [
        ("1s", 1_000_000_000), ("500ms", 500_000_000), ("1m", 60_000_000_000), ("1h", 3_600_000_000_000),
        ("1d", 86_400_000_000_000), ("365d", 365 * 86_400_000_000_000), ("7us", 7_000), ("3ns", 3), ("0s", 0),
        ("090s", 90_000_000_000),
    ]) func read(text: String, ns: Int64) { #expect(DurationText.parse(text) == ns) }

    @Test(arguments: [
        "", "s", "1", "1.5s", "-1s", "1 s", "1S", "1sec", "1h30m", "99999999999999999999s", "9999999999d", "１s", "1s\n",
    ]) func refused(text: String) { #expect(DurationText.parse(text) == nil) }

    @Test func writtenInTheLongestUnitThatFits() {
        let written = [0, 1, 1_000, 1_500_000, 90_000_000_000, 3_600_000_000_000, 172_800_000_000_000].map {
            DurationText.render($0)
        }
        #expect(written == ["0s", "1ns", "1us", "1500us", "90s", "1h", "2d"])
    }
}

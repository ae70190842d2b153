import LimiterCore
import RuleFiles
import Testing

/// What is wrong is named with its place, the field, what was found, and what is allowed.
@Suite struct ProblemTests {
    /// The lines of the error that reading `text` throws.
    func problems(_ text: String, file: String = "f") -> [String] {
        do {
            _ = try RuleFile.parse(text, file: file)
            return ["accepted"]
        } catch {
            return error.description.split(separator: "\n").map(String.init)
        }
    }

    /// A file with one rule `a`, whose fields begin in line 3.
    func rule(_ fields: String...) -> String {
        "rules:\n  - name: a\n" + fields.map { "    \($0)\n" }.joined()
    }

    static let rate = "rate: {tokens: 1, per: 1s}"

    @Test func aTypingErrorGetsTheNearestName() {
        #expect(
            problems(rule(Self.rate, "brust: 5")) == [
                "f:4:5: rule 'a': unknown field 'brust': did you mean 'burst'?; allowed: name, rate, burst, onLimit, "
                    + "onIsolation, exact, shadow, reserveForCritical, overrides"
            ])
        #expect(
            problems("rule: []").first == "f:1:1: the file: unknown field 'rule': did you mean 'rules'?; allowed: rules"
        )
        #expect(
            problems(rule("rate: {tokens: 1, per: 1s, window: 2}")) == [
                "f:3:32: rule 'a': field 'rate': unknown field 'window'; allowed: tokens, per"
            ])
        #expect(
            problems(rule(Self.rate, "onIsolation: alow")) == [
                "f:4:18: rule 'a': field 'onIsolation': found 'alow'; expected deny, share, allow: did you mean 'allow'?"
            ])
    }

    @Test func whatIsKeptForCriticalRequests() {
        #expect(problems(rule("rate: {tokens: 10, per: 1s}", "reserveForCritical: 99%")) == ["accepted"])
        #expect(problems(rule(Self.rate, "reserveForCritical: 0%")) == ["accepted"])
        for wrong in ["100%", "20", "-1%", "2.5%", "007%", "'%'", "1e1%", "20 %", "[20%]", "ten%"] {
            #expect(
                problems(rule("rate: {tokens: 10, per: 1s}", "reserveForCritical: \(wrong)")).first?.contains(
                    "expected a whole percentage from 0% to 99%, such as 20%") == true, "\(wrong)")
        }
        // A burst of one token cannot be divided, neither the rule's nor an override's.
        #expect(
            problems(rule(Self.rate, "reserveForCritical: 20%")) == [
                "f:2:5: rule 'a': a burst of 1 cannot be divided between critical and normal requests: raise it to at least 2"
            ])
        #expect(
            problems(
                rule(
                    "rate: {tokens: 10, per: 1s}", "reserveForCritical: 20%",
                    "overrides: {k: {rate: {tokens: 1, per: 1s}}}")
            ).first?.contains("a burst of 1 cannot be divided") == true)
        #expect(
            problems(rule("rate: {tokens: 10, per: 1s}", "reserveForCritical: 20%", "onLimit: {delay: 1s}")) == [
                "f:2:5: rule 'a': what is kept for critical requests would go to those that wait: use onLimit: reject, or keep "
                    + "nothing"
            ])
    }

    @Test func missingFields() {
        #expect(
            problems("rules:\n  - rate: {tokens: 1, per: 1s}\n  - name: b\n") == [
                "f:2:5: rules[0]: field 'name' is missing",
                "f:3:5: rule 'b': field 'rate' is missing: write rate: {tokens: 100, per: 1s}",
            ])
        #expect(
            problems(rule("rate: {per: 1s}")) == [
                "f:3:11: rule 'a': field 'rate': 'tokens' is missing: write {tokens: 100, per: 1s}"
            ])
        #expect(problems("{}").first == "f:1:1: the file has no field 'rules': write 'rules:' and a list of rules")
        #expect(
            problems(rule(Self.rate, "onLimit: {}")) == [
                "f:4:14: rule 'a': field 'onLimit': 'delay' is missing; expected reject or {delay: 2s}"
            ])
    }

    @Test(arguments: [
        ("0", "'0'"), ("-3", "'-3'"), ("1000000000001", "'1000000000001'"),
        ("99999999999999999999", "'99999999999999999999'"),
        ("1.5", "'1.5' (whole numbers in plain digits only)"), ("1e3", "'1e3' (whole numbers in plain digits only)"),
        ("0x10", "'0x10' (whole numbers in plain digits only)"),
        ("1_000", "'1_000' (whole numbers in plain digits only)"),
        ("010", "'010' (no leading zeros)"), ("\"5\"", "the text \"5\" (numbers stand without quotes)"),
        ("many", "'many' (whole numbers in plain digits only)"), ("~", "nothing"), ("", "nothing"), ("[1]", "a list"),
        ("[]", "an empty list"), ("{a: 1}", "a mapping"),
    ]) func burstsThatAreNone(text: String, found: String) {
        #expect(
            problems(rule(Self.rate, "burst: \(text)")).map { String($0.drop { $0 != " " }) } == [
                " rule 'a': field 'burst': found \(found); expected a whole number from 1 to 1000000000000"
            ])
    }

    @Test func tokensAndBurstsAtTheirLimitsAndOnePastThem() {
        #expect(problems(rule("rate: {tokens: 1000000000000, per: 1000s}")) == ["accepted"])
        #expect(
            problems(rule("rate: {tokens: 1000000000000, per: 999s}")) == [
                "f:3:11: rule 'a': field 'rate': 1000000000000 tokens per 999s is more than 1000000000 a second: lower the "
                    + "tokens or lengthen the period"
            ])
        #expect(problems(rule("rate: {tokens: 1, per: 366d}")) == ["accepted"])
        #expect(
            problems(rule("rate: {tokens: 1, per: 367d}")) == [
                "f:3:28: rule 'a': field 'rate.per': found '367d'; expected a duration from 1ms to 366d"
            ])
        #expect(problems(rule("rate: {tokens: 1, per: 1ms}")) == ["accepted"])
        #expect(
            problems(rule("rate: {tokens: 1, per: 999us}")) == [
                "f:3:28: rule 'a': field 'rate.per': found '999us'; expected a duration from 1ms to 366d"
            ])
        #expect(
            problems(rule("rate: {tokens: 1, per: 365d}", "burst: 1000")) == [
                "f:4:12: rule 'a': a burst of 1000 tokens would take more than 36 years to refill: lower it"
            ])
    }

    @Test func durations() {
        #expect(
            problems(rule("rate: {tokens: 1, per: 1.5s}")) == [
                "f:3:28: rule 'a': field 'rate.per': found '1.5s'; expected a whole number and a unit (ns, us, ms, s, m, h, "
                    + "d), such as 500ms, 1s or 1h, from 1ms to 366d"
            ])
        #expect(problems(rule(Self.rate, "onLimit: {delay: 1h}")) == ["accepted"])
        #expect(
            problems(rule(Self.rate, "onLimit: {delay: 61m}")) == [
                "f:4:22: rule 'a': field 'onLimit.delay': found '61m'; expected a duration from 1ns to 1h"
            ])
        #expect(
            problems(rule(Self.rate, "onLimit: {delay: 0s}")) == [
                "f:4:22: rule 'a': field 'onLimit.delay': found '0s'; expected a duration from 1ns to 1h"
            ])
    }

    @Test func valuesOfAnotherKind() {
        #expect(
            problems(rule(Self.rate, "exact: yes", "shadow: 1", "onLimit: delay", "overrides: [a]")) == [
                "f:4:12: rule 'a': field 'exact': found 'yes'; expected true or false",
                "f:5:13: rule 'a': field 'shadow': found '1'; expected true or false",
                "f:6:14: rule 'a': field 'onLimit': found 'delay'; expected reject or {delay: 2s}",
                "f:7:16: rule 'a': field 'overrides': found a list; expected a mapping from keys to {rate: …, burst: …}",
            ])
        #expect(
            problems(rule("rate: 100/s")) == [
                "f:3:11: rule 'a': field 'rate': found '100/s'; expected {tokens: 100, per: 1s}"
            ])
        #expect(problems("rules:\n") == ["f:1:7: field 'rules': found nothing; expected a list of rules ([] for none)"])
        #expect(problems("- a\n") == ["f:1:1: the file: found a list; expected a mapping with rules"])
        #expect(
            problems("rules: [x]") == [
                "f:1:9: rules[0]: found 'x'; expected a mapping with name, rate, burst, onLimit, onIsolation, exact, shadow, "
                    + "reserveForCritical, "
                    + "overrides"
            ])
        #expect(
            problems(#"{"rules":[{"name":7,"rate":{"tokens":true,"per":1}}]}"#, file: "f.json") == [
                "f.json:1:19: rules[0]: field 'name': found '7'; expected 1 to 64 characters of a-z, 0-9, '.', '_' and '-'",
                "f.json:1:38: rules[0]: field 'rate.tokens': found 'true' (whole numbers in plain digits only); expected a "
                    + "whole number from 1 to 1000000000000",
                "f.json:1:49: rules[0]: field 'rate.per': found '1'; expected a whole number and a unit (ns, us, ms, s, m, h, "
                    + "d), such as 500ms, 1s or 1h, from 1ms to 366d",
            ])
    }

    @Test func names() {
        let longest = String(repeating: "x", count: 64)
        #expect(problems("rules: [{name: \(longest), rate: {tokens: 1, per: 1s}}]") == ["accepted"])
        for name in [longest + "x", "Api", "a b", "''", "null", "é"] {
            #expect(
                problems("rules: [{name: \(name), rate: {tokens: 1, per: 1s}}]").first?
                    .hasPrefix("f:1:16: rules[0]: field 'name': found ") == true)
        }
    }

    @Test func duplicates() {
        #expect(
            problems("rules:\n  - {name: a, rate: {tokens: 1, per: 1s}}\n  - {name: a, rate: {tokens: 1, per: 1s}}\n")
                == [
                    "f:3:5: rules[1]: the name 'a' is taken by the rule in line 2: names must differ"
                ])
        #expect(problems(rule(Self.rate, Self.rate)) == ["f:3:5: 'rate' is given more than once here: keep one"])
        #expect(
            problems(#"{"rules":[{"name":"a","name":"b","rate":{"tokens":1,"per":"1s"}}]}"#, file: "f.json") == [
                "f.json:1:23: rule 'a': field 'name' is given twice: keep one"
            ])
        let override = #""k":{"rate":{"tokens":1,"per":"1s"}}"#
        #expect(
            problems(
                #"{"rules":[{"name":"a","rate":{"tokens":1,"per":"1s"},"overrides":{\#(override),\#(override)}}]}"#,
                file: "f.json") == [
                    "f.json:1:104: rule 'a': override 'k': this key has an override in line 1 already: keep one"
                ])
        #expect(problems("rules: []\n---\nrules: []\n").first?.contains("found another document") == true)
    }

    @Test func overridesAtTheirLimitsAndOnePastThem() throws {
        func file(keys: [String]) -> String {
            let overrides = keys.map { "\"\($0)\":{\"rate\":{\"tokens\":1,\"per\":\"1s\"}}" }.joined(separator: ",")
            return #"{"rules":[{"name":"a","rate":{"tokens":1,"per":"1s"},"overrides":{\#(overrides)}}]}"#
        }
        let keys = (0...Rule.mostOverrides).map { "k\($0)" }
        #expect(problems(file(keys: keys.dropLast()), file: "f.json") == ["accepted"])
        #expect(
            problems(file(keys: keys), file: "f.json") == [
                "f.json:1:66: rule 'a': field 'overrides': 1025 overrides, at most 1024 are possible"
            ])
        let longest = String(repeating: "k", count: Rule.longestKey)
        #expect(problems(file(keys: [longest]), file: "f.json") == ["accepted"])
        #expect(problems(file(keys: [longest + "k"]), file: "f.json").first?.contains("the key has 4097 bytes") == true)
        #expect(problems(file(keys: [""]), file: "f.json").first?.contains("the key has 0 bytes") == true)
        #expect(problems(file(keys: ["\u{FEFF}k"]), file: "f.json").first?.contains("byte order mark") == true)
        // A long key survives YAML, too.
        let rules = try RuleFile.parse(file(keys: [longest]), file: "f.json")
        #expect(try RuleFile.parse(RuleFile.yaml(rules), file: "f.yaml") == rules)
    }

    @Test func rulesAtTheirLimitAndOnePastIt() {
        func file(_ count: Int) -> String {
            "rules:\n" + (0..<count).map { "- {name: r\($0), rate: {tokens: 1, per: 1s}}\n" }.joined()
        }
        #expect(problems(file(RuleDirectory.mostRules)) == ["accepted"])
        #expect(problems(file(RuleDirectory.mostRules + 1)) == ["f:4098:3: 4097 rules, at most 4096 are possible"])
    }

    @Test func atMostTwentyProblemsAreListed() {
        let lines = problems("rules:\n" + String(repeating: "  - {name: A}\n", count: 15))
        #expect(lines.count == 21)
        #expect(lines.last == "… and 10 more")
    }

    @Test func brokenText() {
        #expect(problems("") == ["f:1:1: the file is empty: expected 'rules:' and a list of rules"])
        #expect(problems("# nothing\n") == ["f:1:1: the file is empty: expected 'rules:' and a list of rules"])
        #expect(problems("rules:\n\t- name: a\n").first?.hasSuffix("(indent with spaces, not with tabs)") == true)
        #expect(problems("rules: [\n").first?.hasPrefix("f:2:1: not valid YAML:") == true)
        #expect(problems("rules: \u{7}").first?.hasPrefix("f:1:8: not valid YAML: ") == true)
        #expect(
            problems("{\"rules\":[}", file: "f.json") == ["f.json:1:11: not valid JSON: expected a value, found '}'"])
        #expect(
            problems("{\"rules\":\n[]} x", file: "f.json") == [
                "f.json:2:5: not valid JSON: expected the end after the first value, found 'x'"
            ])
        for text in [
            "{", "{\"a\"", "{\"a\":1,}", "[1,]", "\"", "\"\\x\"", "\"\\ud800\"", "\"\\ud800\\u0041\"", "\"\\udc00\"",
            "01", "-",
            "1.", "1e", "tru", "\"\u{1}\"", "", "+1", "'a'", "{a:1}", "[1 2]", "\"\\u12g4\"",
        ] {
            #expect(problems(text, file: "f.json").first?.contains("not valid JSON") == true, "\(text)")
        }
    }

    @Test func aFileOfFourMebibytesIsTheLongest() {
        let head = "rules: []\n#"
        let longest = head + String(repeating: "x", count: RuleFile.mostBytes - head.utf8.count)
        #expect(problems(longest) == ["accepted"])
        #expect(
            problems(longest + "x") == [
                "f:1:1: the text has 4194305 bytes, at most 4194304 are possible: split it"
            ])
    }
}

import LimiterCore
import RuleFiles
import Testing

/// Files made to hurt: they are refused soon, and nothing traps.
@Suite struct HostileFileTests {
    func refusal(_ text: String, format: RuleFile.Format = .yaml) -> String? {
        do {
            _ = try RuleFile.parse(text, file: "f", format: format)
            return nil
        } catch {
            return error.description
        }
    }

    @Test func anchorsAndAliasesAreRefused() {
        #expect(
            refusal("rules: [{name: a, rate: &r {tokens: 1, per: 1s}}, {name: b, rate: *r}]")?
                .hasPrefix("f:1:25: anchors ('&') and aliases ('*') are not supported") == true)
        #expect(refusal("rules: &x [*x]")?.contains("not valid YAML") == true)
        #expect(refusal("&k rules: []")?.contains("must be a plain text") == true)
        #expect(refusal("rules: []\n<<: {a: b}")?.contains("unknown field '<<'") == true)
    }

    @Test func aBillionLaughsAreCutShort() {
        var text = "l0: &l0 [x,x,x,x,x,x,x,x,x]\n"
        for i in 1..<12 {
            let alias = "*l\(i - 1)"
            text += "l\(i): &l\(i) [\(Array(repeating: alias, count: 9).joined(separator: ","))]\n"
        }
        // As a key it would be hashed, with all it stands for.
        text += "? *l11\n: y\n"
        #expect(refusal(text)?.contains("aliases are not supported") == true)
    }

    @Test func starsInOrdinaryPlacesAreNoAliases() throws {
        let rules = try RuleFile.parse(
            """
            # *one* * and R&D
            rules:
              - {name: a, rate: {tokens: 1, per: 1s}, overrides: {"*": {rate: {tokens: 2, per: 1s}}}}
            """, file: "f")
        #expect(rules.first?.overrides.first?.key == "*")
    }

    @Test func tagsAreRefused() {
        for text in ["rules: !!seq []", "rules: !x []", "rules: [{name: !!str a}]", "!!map {rules: []}"] {
            #expect(refusal(text)?.contains("is not supported: write the value without '!'") == true, "\(text)")
        }
    }

    @Test(arguments: ["[", "{a: ", "- ", "? ", "[[{a: ", "- - ? "]) func nestingIsBounded(opening: String) {
        #expect(refusal(String(repeating: opening, count: 200_000)) != nil)
        #expect(refusal(String(repeating: opening, count: 200_000), format: .json) != nil)
        #expect(refusal(String(repeating: "[", count: 900) + String(repeating: "]", count: 900)) != nil)
    }

    @Test func jsonNestsSixteenDeepAndNoDeeper() {
        func nested(_ depth: Int) -> String {
            String(repeating: "[", count: depth) + String(repeating: "]", count: depth)
        }
        #expect(refusal(nested(16), format: .json)?.contains("expected a mapping") == true)
        #expect(refusal(nested(17), format: .json) == "f:1:17: nested deeper than 16 levels")
    }

    @Test func tooManyValuesAreRefusedBeforeTheyAreBuilt() {
        #expect(
            refusal("rules: [" + String(repeating: "[],", count: 300_000) + "]")?
                .contains("more than about 1000000 values") == true)
    }

    @Test(arguments: 0..<64) func mutatedFilesNeverTrap(seed: UInt64) {
        var generator = Generator(seed: seed)
        let pieces: [[UInt8]] = [
            "&a ", "*a ", "!!str ", "? ", "- ", ": ", "\"", "'", "|\n", ">\n", "#", "\n", "\t", "---\n", "...\n",
            "%YAML 1.1\n",
            "{", "}", "[", "]", ",", "\\ud800", "\\x00", "\u{0}", "\u{85}", "\u{FEFF}", "-1", "1e999", "null", "<<: ",
            "é", "😀",
        ].map { Array($0.utf8) }
        for _ in 0..<100 {
            let rules = generator.rules()
            let isJSON = generator.bool()
            var bytes = Array((isJSON ? RuleFile.json(rules) : RuleFile.yaml(rules)).utf8)
            for _ in 0...generator.below(4) {
                let at = generator.below(bytes.count + 1)
                switch generator.below(4) {
                case 0: bytes.insert(contentsOf: generator.pick(pieces), at: at)
                case 1: bytes.removeSubrange(at..<min(bytes.count, at + generator.below(12)))
                case 2 where at < bytes.count: bytes[at] = UInt8(generator.below(256))
                default: bytes.removeLast(generator.below(bytes.count / 4 + 1))
                }
            }
            let text = String(decoding: bytes, as: UTF8.self)
            // Read both ways; either a result or an error with a place inside the text.
            let lines = 2 + bytes.count { $0 == 0x0A || $0 == 0x0D || $0 >= 0x80 }
            for format in [RuleFile.Format.yaml, .json] {
                do {
                    let rules = try RuleFile.parse(text, file: "f", format: format)
                    #expect(try RuleFile.parse(RuleFile.yaml(rules), file: "f") == rules)
                } catch {
                    for problem in error.problems { #expect((1...lines).contains(problem.line), "seed \(seed)") }
                }
            }
        }
    }
}

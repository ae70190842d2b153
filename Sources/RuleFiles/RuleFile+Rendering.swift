public import LimiterCore

extension RuleFile {
    /// The rules as a YAML file, fields with their default value left out.
    public static func yaml(_ rules: [Rule]) -> String {
        guard !rules.isEmpty else { return "rules: []\n" }
        var text = "rules:\n"
        for rule in rules { yaml(rule, into: &text) }
        return text
    }

    /// The rules as the JSON object `{"rules":[…]}`, in one line.
    public static func json(_ rules: [Rule]) -> String {
        "{\"rules\":[" + rules.map { json($0) }.joined(separator: ",") + "]}"
    }

    /// One rule as a JSON object with all its fields, in one line.
    public static func json(_ rule: Rule) -> String {
        var fields = [
            "\"name\":\(quoted(rule.name))", "\"rate\":\(json(rate: rule.limit))", "\"burst\":\(rule.limit.burst)",
        ]
        switch rule.onLimit {
        case .reject: fields.append("\"onLimit\":\"reject\"")
        case .delay(let ns): fields.append("\"onLimit\":{\"delay\":\"\(DurationText.render(ns))\"}")
        }
        fields.append("\"onIsolation\":\"\(rule.onIsolation.name)\"")
        fields.append("\"exact\":\(rule.exact)")
        fields.append("\"shadow\":\(rule.shadow)")
        fields.append("\"reserveForCritical\":\"\(rule.reserveForCritical)%\"")
        let overrides = rule.overrides.map { override in
            "\(quoted(override.key)):{\"rate\":\(json(rate: override.limit)),\"burst\":\(override.limit.burst)}"
        }
        fields.append("\"overrides\":{\(overrides.joined(separator: ","))}")
        return "{" + fields.joined(separator: ",") + "}"
    }

    private static func json(rate limit: Limit) -> String {
        "{\"tokens\":\(limit.tokens),\"per\":\"\(DurationText.render(limit.period))\"}"
    }

    private static func yaml(_ rule: Rule, into text: inout String) {
        text += "  - name: \(isPlainWord(rule.name) ? rule.name : quoted(rule.name))\n"
        text += "    rate: \(yaml(rate: rule.limit))\n"
        if rule.limit.burst != rule.limit.tokens { text += "    burst: \(rule.limit.burst)\n" }
        if case .delay(let ns) = rule.onLimit { text += "    onLimit: {delay: \(DurationText.render(ns))}\n" }
        if rule.onIsolation != .deny { text += "    onIsolation: \(rule.onIsolation.name)\n" }
        if rule.exact { text += "    exact: true\n" }
        if rule.shadow { text += "    shadow: true\n" }
        if rule.reserveForCritical > 0 { text += "    reserveForCritical: \(rule.reserveForCritical)%\n" }
        guard !rule.overrides.isEmpty else { return }
        text += "    overrides:\n"
        for override in rule.overrides {
            let key = quoted(override.key)
            // YAML looks for the colon of an ordinary key within 1024 characters only.
            text += key.unicodeScalars.count < 1000 ? "      \(key): " : "      ? \(key)\n      : "
            text += "{rate: \(yaml(rate: override.limit)), burst: \(override.limit.burst)}\n"
        }
    }

    private static func yaml(rate limit: Limit) -> String {
        "{tokens: \(limit.tokens), per: \(DurationText.render(limit.period))}"
    }

    /// Whether YAML reads a rule's name as text without quotes, in every version of YAML.
    private static func isPlainWord(_ name: String) -> Bool {
        guard let first = name.utf8.first, (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(first) else { return false }
        return !["null", "true", "false", "yes", "no", "on", "off", "y", "n"].contains(name)
    }

    /// A text in double quotes, read the same by JSON and YAML: what YAML does not take as it is, is escaped.
    package static func quoted(_ text: String) -> String {
        var result = "\""
        for scalar in text.unicodeScalars {
            switch scalar.value {
            case 0x22: result += "\\\""
            case 0x5C: result += "\\\\"
            case 0x00...0x1F, 0x7F...0xA0, 0x2028, 0x2029, 0xFEFF, 0xFFFE, 0xFFFF:
                let digits = String(scalar.value, radix: 16)
                result += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result + "\""
    }
}

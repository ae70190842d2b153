package import LimiterCore

/// Turns a document into rules and notes all that is wrong with it; whatever cannot be read is left out of the result.
package struct RuleReader {
    let file: String
    /// Whether the document is JSON, where text always has quotes.
    var isJSON = false
    private var problems: [RuleFileError.Problem] = []
    private var omitted = 0

    static let ruleFields = [
        "name", "rate", "burst", "onLimit", "onIsolation", "exact", "shadow", "reserveForCritical", "overrides",
    ]

    package init(file: String) { self.file = file }

    /// What was wrong so far, in the order of the file.
    package var error: RuleFileError? {
        if problems.isEmpty { return nil }
        let sorted = problems.sorted { ($0.line, $0.column) < ($1.line, $1.column) }
        return RuleFileError(problems: sorted, omitted: omitted)
    }

    package mutating func report(_ position: Position, _ message: String) {
        guard problems.count < RuleFileError.mostProblems else {
            omitted += 1
            return
        }
        problems.append(.init(file: file, line: position.line, column: position.column, message: message))
    }

    // MARK: The file

    package mutating func rules(of root: Document) -> [Rule] {
        guard let fields = fields(of: root, path: "the file", known: ["rules"]) else { return [] }
        guard let list = fields["rules"] else {
            report(root.position, "the file has no field 'rules': write 'rules:' and a list of rules")
            return []
        }
        guard case .list(let items) = list.content else {
            report(list.position, "field 'rules': found \(list.summary); expected a list of rules ([] for none)")
            return []
        }
        var rules: [Rule] = []
        var places: [String: Position] = [:]
        for (i, item) in items.enumerated() {
            guard i < RuleDirectory.mostRules else {
                report(item.position, "\(items.count) rules, at most \(RuleDirectory.mostRules) are possible")
                break
            }
            guard let rule = rule(item, path: "rules[\(i)]", givenName: nil) else { continue }
            if let first = places[rule.name] {
                report(
                    item.position,
                    "rules[\(i)]: the name '\(rule.name)' is taken by the rule in line \(first.line): names must differ"
                )
                continue
            }
            places[rule.name] = item.position
            rules.append(rule)
        }
        return rules
    }

    // MARK: One rule

    mutating func rule(_ node: Document, path: String, givenName: String?) -> Rule? {
        // Its name tells a rule better than its number, if it has one.
        let path = self.name(in: node).map { "rule '\($0)'" } ?? path
        guard let fields = fields(of: node, path: path, known: RuleReader.ruleFields, ignored: ["version"]) else {
            return nil
        }
        let name = name(fields["name"], of: node, path: path, givenName: givenName)
        let limit = limit(fields, of: node, path: path)
        let onLimit = onLimit(fields["onLimit"], path: path)
        let onIsolation = onIsolation(fields["onIsolation"], path: path)
        let exact = flag(fields["exact"], path: path, name: "exact")
        let shadow = flag(fields["shadow"], path: path, name: "shadow")
        let reserve =
            fields["reserveForCritical"].map {
                percentage($0, path: path, name: "reserveForCritical", range: 0...Rule.mostReserve)
            } ?? 0
        let overrides = overrides(fields["overrides"], path: path)
        guard let name, let limit, let onLimit, let onIsolation, let exact, let shadow, let reserve, let overrides
        else {
            return nil
        }
        do {
            return try Rule(
                name: name, limit: limit, onLimit: onLimit, onIsolation: onIsolation, exact: exact, shadow: shadow,
                reserveForCritical: reserve, overrides: overrides)
        } catch {
            report(node.position, error.description)
            return nil
        }
    }

    /// The name that stands in a rule, if it is one.
    private func name(in rule: Document) -> String? {
        guard case .map(let entries) = rule.content, let entry = entries.first(where: { $0.key == "name" }),
            let name = text(entry.value), Rule.isName(name)
        else { return nil }
        return name
    }

    private mutating func name(_ node: Document?, of rule: Document, path: String, givenName: String?) -> String? {
        guard let node else {
            if givenName == nil { report(rule.position, "\(path): field 'name' is missing") }
            return givenName
        }
        guard let name = text(node), Rule.isName(name) else {
            report(
                node.position,
                "\(path): field 'name': found \(node.summary); expected 1 to \(Rule.longestName) characters of a-z, 0-9, "
                    + "'.', '_' and '-'")
            return nil
        }
        if let givenName, givenName != name {
            report(node.position, "\(path): field 'name': found '\(name)', but the rule is addressed as '\(givenName)'")
            return nil
        }
        return name
    }

    /// The limit that `rate` and `burst` make.
    private mutating func limit(_ fields: [String: Document], of node: Document, path: String) -> Limit? {
        let burst = fields["burst"].map { integer($0, path: path, name: "burst", range: 1...RuleFile.mostTokens) }
        guard let rateNode = fields["rate"] else {
            report(node.position, "\(path): field 'rate' is missing: write rate: {tokens: 100, per: 1s}")
            return nil
        }
        guard let rate = rate(rateNode, path: path) else { return nil }
        if let burst, burst == nil { return nil }
        do {
            return try Limit(tokens: rate.tokens, per: rate.period, burst: (burst ?? nil) ?? rate.tokens)
        } catch {
            report((fields["burst"] ?? rateNode).position, "\(path): \(error.description)")
            return nil
        }
    }

    private mutating func rate(_ node: Document, path: String) -> (tokens: Int64, period: Int64)? {
        if case .map = node.content {
        } else {
            report(node.position, "\(path): field 'rate': found \(node.summary); expected {tokens: 100, per: 1s}")
            return nil
        }
        guard let fields = fields(of: node, path: "\(path): field 'rate'", known: ["tokens", "per"]) else { return nil }
        for missing in ["tokens", "per"] where fields[missing] == nil {
            report(node.position, "\(path): field 'rate': '\(missing)' is missing: write {tokens: 100, per: 1s}")
        }
        let tokens = fields["tokens"].flatMap {
            integer($0, path: path, name: "rate.tokens", range: 1...RuleFile.mostTokens)
        }
        let period = fields["per"].flatMap {
            duration(
                $0, path: path, name: "rate.per", range: RuleFile.shortestPeriod...RuleFile.longestPeriod)
        }
        guard let tokens, let period else { return nil }
        // A token a nanosecond is a billion a second.
        guard tokens <= period else {
            report(
                node.position,
                "\(path): field 'rate': \(tokens) tokens per \(DurationText.render(period)) is more than "
                    + "\(RuleFile.mostTokensPerSecond) a second: lower the tokens or lengthen the period")
            return nil
        }
        return (tokens, period)
    }

    private mutating func onLimit(_ node: Document?, path: String) -> OnLimit? {
        guard let node else { return .reject }
        let allowed = "expected reject or {delay: 2s}"
        if let word = text(node), word == "reject" { return .reject }
        guard case .map = node.content else {
            report(node.position, "\(path): field 'onLimit': found \(node.summary); \(allowed)")
            return nil
        }
        guard let fields = fields(of: node, path: "\(path): field 'onLimit'", known: ["delay"]) else { return nil }
        guard let delay = fields["delay"] else {
            report(node.position, "\(path): field 'onLimit': 'delay' is missing; \(allowed)")
            return nil
        }
        return duration(delay, path: path, name: "onLimit.delay", range: 1...Rule.longestDelay).map { .delay($0) }
    }

    private mutating func onIsolation(_ node: Document?, path: String) -> OnIsolation? {
        guard let node else { return .deny }
        if let word = text(node), let value = OnIsolation.allCases.first(where: { $0.name == word }) { return value }
        let names = OnIsolation.allCases.map(\.name)
        report(
            node.position,
            "\(path): field 'onIsolation': found \(node.summary); expected \(names.joined(separator: ", "))"
                + hint(text(node) ?? "", among: names))
        return nil
    }

    private mutating func overrides(_ node: Document?, path: String) -> [Rule.Override]? {
        guard let node else { return [] }
        guard case .map(let entries) = node.content else {
            report(
                node.position,
                "\(path): field 'overrides': found \(node.summary); expected a mapping from keys to {rate: …, burst: …}"
            )
            return nil
        }
        guard entries.count <= Rule.mostOverrides else {
            report(
                node.position,
                "\(path): field 'overrides': \(entries.count) overrides, at most \(Rule.mostOverrides) are possible")
            return nil
        }
        var overrides: [Rule.Override] = []
        var places: [String: Position] = [:]
        var isComplete = true
        for entry in entries {
            let entryPath = "\(path): override '\(Document.excerpt(entry.key))'"
            if let first = places[entry.key] {
                report(entry.position, "\(entryPath): this key has an override in line \(first.line) already: keep one")
                isComplete = false
                continue
            }
            places[entry.key] = entry.position
            guard (1...Rule.longestKey).contains(entry.key.utf8.count) else {
                report(
                    entry.position,
                    "\(entryPath): the key has \(entry.key.utf8.count) bytes; expected 1 to \(Rule.longestKey)")
                isComplete = false
                continue
            }
            // Yams drops such a mark, so that YAML could not give the key back.
            guard entry.key.unicodeScalars.first != "\u{FEFF}" else {
                report(entry.position, "\(entryPath): the key begins with a byte order mark (U+FEFF): remove it")
                isComplete = false
                continue
            }
            guard let fields = fields(of: entry.value, path: entryPath, known: ["rate", "burst"]),
                let limit = limit(fields, of: entry.value, path: entryPath)
            else {
                isComplete = false
                continue
            }
            overrides.append(Rule.Override(key: entry.key, limit: limit))
        }
        return isComplete ? overrides : nil
    }

    // MARK: Values

    /// The fields by name; anything unknown or given twice is reported, and the rest goes on. What nodes add to a rule when
    /// they show it (`ignored`) may come back.
    package mutating func fields(
        of node: Document, path: String, known: [String], ignored: [String] = []
    ) -> [String: Document]? {
        guard case .map(let entries) = node.content else {
            report(
                node.position,
                "\(path): found \(node.summary); expected a mapping with \(known.joined(separator: ", "))")
            return nil
        }
        var fields: [String: Document] = [:]
        for entry in entries where !ignored.contains(entry.key) {
            guard known.contains(entry.key) else {
                report(
                    entry.position,
                    "\(path): unknown field '\(Document.excerpt(entry.key))'\(hint(entry.key, among: known)); allowed: "
                        + known.joined(separator: ", "))
                continue
            }
            if fields.updateValue(entry.value, forKey: entry.key) != nil {
                report(entry.position, "\(path): field '\(entry.key)' is given twice: keep one")
            }
        }
        return fields
    }

    package func hint(_ name: String, among known: [String]) -> String {
        NearestName.near(name, among: known, limit: 1).first.map { ": did you mean '\($0)'?" } ?? ""
    }

    /// A text; in YAML it may stand without quotes.
    package func text(_ node: Document) -> String? {
        switch node.content {
        case .text(let text): text
        case .bare(let text) where !isJSON && !Document.isNull(text): text
        default: nil
        }
    }

    package mutating func integer(
        _ node: Document, path: String, name: String, range: ClosedRange<Int64>
    ) -> Int64? {
        var found = node.summary
        if case .bare(let text) = node.content {
            let digits = text.hasPrefix("-") ? text.dropFirst() : text[...]
            if !digits.isEmpty, digits.utf8.allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }) {
                if digits.utf8.count > 1, digits.hasPrefix("0") {
                    found += " (no leading zeros)"
                } else if let value = Int64(text), range.contains(value) {
                    return value
                }
            } else if !Document.isNull(text) {
                // No halves: for a rate, say three tokens per two seconds.
                found += " (whole numbers in plain digits only)"
            }
        } else if case .text = node.content {
            found += " (numbers stand without quotes)"
        }
        report(
            node.position,
            "\(path): field '\(name)': found \(found); expected a whole number from \(range.lowerBound) to "
                + "\(range.upperBound)")
        return nil
    }

    package mutating func duration(
        _ node: Document, path: String, name: String, range: ClosedRange<Int64>
    ) -> Int64? {
        let value = text(node).flatMap { DurationText.parse($0) }
        if let value, range.contains(value) { return value }
        let allowed =
            "from \(DurationText.render(range.lowerBound)) to \(DurationText.render(range.upperBound))"
        report(
            node.position,
            value == nil
                ? "\(path): field '\(name)': found \(node.summary); expected \(DurationText.shape), \(allowed)"
                : "\(path): field '\(name)': found \(node.summary); expected a duration \(allowed)")
        return nil
    }

    /// A part of a whole, such as `20%`.
    package mutating func percentage(
        _ node: Document, path: String, name: String, range: ClosedRange<Int>
    ) -> Int? {
        if let text = text(node), text.hasSuffix("%") {
            let digits = text.dropLast()
            if (1...3).contains(digits.utf8.count), digits == "0" || !digits.hasPrefix("0"),
                digits.utf8.allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }),
                let percent = Int(digits), range.contains(percent)
            {
                return percent
            }
        }
        report(
            node.position,
            "\(path): field '\(name)': found \(node.summary); expected a whole percentage from \(range.lowerBound)% to "
                + "\(range.upperBound)%, such as 20%")
        return nil
    }

    private mutating func flag(_ node: Document?, path: String, name: String) -> Bool? {
        guard let node else { return false }
        if case .bare("true") = node.content { return true }
        if case .bare("false") = node.content { return false }
        report(node.position, "\(path): field '\(name)': found \(node.summary); expected true or false")
        return nil
    }
}

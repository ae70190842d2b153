import LimiterCore
import RuleFiles

/// Turns a document into a workload and notes all that is wrong with it. The values of fields are read as in rules files.
struct WorkloadReader {
    private static let fields = ["nodes", "seconds", "profile", "rules", "load"]
    private static let loadFields = ["rule", "keys", "perSecond", "cost", "pattern", "at", "critical"]

    private var reader: RuleReader
    private let root: Document
    /// What could be read of the rules, by name.
    private var rules: [String: Rule] = [:]
    /// The names of all rules in the file, also of those with mistakes.
    private var names: [String] = []

    static func read(_ root: Document, file: String) throws(WorkloadProblems) -> Workload {
        var reader = WorkloadReader(reader: RuleReader(file: file), root: root)
        let workload = reader.workload()
        if let error = reader.reader.error { throw error }
        guard let workload else { preconditionFailure("a workload without a problem was not read") }
        return workload
    }

    private init(reader: RuleReader, root: Document) {
        self.reader = reader
        self.root = root
    }

    private mutating func workload() -> Workload? {
        guard let fields = reader.fields(of: root, path: "the file", known: WorkloadReader.fields) else { return nil }
        let nodes = fields["nodes"].map { self.nodes($0) } ?? 3
        let seconds =
            fields["seconds"].map {
                reader.integer($0, path: "the file", name: "seconds", range: 1...Workload.mostSeconds)
            } ?? 20
        var profile: String?
        if let node = fields["profile"] {
            profile = word(node, name: "profile", path: "the file", of: Workload.profiles)
        }
        let rules = rules(fields["rules"])
        let loads = loads(fields["load"])
        guard let nodes, let seconds, let loads else { return nil }
        check(loads, seconds: Int(seconds))
        return Workload(
            nodes: nodes, seconds: Int(seconds), profile: profile, rules: rules, loads: loads.map(\.load))
    }

    private mutating func nodes(_ node: Document) -> Int? {
        if case .bare("3") = node.content { return 3 }
        if case .bare("5") = node.content { return 5 }
        reader.report(node.position, "the file: field 'nodes': found \(node.summary); expected 3 or 5")
        return nil
    }

    // MARK: Rules

    private mutating func rules(_ node: Document?) -> [Rule] {
        // What the reader of rules files expects: a file with rules and nothing else.
        let entries = node.map { [Document.Entry(key: "rules", position: $0.position, value: $0)] } ?? []
        let rules = reader.rules(of: Document(content: .map(entries), position: root.position))
        for rule in rules { self.rules[rule.name] = rule }
        guard let node, case .list(let items) = node.content else { return rules }
        if items.isEmpty {
            reader.report(
                node.position, "field 'rules': found an empty list; expected at least one rule to put load on")
        }
        for item in items {
            guard case .map(let entries) = item.content, let entry = entries.first(where: { $0.key == "name" }),
                let name = reader.text(entry.value)
            else { continue }
            names.append(name)
        }
        return rules
    }

    // MARK: Loads

    private mutating func loads(_ node: Document?) -> [(load: Load, position: Position)]? {
        guard let node else {
            reader.report(
                root.position,
                "the file has no field 'load': write 'load:' and a list such as "
                    + "'- {rule: api, perSecond: 300}'")
            return nil
        }
        guard case .list(let items) = node.content, !items.isEmpty else {
            reader.report(
                node.position,
                "field 'load': found \(node.summary); expected a list such as '- {rule: api, perSecond: 300}'")
            return nil
        }
        guard items.count <= Workload.mostLoads else {
            reader.report(
                items[Workload.mostLoads].position,
                "field 'load': \(items.count) loads, at most \(Workload.mostLoads) are possible: put some together")
            return nil
        }
        var loads: [(Load, Position)] = []
        for (i, item) in items.enumerated() {
            if let load = load(item, path: "load[\(i)]") { loads.append((load, item.position)) }
        }
        return loads.count == items.count ? loads : nil
    }

    private mutating func load(_ node: Document, path: String) -> Load? {
        guard let fields = reader.fields(of: node, path: path, known: WorkloadReader.loadFields) else { return nil }
        let rule = rule(fields["rule"], of: node, path: path)
        let keys =
            fields["keys"].map { reader.integer($0, path: path, name: "keys", range: 1...Workload.mostKeys) } ?? 1
        let pattern = fields["pattern"].map { self.pattern($0, path: path) } ?? .steady
        let perSecond = perSecond(fields["perSecond"], of: node, pattern: pattern, path: path)
        let cost = cost(fields["cost"], rule: rule, path: path)
        var at: Load.Arrival? = .all
        if let node = fields["at"] {
            at = word(node, name: "at", path: path, of: ["all", "one"]).map { $0 == "one" ? .one : .all }
            if at == .one, pattern == .hot {
                reader.report(
                    node.position,
                    "\(path): field 'at': found 'one', but with pattern 'hot' each key has a node of its own: "
                        + "remove 'at' or write pattern: steady")
            }
        }
        let critical = fields["critical"].map { self.critical($0, rule: rule, path: path) } ?? 0
        guard let rule, let keys, let pattern, let perSecond, let cost, let at, let critical else { return nil }
        return Load(
            rule: rule, keys: Int(keys), perSecond: perSecond, cost: cost, pattern: pattern, at: at,
            criticalPercent: critical)
    }

    /// How many of the requests are critical.
    private mutating func critical(_ node: Document, rule: String?, path: String) -> Int? {
        guard let percent = reader.percentage(node, path: path, name: "critical", range: 0...100) else { return nil }
        if percent > 0, let rule, let rule = rules[rule], rule.reserveForCritical == 0 {
            reader.report(
                node.position,
                "\(path): field 'critical': rule '\(rule.name)' keeps nothing for critical requests, so they are like all "
                    + "others: give it reserveForCritical: 20%, or remove 'critical'")
            return nil
        }
        return percent
    }

    private mutating func rule(_ node: Document?, of load: Document, path: String) -> String? {
        guard let node else {
            reader.report(load.position, "\(path): field 'rule' is missing: write the name of one of the rules")
            return nil
        }
        guard let name = reader.text(node) else {
            reader.report(node.position, "\(path): field 'rule': found \(node.summary); expected the name of a rule")
            return nil
        }
        guard names.contains(name) else {
            let hint = reader.hint(name, among: names)
            let some = names.prefix(5).joined(separator: ", ") + (names.count > 5 ? ", …" : "")
            reader.report(
                node.position,
                "\(path): field 'rule': no rule has the name '\(Document.excerpt(name))'\(hint); "
                    + (names.isEmpty ? "the file has no rules" : "rules: \(some)"))
            return nil
        }
        return name
    }

    private mutating func perSecond(
        _ node: Document?, of load: Document, pattern: Load.Pattern?, path: String
    ) -> Int64? {
        if let node {
            return reader.integer(node, path: path, name: "perSecond", range: 1...Workload.mostPerSecond)
        }
        // Bursts are load enough; a pattern with mistakes may have been meant as bursts.
        if case .bursts = pattern { return 0 }
        if pattern == nil { return nil }
        reader.report(load.position, "\(path): field 'perSecond' is missing: write perSecond: 300")
        return nil
    }

    private mutating func cost(_ node: Document?, rule: String?, path: String) -> ClosedRange<Int64>? {
        guard let node else { return 1...1 }
        let range: ClosedRange<Int64>
        if case .map = node.content {
            let path = "\(path): field 'cost'"
            guard let fields = reader.fields(of: node, path: path, known: ["from", "to"]) else { return nil }
            for missing in ["from", "to"] where fields[missing] == nil {
                reader.report(node.position, "\(path): '\(missing)' is missing: write {from: 1, to: 5}")
            }
            let from = fields["from"].flatMap {
                reader.integer($0, path: path, name: "from", range: 1...RuleFile.mostTokens)
            }
            let to = fields["to"].flatMap {
                reader.integer($0, path: path, name: "to", range: 1...RuleFile.mostTokens)
            }
            guard let from, let to else { return nil }
            guard from <= to else {
                reader.report(node.position, "\(path): found from \(from) to \(to); expected 'from' to be at most 'to'")
                return nil
            }
            range = from...to
        } else if case .bare = node.content {
            guard let cost = reader.integer(node, path: path, name: "cost", range: 1...RuleFile.mostTokens) else {
                return nil
            }
            range = cost...cost
        } else {
            reader.report(
                node.position,
                "\(path): field 'cost': found \(node.summary); expected a whole number or {from: 1, to: 5}")
            return nil
        }
        if let rule, let rule = rules[rule] {
            let limits = [rule.limit] + rule.overrides.map(\.limit)
            guard limits.contains(where: { $0.time(of: range.upperBound) != nil }) else {
                reader.report(
                    node.position,
                    "\(path): field 'cost': \(range.upperBound) is more than rule '\(rule.name)' can ever admit at once "
                        + "(burst \(rule.limit.burst)): lower the cost or raise the burst")
                return nil
            }
        }
        return range
    }

    private mutating func pattern(_ node: Document, path: String) -> Load.Pattern? {
        let expected = "expected steady, hot or {bursts: {every: 1s, of: 50}}"
        switch reader.text(node) {
        case "steady": return .steady
        case "hot": return .hot
        case let word?:
            let hint = reader.hint(word, among: ["steady", "hot"])
            reader.report(node.position, "\(path): field 'pattern': found \(node.summary)\(hint); \(expected)")
            return nil
        case nil: break
        }
        guard case .map = node.content else {
            reader.report(node.position, "\(path): field 'pattern': found \(node.summary); \(expected)")
            return nil
        }
        let path = "\(path): field 'pattern'"
        guard let fields = reader.fields(of: node, path: path, known: ["bursts"]) else { return nil }
        guard let bursts = fields["bursts"] else {
            reader.report(node.position, "\(path): 'bursts' is missing; \(expected)")
            return nil
        }
        guard case .map = bursts.content else {
            reader.report(bursts.position, "\(path): 'bursts': found \(bursts.summary); expected {every: 1s, of: 50}")
            return nil
        }
        guard let fields = reader.fields(of: bursts, path: path, known: ["every", "of"]) else { return nil }
        for missing in ["every", "of"] where fields[missing] == nil {
            reader.report(bursts.position, "\(path): '\(missing)' is missing: write {bursts: {every: 1s, of: 50}}")
        }
        let every = fields["every"].flatMap {
            reader.duration($0, path: path, name: "every", range: Workload.burstEvery)
        }
        let of = fields["of"].flatMap { reader.integer($0, path: path, name: "of", range: 1...Workload.mostOfBurst) }
        guard let every, let of else { return nil }
        return .bursts(every: every, of: of)
    }

    // MARK: All loads together

    /// Each load may be possible and all of them together not.
    private mutating func check(_ loads: [(load: Load, position: Position)], seconds: Int) {
        var keys: Int64 = 0
        var requests: Int64 = 0
        for (i, (load, position)) in loads.enumerated() {
            let (oldKeys, oldRequests) = (keys, requests)
            keys += Int64(load.keys)
            requests += load.requests(in: seconds)
            // Only the load that goes beyond is named.
            if oldKeys <= Workload.mostKeys, keys > Workload.mostKeys {
                reader.report(
                    position,
                    "load[\(i)]: with this load there are \(keys) keys, at most \(Workload.mostKeys) are possible in "
                        + "all: lower 'keys'")
            }
            if oldRequests <= Workload.mostRequests, requests > Workload.mostRequests {
                reader.report(
                    position,
                    "load[\(i)]: with this load there are \(requests) requests in \(seconds) seconds, at most "
                        + "\(Workload.mostRequests) are possible in all: lower 'perSecond' or 'seconds'")
            }
        }
    }

    /// One of a few words.
    private mutating func word(_ node: Document, name: String, path: String, of words: [String]) -> String? {
        if let word = reader.text(node), words.contains(word) { return word }
        let hint = reader.hint(reader.text(node) ?? "", among: words)
        reader.report(
            node.position,
            "\(path): field '\(name)': found \(node.summary)\(hint); expected " + words.joined(separator: ", "))
        return nil
    }
}

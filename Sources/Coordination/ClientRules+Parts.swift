public import LimiterCore

extension ClientRules {
    /// What a client gets: all rules, in as many parts as it takes for each to be of moderate size.
    public static func parts(
        of rules: [VersionedRule], genesis: Genesis, version: UInt64, node: Tenant
    ) -> [ClientRules] {
        var groups: [[VersionedRule]] = [[]]
        var bytes = 0
        for rule in rules {
            if bytes >= bytesPerPart || groups[groups.count - 1].count >= mostRulesPerPart {
                groups.append([])
                bytes = 0
            }
            groups[groups.count - 1].append(rule)
            bytes += size(of: rule)
        }
        return groups.enumerated().map { i, group in
            ClientRules(
                node: node, cluster: genesis.cluster, secretHigh: genesis.secretHigh, secretLow: genesis.secretLow,
                rho: genesis.parameters.rho, version: version, part: UInt16(i), parts: UInt16(groups.count),
                rules: group)
        }
    }

    /// About how many bytes a rule takes in a message.
    private static func size(of rule: VersionedRule) -> Int {
        func size(_ overrides: [Rule.Override]) -> Int { overrides.reduce(0) { $0 + $1.key.utf8.count + 28 } }
        return 128 + size(rule.rule.overrides) + rule.previous.reduce(0) { $0 + 64 + size($1.overrides) }
    }
}

/// The parts of a node's rules, until all are there.
public struct RuleAssembly: Sendable {
    private var parts: [ClientRules] = []

    public init() {}

    /// Takes the next part; returns the whole, with all rules in its first part's place, once it is complete.
    ///
    /// A node sends the parts of one version in their order. A part that does not follow the last one begins or ends nothing.
    public mutating func add(_ part: ClientRules) -> ClientRules? {
        if part.part == 0 { parts = [] }
        guard part.part == parts.count, parts.last.map({ $0.version == part.version && $0.parts == part.parts }) ?? true
        else {
            parts = []
            return nil
        }
        parts.append(part)
        guard parts.count == part.parts else { return nil }
        var whole = part
        whole.rules = parts.flatMap(\.rules)
        parts = []
        return whole
    }
}

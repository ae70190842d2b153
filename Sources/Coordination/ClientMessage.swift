public import LimiterCore

/// A connection of an embedded client, as its node numbers them; a new connection has a new number.
public struct ClientID: RawRepresentable, Hashable, Comparable, Sendable, BitwiseCopyable, CustomStringConvertible {
    public let rawValue: UInt64

    public init(rawValue: UInt64) { self.rawValue = rawValue }

    public init(_ value: UInt64) { rawValue = value }

    public static func < (a: ClientID, b: ClientID) -> Bool { a.rawValue < b.rawValue }

    public var description: String { String(rawValue) }
}

/// The rules in force and what a client must know to hash and to compute with them; or a part of that, where there are many rules.
public struct ClientRules: Hashable, Sendable {
    /// The node's process: a client's requests belong to it.
    public var node: Tenant
    /// The cluster's own random number: a client never mixes two clusters' spans.
    public var cluster: UInt64
    public var secretHigh: UInt64
    public var secretLow: UInt64
    /// `rho`, in parts per billion.
    public var rho: Int64
    /// The newest log entry that the rules reflect; a higher one replaces a lower one.
    public var version: UInt64
    /// Which part this is, from 0, and of how many.
    public var part: UInt16
    public var parts: UInt16
    public var rules: [VersionedRule]

    public init(
        node: Tenant, cluster: UInt64, secretHigh: UInt64, secretLow: UInt64, rho: Int64, version: UInt64,
        part: UInt16, parts: UInt16, rules: [VersionedRule]
    ) {
        self.node = node
        self.cluster = cluster
        self.secretHigh = secretHigh
        self.secretLow = secretLow
        self.rho = rho
        self.version = version
        self.part = part
        self.parts = parts
        self.rules = rules
    }

    /// How many bytes of rules go into one part, before the last one.
    static let bytesPerPart = 256 << 10
    /// A rule with its overrides is small as a rule; this many are put together at the most.
    static let mostRulesPerPart = 512
}

/// What an embedded client and its node say to each other.
public enum ClientMessage: Hashable, Sendable {
    /// From the node, when a client has come and when rules change.
    case rules(ClientRules)
    /// From the client; its items are named.
    case report(Report)
    /// From the node.
    case answer(Answer)
    /// From the node: verdicts that became known between two reports, sent at once and again with the next answer.
    case verdicts(session: UInt64, VerdictBatch)
    /// From the node: it is about to stop, the client should go to another one.
    case goodbye
}

extension ClientMessage {
    /// Why no correct client can have sent this to a node, or nil.
    public var mistakeOfClient: String? {
        guard case .report(let report) = self else { return "a client says what only nodes say" }
        for item in report.items {
            guard let name = item.name else { return "a client's bucket without a name" }
            guard (1...Rule.longestKey).contains(name.key.count) else { return "a key of \(name.key.count) bytes" }
            guard name.rule.count <= Rule.longestName else { return "a rule's name of \(name.rule.count) bytes" }
            if !item.predecessors.isEmpty { return "a client's bucket with predecessors" }
            if item.weight > Report.mostClientWeight { return "a client of weight \(item.weight)" }
            if item.waiting.contains(where: { $0.closed != 0 }) { return "a client that closes a bucket to itself" }
            guard item.terms.mistake == nil else { continue }  // found below
            if item.waiting.contains(where: { $0.time % item.terms.emissionInterval != 0 }) {
                return "a request for a part of a token"
            }
        }
        return report.mistake
    }

    /// Why no correct node can have sent this to a client, or nil.
    public var mistakeOfNode: String? {
        switch self {
        case .rules(let rules):
            guard rules.parts > 0, rules.part < rules.parts else { return "part \(rules.part) of \(rules.parts)" }
            guard (0...100_000_000).contains(rules.rho) else { return "a drift of \(rules.rho) ppb" }
            return nil
        case .answer(let answer): return answer.mistake
        case .verdicts(_, let batch): return batch.mistake
        case .goodbye: return nil
        case .report: return "a node reports to a client"
        }
    }
}

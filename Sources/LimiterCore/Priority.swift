/// How much a request matters. It says nothing where its rule keeps nothing for critical requests.
public enum Priority: UInt8, Hashable, Sendable, CaseIterable, BitwiseCopyable {
    /// May use its bucket down to what the rule keeps for critical requests.
    case normal = 0
    /// May use all of its bucket.
    case critical = 1

    /// The priority of this name, as it stands in requests; nil if there is none.
    public init?(name: String) {
        guard let known = Priority.allCases.first(where: { $0.name == name }) else { return nil }
        self = known
    }

    /// As in requests.
    public var name: String {
        switch self {
        case .normal: "normal"
        case .critical: "critical"
        }
    }
}

public import ByteCoding
public import LimiterCore
public import Raft

/// What an entry changed, for those who must react.
public enum Effect: Equatable, Sendable {
    /// The cluster exists from now on.
    case formed
    case rulesChanged
    /// The range has a new tenure.
    case assigned(RangeID)
    /// A cover of the range's current epoch counted.
    case covered(RangeID)
    /// The range has been given back and belongs to nobody.
    case released(RangeID)
    /// This request was applied; the text says why it was refused, if it was.
    case done(RequestID, refusal: String?)
}

/// The replicated state machine: rules, and who may hand out what. Every node applies the same entries in the same order and
/// so has the same state; nothing else enters (design, section 3).
public struct ReplicatedState: ~Copyable {
    /// The last entry applied.
    public private(set) var applied: LogIndex = 0
    public private(set) var genesis: Genesis?
    /// Sorted by name.
    public private(set) var rules: [VersionedRule] = []
    private var ranges: RangeMap<RangeState>

    public init() {
        let capacity = ClusterParameters().boundsPerRange
        ranges = RangeMap { _ in RangeState(capacity: capacity) }
    }

    public var parameters: ClusterParameters { genesis?.parameters ?? ClusterParameters() }

    // MARK: What the others may know of a range

    public func epoch(of range: RangeID) -> UInt64 { ranges[range].epoch }
    public func owner(of range: RangeID) -> Tenant? { ranges[range].owner }
    public func floor(of range: RangeID) -> AxisTime { ranges[range].floor }
    public func stamp(of range: RangeID) -> AxisTime { ranges[range].stamp }
    public func horizon(of range: RangeID) -> AxisTime { ranges[range].horizon }
    /// Up to where a bucket may be, or may have been, handed out.
    public func bound(of id: BucketID, in range: RangeID) -> AxisTime { ranges[range].bounds.bound(id) }
    /// Which parts of the release that is under way are in the log.
    func releasedParts(of range: RangeID) -> [UInt32] { ranges[range].release?.received ?? [] }

    /// The floors of forgotten buckets, by tolerance class.
    public func boundFloors(of range: RangeID) -> [AxisTime] { ranges[range].bounds.floors }
    /// All bounds after `axis`, by identity.
    public func bounds(of range: RangeID, after axis: AxisTime) -> [Bound] { ranges[range].bounds.sorted(after: axis) }
    public func boundCount(of range: RangeID) -> Int { ranges[range].bounds.count }

    // MARK: Applying

    /// Applies the next entry. Only committed entries may come here, in order, each once.
    public mutating func apply(_ command: Command, at index: LogIndex) -> [Effect] {
        precondition(index > applied, "entry \(index) after entry \(applied)")
        applied = index
        switch command {
        case .genesis(let genesis):
            guard self.genesis == nil else { return [] }  // two first leaders proposed; the first one counts
            self.genesis = genesis
            let capacity = genesis.parameters.boundsPerRange
            ranges = RangeMap { _ in RangeState(capacity: capacity) }
            return [.formed]
        case .rules(let changes, let request):
            return apply(changes, request, at: index)
        case .assign(let assignments):
            return assignments.filter { ranges[$0.range].assign($0, index: index) }.map { .assigned($0.range) }
        case .covers(let covers, let request):
            return covers.filter { ranges[$0.range].cover($0) }.map { .covered($0.range) } + [
                .done(request, refusal: nil)
            ]
        case .release(let chunk):
            return ranges[chunk.range].release(chunk) ? [.released(chunk.range)] : []
        }
    }

    /// An entry without a command, such as a new leader's empty one.
    public mutating func skip(to index: LogIndex) {
        precondition(index > applied, "entry \(index) after entry \(applied)")
        applied = index
    }

    private mutating func apply(_ changes: [RuleChange], _ request: RequestID, at index: LogIndex) -> [Effect] {
        var next = rules
        for change in changes {
            switch change {
            case .put(let rule):
                if let at = next.firstIndex(where: { $0.rule.name == rule.name }) {
                    next[at] = next[at].changed(to: rule, version: index)
                } else {
                    next.append(VersionedRule(rule: rule, version: index))
                }
            case .delete(let name):
                guard let at = next.firstIndex(where: { $0.rule.name == name }) else {
                    return [.done(request, refusal: "there is no rule '\(name)'")]
                }
                next.remove(at: at)
            }
        }
        guard next.count <= RuleDirectory.mostRules else {
            return [
                .done(
                    request,
                    refusal:
                        "\(next.count) rules are more than the \(RuleDirectory.mostRules) possible: delete some first")
            ]
        }
        next.sort { $0.rule.name < $1.rule.name }
        let changed = next != rules
        rules = next
        return (changed ? [.rulesChanged] : []) + [.done(request, refusal: nil)]
    }

    // MARK: Snapshots

    private static let formatVersion: UInt8 = 4

    /// The whole state as bytes; equal states give equal bytes.
    ///
    /// Bounds that the axis has passed are in it as long as they are in the tables: a node that starts from a snapshot without
    /// them would have room where the others must forget, and would not raise the floors that the others raise.
    public func snapshot() -> [UInt8] {
        var writer = ByteWriter(capacity: 1 << 16)
        writer.write(ReplicatedState.formatVersion)
        writer.write(applied)
        writer.write(genesis != nil)
        genesis?.encode(into: &writer)
        writer.write(each: rules) { $0.write($1) }
        for range in RangeID.all {
            writer.write(ranges[range].epoch)
            writer.write(ranges[range].owner?.node.rawValue ?? 0)
            writer.write(ranges[range].owner?.incarnation ?? 0)
            writer.write(ranges[range].floor.ns)
            writer.write(ranges[range].stamp.ns)
            writer.write(isPlanted(.snapshotForgetsHorizon) ? AxisTime.never.ns : ranges[range].horizon.ns)
            writer.write(floors: ranges[range].bounds.floors)
            writer.write(each: ranges[range].bounds.sorted(after: .never)) { $0.write($1) }
            let release = ranges[range].release
            writer.write(release?.count ?? 0)
            writer.write(each: release?.received ?? []) { $0.write($1) }
            writer.write(each: release?.tats ?? []) { $0.write($1) }
            writer.write(floors: release?.floors ?? [])
        }
        return writer.bytes
    }

    public init(snapshot bytes: [UInt8]) throws(DecodingFailure) {
        self.init()
        var reader = ByteReader(bytes)
        let version = try reader.read(UInt8.self)
        guard version == ReplicatedState.formatVersion else {
            throw DecodingFailure(format: version, of: "snapshots", known: ReplicatedState.formatVersion)
        }
        applied = try reader.read()
        let genesis: Genesis? = try reader.readBool() ? try Genesis(from: &reader) : nil
        self.genesis = genesis
        rules = try reader.readEach(limit: RuleDirectory.mostRules, bytesEach: 16) {
            (reader: inout ByteReader) throws(DecodingFailure) -> VersionedRule in try reader.readVersionedRule()
        }
        let capacity = (genesis?.parameters ?? ClusterParameters()).boundsPerRange
        ranges = RangeMap { _ in RangeState(capacity: capacity) }
        for range in RangeID.all {
            ranges[range].epoch = try reader.read()
            let (node, incarnation) = (try reader.read(UInt32.self), try reader.read(UInt64.self))
            ranges[range].owner = node == 0 ? nil : Tenant(node: NodeID(node), incarnation: incarnation)
            ranges[range].floor = AxisTime(ns: try reader.read())
            ranges[range].stamp = AxisTime(ns: try reader.read())
            ranges[range].horizon = AxisTime(ns: try reader.read())
            let floors = try reader.readFloors()
            ranges[range].bounds.replace(bounds: try reader.readBounds(), floors: floors, axis: .never)
            let count = try reader.read(UInt32.self)
            let received = try reader.readEach(limit: Int(count), bytesEach: 4) {
                (reader: inout ByteReader) throws(DecodingFailure) -> UInt32 in try reader.read()
            }
            let (tats, releasedFloors) = (try reader.readBounds(), try reader.readFloors())
            if count > 0 {
                ranges[range].release = RangeState.PartialRelease(
                    count: count, received: received, tats: tats, floors: releasedFloors)
            }
        }
        try reader.finish()
    }
}

extension VersionedRule {
    /// The rule after a change: the same version if nothing changed that the arithmetic depends on, else a new one that
    /// remembers the last few.
    func changed(to rule: Rule, version: UInt64) -> VersionedRule {
        let sameArithmetic =
            rule.limit == self.rule.limit && rule.overrides == self.rule.overrides && rule.exact == self.rule.exact
        guard !sameArithmetic else { return VersionedRule(rule: rule, version: self.version, previous: previous) }
        let earlier = Earlier(version: self.version, limit: self.rule.limit, overrides: self.rule.overrides)
        return VersionedRule(
            rule: rule, version: version, previous: Array(([earlier] + previous).prefix(VersionedRule.mostPrevious)))
    }
}

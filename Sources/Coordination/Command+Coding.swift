public import ByteCoding
package import LimiterCore
import Raft

// The bytes of a log entry: a format version, a kind, the fields in the order of their declaration.

extension Command {
    private static let formatVersion: UInt8 = 3

    public func encoded() -> [UInt8] {
        var writer = ByteWriter()
        writer.write(Command.formatVersion)
        switch self {
        case .genesis(let genesis):
            writer.write(UInt8(1))
            genesis.encode(into: &writer)
        case .rules(let changes, let request):
            writer.write(UInt8(2))
            writer.write(request)
            writer.write(each: changes) { writer, change in
                switch change {
                case .put(let rule):
                    writer.write(UInt8(0))
                    writer.write(rule)
                case .delete(let name):
                    writer.write(UInt8(1))
                    writer.write(name)
                }
            }
        case .assign(let assignments):
            writer.write(UInt8(3))
            writer.write(each: assignments) { writer, assignment in
                writer.write(assignment.range.rawValue)
                writer.write(assignment.replaces)
                writer.write(assignment.node.rawValue)
                writer.write(assignment.incarnation)
            }
        case .covers(let covers, let request):
            writer.write(UInt8(4))
            writer.write(request)
            writer.write(each: covers) { writer, cover in
                writer.write(cover.range.rawValue)
                writer.write(cover.epoch)
                writer.write(cover.stamp.ns)
                writer.write(cover.horizon.ns)
                writer.write(each: cover.bounds) { $0.write($1) }
            }
        case .release(let chunk):
            writer.write(UInt8(5))
            writer.write(chunk.range.rawValue)
            writer.write(chunk.epoch)
            writer.write(chunk.chunk)
            writer.write(chunk.count)
            writer.write(chunk.stamp.ns)
            writer.write(each: chunk.tats) { $0.write($1) }
            writer.write(floors: chunk.floors)
        }
        return writer.bytes
    }

    public init(decoding bytes: [UInt8]) throws(DecodingFailure) {
        var reader = ByteReader(bytes)
        let version = try reader.read(UInt8.self)
        guard version == Command.formatVersion else {
            throw DecodingFailure(format: version, of: "log entries", known: Command.formatVersion)
        }
        switch try reader.read(UInt8.self) {
        case 1:
            self = .genesis(try Genesis(from: &reader))
        case 2:
            let request = try reader.readRequestID()
            let changes = try reader.readEach(limit: Command.mostRuleChanges, bytesEach: 5) {
                (reader: inout ByteReader) throws(DecodingFailure) -> RuleChange in
                switch try reader.read(UInt8.self) {
                case 0: return .put(try reader.readRule())
                case 1: return .delete(try reader.readString(limit: Rule.longestName))
                case let kind: throw DecodingFailure("an unknown rule change \(kind)")
                }
            }
            self = .rules(changes, request)
        case 3:
            self = .assign(
                try reader.readEach(limit: RangeID.count, bytesEach: 21) {
                    (reader: inout ByteReader) throws(DecodingFailure) -> Assignment in
                    let (range, replaces) = (try reader.readRange(), try reader.read(UInt64.self))
                    let node = try reader.read(UInt32.self)
                    // In a snapshot this number says that there is no owner.
                    guard node != 0 else { throw DecodingFailure("node 0 as the owner of range \(range)") }
                    return Assignment(
                        range: range, replaces: replaces, node: NodeID(node), incarnation: try reader.read())
                })
        case 4:
            let request = try reader.readRequestID()
            let covers = try reader.readEach(limit: RangeID.count, bytesEach: 29) {
                (reader: inout ByteReader) throws(DecodingFailure) -> Cover in
                Cover(
                    range: try reader.readRange(), epoch: try reader.read(), stamp: AxisTime(ns: try reader.read()),
                    horizon: AxisTime(ns: try reader.read()), bounds: try reader.readBounds(limit: Command.mostBounds))
            }
            let bounds = covers.reduce(0) { $0 + $1.bounds.count }
            guard bounds <= Command.mostBounds else {
                throw DecodingFailure(
                    "\(bounds) bounds in one batch of covers, at most \(Command.mostBounds) are possible")
            }
            self = .covers(covers, request)
        case 5:
            self = .release(
                ReleaseChunk(
                    range: try reader.readRange(), epoch: try reader.read(), chunk: try reader.read(),
                    count: try reader.read(), stamp: AxisTime(ns: try reader.read()),
                    tats: try reader.readBounds(limit: Command.mostBounds),
                    floors: try reader.readFloors()))
        case let kind:
            throw DecodingFailure("log entries of kind \(kind) are not known to this version of Millrace: upgrade it")
        }
        try reader.finish()
    }
}

extension Genesis {
    func encode(into writer: inout ByteWriter) {
        writer.write(secretHigh)
        writer.write(secretLow)
        writer.write(cluster)
        parameters.encode(into: &writer)
    }

    init(from reader: inout ByteReader) throws(DecodingFailure) {
        self.init(
            secretHigh: try reader.read(), secretLow: try reader.read(), cluster: try reader.read(),
            parameters: try ClusterParameters(from: &reader))
    }
}

extension ByteWriter {
    mutating func write(_ request: RequestID) {
        write(request.incarnation)
        write(request.number)
    }

    mutating func write(_ bound: Bound) {
        write(bound.id)
        write(bound.time.ns)
    }

    package mutating func write(_ id: BucketID) {
        write(id.high)
        write(id.low)
    }

    /// A mask of those that say something, then those: of 64 classes few are ever forgotten.
    mutating func write(floors: [AxisTime]) {
        write(floors.indices.reduce(0) { floors[$1] == .never ? $0 : $0 | 1 << UInt64($1) } as UInt64)
        for floor in floors where floor != .never { write(floor.ns) }
    }

    mutating func write(_ limit: Limit) {
        write(limit.tokens)
        write(limit.period)
        write(limit.burst)
    }

    mutating func write(_ overrides: [Rule.Override]) {
        write(each: overrides) { writer, override in
            writer.write(override.key)
            writer.write(override.limit)
        }
    }

    mutating func write(_ rule: Rule) {
        write(rule.name)
        write(rule.limit)
        write(rule.longestWait)
        write(rule.onIsolation.rawValue)
        write(rule.exact)
        write(rule.shadow)
        write(UInt8(rule.reserveForCritical))
        write(rule.overrides)
    }
}

extension ByteWriter {
    package mutating func write(_ rule: VersionedRule) {
        write(rule.version)
        write(rule.rule)
        write(each: rule.previous) { writer, earlier in
            writer.write(earlier.version)
            writer.write(earlier.limit)
            writer.write(earlier.overrides)
        }
    }
}

extension ByteReader {
    package mutating func readVersionedRule() throws(DecodingFailure) -> VersionedRule {
        let version = try read(UInt64.self)
        let rule = try readRule()
        let previous = try readEach(limit: VersionedRule.mostPrevious, bytesEach: 36) {
            (reader: inout ByteReader) throws(DecodingFailure) -> VersionedRule.Earlier in
            VersionedRule.Earlier(
                version: try reader.read(), limit: try reader.readLimit(), overrides: try reader.readOverrides())
        }
        return VersionedRule(rule: rule, version: version, previous: previous)
    }

    mutating func readRequestID() throws(DecodingFailure) -> RequestID {
        RequestID(incarnation: try read(), number: try read())
    }

    package mutating func readRange() throws(DecodingFailure) -> RangeID {
        let raw = try read(UInt8.self)
        guard raw < RangeID.count else { throw DecodingFailure("there is no range \(raw)") }
        return RangeID(rawValue: raw)
    }

    package mutating func readBucketID() throws(DecodingFailure) -> BucketID {
        let high = try read(UInt64.self)
        guard high != 0 else { throw DecodingFailure("a bucket identity of 0") }
        return BucketID(high: high, low: try read())
    }

    mutating func readBounds(limit: Int = .max) throws(DecodingFailure) -> [Bound] {
        try readEach(limit: limit, bytesEach: 24) { (reader: inout ByteReader) throws(DecodingFailure) -> Bound in
            Bound(id: try reader.readBucketID(), time: AxisTime(ns: try reader.read()))
        }
    }

    /// All or none of the floors: empty if all are `.never`.
    mutating func readFloors() throws(DecodingFailure) -> [AxisTime] {
        let mask = try read(UInt64.self)
        guard mask != 0 else { return [] }
        var floors = Array(repeating: AxisTime.never, count: BucketID.classes)
        for kind in 0..<BucketID.classes where mask & 1 << UInt64(kind) != 0 {
            floors[kind] = AxisTime(ns: try read())
            guard floors[kind] != .never else {
                throw DecodingFailure("the floor at offset \(consumed - 8) says nothing")
            }
        }
        return floors
    }

    mutating func readLimit() throws(DecodingFailure) -> Limit {
        let (tokens, period, burst) = (try read(Int64.self), try read(Int64.self), try read(Int64.self))
        do { return try Limit(tokens: tokens, per: period, burst: burst) } catch {
            throw DecodingFailure("a limit that cannot be: \(error)")
        }
    }

    mutating func readOverrides() throws(DecodingFailure) -> [Rule.Override] {
        try readEach(limit: Rule.mostOverrides, bytesEach: 28) {
            (reader: inout ByteReader) throws(DecodingFailure) -> Rule.Override in
            Rule.Override(key: try reader.readString(limit: Rule.longestKey), limit: try reader.readLimit())
        }
    }

    mutating func readRule() throws(DecodingFailure) -> Rule {
        let name = try readString(limit: Rule.longestName)
        let limit = try readLimit()
        let wait = try read(Int64.self)
        guard let isolation = OnIsolation(rawValue: try read(UInt8.self)) else {
            throw DecodingFailure("rule '\(name)' has an unknown onIsolation")
        }
        let (exact, shadow, reserve) = (try readBool(), try readBool(), try read(UInt8.self))
        let overrides = try readOverrides()
        do {
            return try Rule(
                name: name, limit: limit, onLimit: wait == 0 ? .reject : .delay(wait), onIsolation: isolation,
                exact: exact,
                shadow: shadow, reserveForCritical: Int(reserve), overrides: overrides)
        } catch {
            throw DecodingFailure("\(error)")
        }
    }
}

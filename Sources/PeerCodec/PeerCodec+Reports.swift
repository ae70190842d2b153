import ByteCoding
import Coordination
import LimiterCore

// Reports are most of what nodes send. An item says with a byte of flags which of its fields differ from the usual:
//
//     range     UInt8
//     flags     UInt16   ``PeerCodec/ItemFlags``
//     id        16 bytes
//     interval  Int64
//     tolerance Int64
//     unit, reserve, used, refused, want, weight (a UInt32), predecessors (a UInt8 count), waiting (a UInt16 count): as the flags say
//     name: rule (UInt8 count), version UInt64, key (UInt16 count); from clients
//
// So a bucket that only reports its usage takes 43 bytes, and one request for an unknown bucket takes 65.

extension PeerCodec {
    /// Which fields of a report's item follow; ``exact`` is a field itself.
    struct ItemFlags: OptionSet {
        var rawValue: UInt16

        static let exact = ItemFlags(rawValue: 1 << 0)
        /// The unit is not 1.
        static let unit = ItemFlags(rawValue: 1 << 1)
        static let used = ItemFlags(rawValue: 1 << 2)
        static let refused = ItemFlags(rawValue: 1 << 3)
        static let want = ItemFlags(rawValue: 1 << 4)
        static let predecessors = ItemFlags(rawValue: 1 << 5)
        static let waiting = ItemFlags(rawValue: 1 << 6)
        static let named = ItemFlags(rawValue: 1 << 7)
        /// A part of the bucket is kept for critical requests.
        static let reserve = ItemFlags(rawValue: 1 << 8)
        /// The weight is not 1.
        static let weight = ItemFlags(rawValue: 1 << 9)
        static let all = ItemFlags(rawValue: 1 << 10 - 1)

        init(rawValue: UInt16) { self.rawValue = rawValue }

        init(_ item: ReportItem) {
            rawValue = 0
            if item.terms.exact { insert(.exact) }
            if item.terms.unit != 1 { insert(.unit) }
            if item.used != 0 { insert(.used) }
            if item.refused != 0 { insert(.refused) }
            if item.want != 0 { insert(.want) }
            if !item.predecessors.isEmpty { insert(.predecessors) }
            if !item.waiting.isEmpty { insert(.waiting) }
            if item.name != nil { insert(.named) }
            if item.terms.reserve != 0 { insert(.reserve) }
            if item.weight != 1 { insert(.weight) }
        }
    }

    /// Session, number, verdicts seen, and the count of items.
    private static let reportBytes = 28
    /// An item without any of the fields that flags announce.
    private static let leastItemBytes = 35
    private static let predecessorBytes = 32
    /// A group of requests to which nothing is closed.
    private static let groupBytes = 28
    /// In a group's count: its requests gather,
    private static let gathers: UInt32 = 1 << 31
    /// are critical,
    private static let critical: UInt32 = 1 << 30
    /// or have a part of the bucket closed to them, which follows the group's other fields.
    private static let closed: UInt32 = 1 << 29

    static func encode(_ report: Report) -> [UInt8] {
        var writer = writer(.report, bytes: bytes(of: report))
        encode(report, into: &writer)
        return writer.bytes
    }

    static func bytes(of report: Report) -> Int {
        precondition(
            report.items.count <= Report.mostItems,
            "\(report.items.count) buckets in a report; peers accept \(Report.mostItems)")
        var bytes = reportBytes + report.items.count * (leastItemBytes + 28)
        var groups = 0
        for item in report.items {
            bytes += item.predecessors.count * predecessorBytes
            groups += item.waiting.count
            if let name = item.name { bytes += 11 + name.rule.count + name.key.count }
        }
        precondition(
            groups <= Report.mostGroups, "\(groups) groups of requests in a report; peers accept \(Report.mostGroups)")
        return bytes + groups * (groupBytes + 10)
    }

    static func encode(_ report: Report, into writer: inout ByteWriter) {
        writer.write(report.session)
        writer.write(report.number)
        writer.write(report.verdictsSeen)
        writer.write(UInt32(report.items.count))
        for item in report.items { encode(item, into: &writer) }
    }

    private static func encode(_ item: ReportItem, into writer: inout ByteWriter) {
        let flags = ItemFlags(item)
        writer.write(item.range.rawValue)
        writer.write(flags.rawValue)
        writer.write(item.id)
        writer.write(item.terms.emissionInterval)
        writer.write(item.terms.tolerance)
        if flags.contains(.unit) { writer.write(item.terms.unit) }
        if flags.contains(.reserve) { writer.write(item.terms.reserve) }
        if flags.contains(.used) { writer.write(item.used) }
        if flags.contains(.refused) { writer.write(item.refused) }
        if flags.contains(.want) { writer.write(item.want) }
        if flags.contains(.weight) { writer.write(item.weight) }
        if flags.contains(.predecessors) {
            precondition(
                item.predecessors.count <= Report.mostPredecessors,
                "\(item.predecessors.count) predecessors of a bucket; peers accept \(Report.mostPredecessors)")
            writer.write(UInt8(item.predecessors.count))
            for predecessor in item.predecessors {
                writer.write(predecessor.id)
                writer.write(predecessor.emissionInterval)
                writer.write(predecessor.unit)
            }
        }
        if flags.contains(.waiting) {
            writer.write(UInt16(item.waiting.count))
            for group in item.waiting {
                writer.write(group.firstTicket)
                writer.write(
                    group.count | (group.gathers ? gathers : 0) | (group.priority == .critical ? critical : 0)
                        | (group.closed == 0 ? 0 : closed))
                writer.write(group.time)
                writer.write(group.longestWait)
                if group.closed != 0 { writer.write(group.closed) }
            }
        }
        if let name = item.name {
            precondition(
                name.rule.count <= Rule.longestName && name.key.count <= Rule.longestKey,
                "a name of \(name.rule.count) and \(name.key.count) bytes is more than nodes accept")
            writer.write(UInt8(name.rule.count))
            writer.write(raw: name.rule)
            writer.write(name.version)
            writer.write(UInt16(name.key.count))
            writer.write(raw: name.key)
        }
    }

    static func decodeReport(from reader: inout ByteReader) throws(DecodingFailure) -> Report {
        let (session, number, seen) = (
            try reader.read(UInt64.self), try reader.read(UInt64.self), try reader.read(UInt64.self)
        )
        let count = try reader.readCount(limit: Report.mostItems, bytesEach: leastItemBytes)
        var items: [ReportItem] = []
        items.reserveCapacity(count)
        var groups = 0
        for _ in 0..<count {
            let item = try decodeItem(from: &reader)
            groups += item.waiting.count
            guard groups <= Report.mostGroups else {
                throw DecodingFailure(
                    "more than \(Report.mostGroups) groups of requests in a report, at offset \(reader.consumed)")
            }
            items.append(item)
        }
        return Report(session: session, number: number, verdictsSeen: seen, items: items)
    }

    private static func decodeItem(from reader: inout ByteReader) throws(DecodingFailure) -> ReportItem {
        let range = try reader.readRange()
        let flags = ItemFlags(rawValue: try reader.read())
        guard ItemFlags.all.isSuperset(of: flags) else {
            throw DecodingFailure("unknown flags of a bucket in a report, at offset \(reader.consumed)")
        }
        let id = try reader.readBucketID()
        let (interval, tolerance) = (try reader.read(Int64.self), try reader.read(Int64.self))
        let unit = flags.contains(.unit) ? try reader.read(Int64.self, otherThan: 1) : 1
        var item = ReportItem(
            range: range, id: id,
            terms: BucketTerms(
                emissionInterval: interval, tolerance: tolerance, unit: unit, exact: flags.contains(.exact)))
        if flags.contains(.reserve) { item.terms.reserve = try reader.read(Int64.self, otherThan: 0) }
        if flags.contains(.used) { item.used = try reader.read(Int64.self, otherThan: 0) }
        if flags.contains(.refused) { item.refused = try reader.read(UInt32.self, otherThan: 0) }
        if flags.contains(.want) { item.want = try reader.read(Int64.self, otherThan: 0) }
        if flags.contains(.weight) { item.weight = try reader.read(UInt32.self, otherThan: 1) }
        if flags.contains(.predecessors) { item.predecessors = try decodePredecessors(from: &reader) }
        if flags.contains(.waiting) { item.waiting = try decodeGroups(from: &reader) }
        if flags.contains(.named) { item.name = try decodeName(from: &reader) }
        return item
    }

    private static func decodePredecessors(
        from reader: inout ByteReader
    ) throws(DecodingFailure) -> [RuleDirectory.Predecessor] {
        let count = Int(try reader.read(UInt8.self, otherThan: 0))
        try reader.check(count, limit: Report.mostPredecessors, bytesEach: predecessorBytes)
        var predecessors: [RuleDirectory.Predecessor] = []
        predecessors.reserveCapacity(count)
        for _ in 0..<count {
            predecessors.append(
                RuleDirectory.Predecessor(
                    id: try reader.readBucketID(), emissionInterval: try reader.read(), unit: try reader.read()))
        }
        return predecessors
    }

    private static func decodeGroups(from reader: inout ByteReader) throws(DecodingFailure) -> [WaitingGroup] {
        let count = Int(try reader.read(UInt16.self, otherThan: 0))
        try reader.check(count, limit: Report.mostGroups, bytesEach: groupBytes)
        var groups: [WaitingGroup] = []
        groups.reserveCapacity(count)
        for _ in 0..<count {
            let (ticket, count) = (try reader.read(UInt64.self), try reader.read(UInt32.self))
            groups.append(
                WaitingGroup(
                    firstTicket: ticket, count: count & ~(gathers | critical | closed), time: try reader.read(),
                    longestWait: try reader.read(), gathers: count & gathers != 0,
                    priority: count & critical != 0 ? .critical : .normal,
                    closed: count & closed != 0 ? try reader.read(Int64.self, otherThan: 0) : 0))
        }
        return groups
    }

    private static func decodeName(from reader: inout ByteReader) throws(DecodingFailure) -> ItemName {
        let ruleCount = Int(try reader.read(UInt8.self))
        try reader.check(ruleCount, limit: Rule.longestName, bytesEach: 1)
        let rule = Array(try reader.read(rawCount: ruleCount))
        let version = try reader.read(UInt64.self)
        let keyCount = Int(try reader.read(UInt16.self))
        try reader.check(keyCount, limit: Rule.longestKey, bytesEach: 1)
        return ItemName(rule: rule, version: version, key: Array(try reader.read(rawCount: keyCount)))
    }
}

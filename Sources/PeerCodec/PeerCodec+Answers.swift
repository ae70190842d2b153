import ByteCoding
import Coordination
import LimiterCore

// Answers and verdicts. A range takes six bits of its byte, an outcome five: the highest bits say what follows.

extension PeerCodec {
    /// In an answer item's range: an allowance follows.
    private static let hasAllowance: UInt8 = 1 << 7
    /// In a verdict's outcome: axis and `tat` follow, which are ``AxisTime/never`` otherwise.
    private static let hasTimes: UInt8 = 1 << 7
    /// In a verdict's outcome: the refusal's `tat` follows, which is the verdict's otherwise.
    private static let hasRefusal: UInt8 = 1 << 6
    /// In a verdict's outcome: the epoch of gathered spans follows, which is 0 otherwise.
    private static let hasEpoch: UInt8 = 1 << 5

    private static let readingBytes = 17
    /// An answer item without an allowance, and a verdict without times.
    private static let leastItemBytes = 25
    private static let leastVerdictBytes = 17

    /// The most verdicts in a message: an owner keeps no more for a holder.
    private static var mostVerdicts: Int { Owner.mostUnseen }

    static func encode(_ answer: Answer) -> [UInt8] {
        var writer = writer(.answer, bytes: bytes(of: answer))
        encode(answer, into: &writer)
        return writer.bytes
    }

    static func bytes(of answer: Answer) -> Int {
        21 + answer.readings.count * readingBytes + answer.items.count * (leastItemBytes + 16)
            + bytes(of: answer.verdicts)
    }

    static func encode(_ answer: Answer, into writer: inout ByteWriter) {
        precondition(
            answer.readings.count <= RangeID.count && answer.items.count <= Report.mostItems,
            "an answer with \(answer.readings.count) readings and \(answer.items.count) buckets is more than peers accept"
        )
        writer.write(answer.session)
        writer.write(answer.number)
        writer.write(UInt8(answer.readings.count))
        for reading in answer.readings {
            writer.write(reading.range.rawValue)
            writer.write(reading.epoch)
            writer.write(reading.axis.ns)
        }
        writer.write(UInt32(answer.items.count))
        for item in answer.items {
            writer.write(item.allowance == nil ? item.range.rawValue : item.range.rawValue | hasAllowance)
            writer.write(item.id)
            writer.write(item.tat.ns)
            if let allowance = item.allowance {
                writer.write(allowance.start.ns)
                writer.write(allowance.end.ns)
            }
        }
        encode(answer.verdicts, into: &writer)
    }

    static func decodeAnswer(from reader: inout ByteReader) throws(DecodingFailure) -> Answer {
        let (session, number) = (try reader.read(UInt64.self), try reader.read(UInt64.self))
        return Answer(
            session: session, number: number, readings: try decodeReadings(from: &reader),
            items: try decodeAnswerItems(from: &reader), verdicts: try decodeVerdicts(from: &reader))
    }

    private static func decodeReadings(from reader: inout ByteReader) throws(DecodingFailure) -> [AxisReading] {
        let count = Int(try reader.read(UInt8.self))
        try reader.check(count, limit: RangeID.count, bytesEach: readingBytes)
        var readings: [AxisReading] = []
        readings.reserveCapacity(count)
        for _ in 0..<count {
            readings.append(
                AxisReading(
                    range: try reader.readRange(), epoch: try reader.read(), axis: AxisTime(ns: try reader.read())))
        }
        return readings
    }

    private static func decodeAnswerItems(from reader: inout ByteReader) throws(DecodingFailure) -> [AnswerItem] {
        let count = try reader.readCount(limit: Report.mostItems, bytesEach: leastItemBytes)
        var items: [AnswerItem] = []
        items.reserveCapacity(count)
        for _ in 0..<count {
            let byte = try reader.read(UInt8.self)
            let range = byte & ~hasAllowance
            guard range < RangeID.count else { throw DecodingFailure("there is no range \(range)") }
            var item = AnswerItem(
                range: RangeID(rawValue: range), id: try reader.readBucketID(), tat: AxisTime(ns: try reader.read()),
                allowance: nil)
            if byte & hasAllowance != 0 {
                item.allowance = Allowance(start: AxisTime(ns: try reader.read()), end: AxisTime(ns: try reader.read()))
            }
            items.append(item)
        }
        return items
    }

    // MARK: Verdicts

    static func encode(_ batch: VerdictBatch, session: UInt64) -> [UInt8] {
        var writer = writer(.verdicts, bytes: 8 + bytes(of: batch))
        writer.write(session)
        encode(batch, into: &writer)
        return writer.bytes
    }

    static func bytes(of batch: VerdictBatch) -> Int { 12 + batch.verdicts.count * (leastVerdictBytes + 24) }

    static func encode(_ batch: VerdictBatch, into writer: inout ByteWriter) {
        precondition(
            batch.verdicts.count <= mostVerdicts, "\(batch.verdicts.count) verdicts; peers accept \(mostVerdicts)")
        writer.write(batch.first)
        writer.write(UInt32(batch.verdicts.count))
        for verdict in batch.verdicts {
            let times = verdict.axis != .never || verdict.tat != .never
            let refusal = verdict.refusalTat != verdict.tat
            writer.write(
                verdict.outcome.rawValue | (times ? hasTimes : 0) | (refusal ? hasRefusal : 0)
                    | (verdict.epoch != 0 ? hasEpoch : 0))
            writer.write(verdict.firstTicket)
            writer.write(verdict.count)
            writer.write(verdict.admitted)
            if times {
                writer.write(verdict.axis.ns)
                writer.write(verdict.tat.ns)
            }
            if refusal { writer.write(verdict.refusalTat.ns) }
            if verdict.epoch != 0 { writer.write(verdict.epoch) }
        }
    }

    static func decodeVerdicts(from reader: inout ByteReader) throws(DecodingFailure) -> VerdictBatch {
        let first = try reader.read(UInt64.self)
        let count = try reader.readCount(limit: mostVerdicts, bytesEach: leastVerdictBytes)
        var verdicts: [Verdict] = []
        verdicts.reserveCapacity(count)
        for _ in 0..<count { verdicts.append(try decodeVerdict(from: &reader)) }
        return VerdictBatch(first: first, verdicts: verdicts)
    }

    private static func decodeVerdict(from reader: inout ByteReader) throws(DecodingFailure) -> Verdict {
        let byte = try reader.read(UInt8.self)
        guard let outcome = Verdict.Outcome(rawValue: byte & ~(hasTimes | hasRefusal | hasEpoch)) else {
            throw DecodingFailure(
                "the outcome \(byte) at offset \(reader.consumed - 1) is not known to this version of Millrace: "
                    + "upgrade this node")
        }
        var verdict = Verdict(
            firstTicket: try reader.read(), count: try reader.read(), outcome: outcome, admitted: try reader.read())
        if byte & hasTimes != 0 {
            verdict.axis = AxisTime(ns: try reader.read())
            verdict.tat = AxisTime(ns: try reader.read())
            guard verdict.axis != .never || verdict.tat != .never else {
                throw DecodingFailure(
                    "a verdict at offset \(reader.consumed - 16) spells out times that it does not have")
            }
        }
        verdict.refusalTat = verdict.tat
        if byte & hasRefusal != 0 {
            verdict.refusalTat = AxisTime(ns: try reader.read(Int64.self, otherThan: verdict.tat.ns))
        }
        if byte & hasEpoch != 0 { verdict.epoch = try reader.read(UInt64.self, otherThan: 0) }
        return verdict
    }

    // MARK: Handing over

    static func encodeHandOver(of range: RangeID, epoch: UInt64) -> [UInt8] {
        var writer = writer(.handOver, bytes: 9)
        writer.write(range.rawValue)
        writer.write(epoch)
        return writer.bytes
    }
}

package import ByteCoding
package import Raft

/// What the log consists of.
package enum LogRecord: Equatable, Sendable {
    /// The first record of every segment.
    case segmentStart(SegmentStart)
    case hardState(HardState)
    case entry(Entry)
    /// From here on the snapshot's file counts. `discardsLog`: no entry before this record counts any more.
    case snapshot(SnapshotMark, discardsLog: Bool)
    /// Says only how far the log is durable: written after a sync when nothing else follows at once.
    case durable
    /// The process ended in good order; everything before this record is durable.
    case closed

    package enum Kind: UInt8, Sendable {
        case segmentStart = 1
        case hardState = 2
        case entry = 3
        case snapshot = 4
        case durable = 5
        case closed = 6
    }

    /// Bytes that the record takes in a segment.
    package var size: Int {
        switch self {
        case .segmentStart(let start): RecordHeader.size + RecordHeader.padded(start.bodyCount)
        case .hardState: RecordHeader.size + RecordHeader.padded(4)
        case .entry(let entry): RecordHeader.size + RecordHeader.padded(entry.payload.count)
        case .snapshot, .durable, .closed: RecordHeader.size
        }
    }

    private var fields: (kind: Kind, detail: UInt8, index: UInt64, term: UInt64) {
        switch self {
        case .segmentStart(let start): (.segmentStart, 0, start.lastIndex, start.lastTerm)
        case .hardState(let state): (.hardState, 0, state.commit, state.term)
        case .entry(let entry): (.entry, entry.kind.rawValue, entry.index, entry.term)
        case .snapshot(let mark, let discardsLog): (.snapshot, discardsLog ? 1 : 0, mark.index, mark.term)
        case .durable: (.durable, 0, 0, 0)
        case .closed: (.closed, 0, 0, 0)
        }
    }

    /// Appends the record to `writer`, for the place `offset` in the segment of `place`.
    ///
    /// - Returns: the record's checksum, which the next record carries as `previous`.
    package func encode(
        into writer: inout ByteWriter, place: ChecksumSeed, offset: Int, previous: UInt32, durableEnd: LogPosition
    ) -> UInt32 {
        let start = writer.count
        let fields = fields
        writer.write(RecordHeader.magic)
        writer.write(UInt32(0))
        writer.write(fields.kind.rawValue)
        writer.write(fields.detail)
        writer.write(UInt16(0))
        writer.write(previous)
        writer.write(fields.index)
        writer.write(fields.term)
        writer.write(durableEnd.rawValue)
        writer.write(UInt64(0))
        let bodyStart = writer.count
        switch self {
        case .segmentStart(let start): start.encode(into: &writer)
        case .hardState(let state): writer.write(state.vote?.rawValue ?? 0)
        case .entry(let entry): writer.write(raw: entry.payload)
        case .snapshot, .durable, .closed: break
        }
        let bodyCount = writer.count - bodyStart
        for _ in bodyCount..<RecordHeader.padded(bodyCount) { writer.write(UInt8(0)) }
        writer.patch(UInt32(bodyCount), at: start + 4)
        let bodyChecksum = writer.checksum(bodyStart..<writer.count)
        writer.patch(bodyChecksum, at: start + RecordHeader.bodyChecksumOffset)
        let checksum = writer.checksum(
            start..<start + RecordHeader.checksumOffset, continuing: place.seed(offset: offset))
        writer.patch(checksum, at: start + RecordHeader.checksumOffset)
        return checksum
    }

    /// The record of `header`, whose body ``RecordHeader/bodyIsWhole(in:at:)``. So a failure is no damage: the record was
    /// written by a program that knows another format.
    package init(header: RecordHeader, in bytes: [UInt8], at offset: Int) throws(DecodingFailure) {
        let bodyStart = offset + RecordHeader.size
        guard let kind = Kind(rawValue: header.kind) else {
            throw DecodingFailure("a record of the unknown kind \(header.kind): was this written by a later version?")
        }
        let body = bytes[bodyStart..<bodyStart + header.bodyCount]
        switch kind {
        case .segmentStart:
            self = .segmentStart(try SegmentStart(header: header, body: body))
        case .hardState:
            var reader = ByteReader(slice: body)
            let vote: UInt32 = try reader.read()
            try reader.finish()
            self = .hardState(
                HardState(term: header.term, vote: vote == 0 ? nil : NodeID(vote), commit: header.index))
        case .entry:
            guard let kind = Entry.Kind(rawValue: header.detail) else {
                throw DecodingFailure("an entry of the unknown kind \(header.detail): written by a later version?")
            }
            self = .entry(Entry(index: header.index, term: header.term, kind: kind, payload: Array(body)))
        case .snapshot:
            let mark = SnapshotMark(index: header.index, term: header.term)
            self = .snapshot(mark, discardsLog: header.detail != 0)
        case .durable:
            self = .durable
        case .closed:
            self = .closed
        }
    }
}

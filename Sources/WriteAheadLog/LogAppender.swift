import ByteCoding
import Raft

/// Turns records into the bytes that continue a log. A value without I/O: its owner writes what ``takePending()``
/// returns, and says when that is durable.
package struct LogAppender: Sendable {
    private let folder: UInt64
    private var place: ChecksumSeed
    /// The checksum of the last record.
    private var chain: UInt32
    private var pending = ByteWriter(capacity: 0)
    private var pendingStart: LogPosition

    /// Where the next record goes.
    package private(set) var end: LogPosition
    /// Bytes in the file of the current segment.
    package private(set) var segmentBytes: Int
    /// Everything before this place is durable.
    package private(set) var durableEnd: LogPosition
    /// How far the records written so far say that the log is durable.
    private var provenEnd: LogPosition
    /// The end of the last record that would be missed.
    private var valuableEnd: LogPosition
    package private(set) var outline: LogOutline
    /// Where the segment before the current one ends, until a record there says that the log goes on.
    private var predecessorEnd: LogPosition?

    /// Bytes to write, and where.
    package struct Piece: Equatable, Sendable {
        package var position: LogPosition
        package var bytes: [UInt8]
    }

    /// A new log, which begins with the segment 1.
    package init(folder: UInt64, segmentBytes: Int) {
        let start = LogPosition(segment: 1, offset: 0)
        self.init(
            folder: folder, outline: LogOutline(), end: start, segmentBytes: segmentBytes, chain: 0)
        appendStart(previousEnd: start)
    }

    /// Continues a log that was read up to `end`, all of which is durable.
    package init(
        folder: UInt64, outline: LogOutline, end: LogPosition, segmentBytes: Int, chain: UInt32,
        predecessorEnd: LogPosition? = nil
    ) {
        self.folder = folder
        self.outline = outline
        self.end = end
        self.segmentBytes = segmentBytes
        self.chain = chain
        self.predecessorEnd = predecessorEnd
        place = ChecksumSeed(folder: folder, segment: end.segment)
        pendingStart = end
        durableEnd = end
        valuableEnd = end
        provenEnd = LogPosition(rawValue: 0)
    }

    /// Whether `record` fits into what is left of the current segment, with room for ``takePredecessorProof()``.
    package func fits(_ record: LogRecord) -> Bool {
        Int(end.offset) + record.size + RecordHeader.size <= segmentBytes
    }

    /// Appends a record that ``fits(_:)``.
    package mutating func append(_ record: LogRecord) {
        precondition(fits(record), "a record of \(record.size) bytes does not fit at \(end) of \(segmentBytes)")
        if pending.count == 0 { pendingStart = end }
        chain = record.encode(
            into: &pending, place: place, offset: Int(end.offset), previous: chain, durableEnd: durableEnd)
        provenEnd = durableEnd
        end.offset += UInt32(record.size)
        if record != .durable { valuableEnd = end }
        outline.apply(record, segment: end.segment)
    }

    /// Goes on in the next segment, whose file has `segmentBytes` bytes. All that was written before must be durable, so
    /// that damage in a segment which has a successor is always damage to something that was durable.
    package mutating func beginSegment(segmentBytes: Int) {
        precondition(pending.count == 0 && durableEnd == end, "a segment ends only when all of it is durable")
        let previousEnd = end
        predecessorEnd = end
        precondition(end.segment < .max, "out of segment numbers")
        end = LogPosition(segment: end.segment + 1, offset: 0)
        self.segmentBytes = segmentBytes
        place = ChecksumSeed(folder: folder, segment: end.segment)
        appendStart(previousEnd: previousEnd)
    }

    private mutating func appendStart(previousEnd: LogPosition) {
        append(
            .segmentStart(
                SegmentStart(
                    previousEnd: previousEnd, hardState: outline.hardState, lastIndex: outline.lastIndex,
                    lastTerm: outline.lastTerm, bases: outline.bases)))
    }

    /// What was appended since the last call, if anything.
    package mutating func takePending() -> Piece? {
        guard pending.count > 0 else { return nil }
        let piece = Piece(position: pendingStart, bytes: pending.bytes)
        pending = ByteWriter(capacity: min(piece.bytes.count, 1 << 20))
        return piece
    }

    /// Everything that ``takePending()`` returned was synced.
    package mutating func synced() {
        precondition(pending.count == 0, "a sync covers only what was written before it")
        durableEnd = end
    }

    /// Whether everything is durable, and no record says so yet: a ``LogRecord/durable`` would.
    package var lacksProof: Bool { valuableEnd <= durableEnd && valuableEnd > provenEnd }

    /// Whether ``takePredecessorProof()`` has something to say.
    package var lacksPredecessorProof: Bool { predecessorEnd != nil && durableEnd.segment == end.segment }

    /// A record for the room left at the end of the segment before the current one, which is not part of the chain: it
    /// says that the log goes on in the current segment, so that this segment cannot get lost as a whole unnoticed.
    /// To be written and synced once; nobody waits for it. Nil if that segment is gone.
    package mutating func takePredecessorProof() -> Piece? {
        guard let position = predecessorEnd else { return nil }
        predecessorEnd = nil
        guard outline.segments.contains(where: { $0.number == position.segment }) else { return nil }
        var writer = ByteWriter(capacity: RecordHeader.size)
        _ = LogRecord.durable.encode(
            into: &writer, place: ChecksumSeed(folder: folder, segment: position.segment), offset: Int(position.offset),
            previous: 0, durableEnd: durableEnd)
        return Piece(position: position, bytes: writer.bytes)
    }

    package mutating func removeOldestSegment() { outline.removeOldestSegment() }
}

import ByteCoding
package import Raft

/// The first record of every segment: all that the segments before it had to say, except for their entries. So reading
/// can begin at any segment, and old ones can be deleted whole.
package struct SegmentStart: Equatable, Sendable {
    /// The format's version; another one is refused.
    package static let version: UInt32 = 1

    /// Where the segment before this one ends; equal to this segment's own start in the very first one.
    package var previousEnd: LogPosition
    package var hardState: HardState
    package var lastIndex: LogIndex
    package var lastTerm: Term
    /// What recovery may start from, oldest first (``LogOutline/bases``).
    package var bases: [SnapshotMark]

    package init(
        previousEnd: LogPosition, hardState: HardState, lastIndex: LogIndex, lastTerm: Term, bases: [SnapshotMark]
    ) {
        self.previousEnd = previousEnd
        self.hardState = hardState
        self.lastIndex = lastIndex
        self.lastTerm = lastTerm
        self.bases = bases
    }

    private static let fixedCount = 4 + 8 + 8 + 8 + 4 + 4

    var bodyCount: Int { Self.fixedCount + 16 * bases.count }

    static let maximumRecordSize =
        RecordHeader.size + RecordHeader.padded(fixedCount + 16 * LogOutline.baseLimit)

    func encode(into writer: inout ByteWriter) {
        writer.write(Self.version)
        writer.write(previousEnd.rawValue)
        writer.write(hardState.term)
        writer.write(hardState.commit)
        writer.write(hardState.vote?.rawValue ?? 0)
        writer.write(each: bases) { writer, mark in
            writer.write(mark.index)
            writer.write(mark.term)
        }
    }

    init(header: RecordHeader, body: ArraySlice<UInt8>) throws(DecodingFailure) {
        var reader = ByteReader(slice: body)
        let version: UInt32 = try reader.read()
        guard version == Self.version else {
            throw DecodingFailure("format version \(version), this program knows version \(Self.version)")
        }
        previousEnd = LogPosition(rawValue: try reader.read())
        let term: UInt64 = try reader.read()
        let commit: UInt64 = try reader.read()
        let vote: UInt32 = try reader.read()
        hardState = HardState(term: term, vote: vote == 0 ? nil : NodeID(vote), commit: commit)
        bases = try reader.readEach(limit: LogOutline.baseLimit, bytesEach: 16) { reader throws(DecodingFailure) in
            SnapshotMark(index: try reader.read(), term: try reader.read())
        }
        guard !bases.isEmpty else { throw DecodingFailure("a segment without anything to start from") }
        try reader.finish()
        lastIndex = header.index
        lastTerm = header.term
    }
}

import ByteCoding
import Raft
import Testing
import WriteAheadLog

@Suite struct RecordTests {
    static let place = ChecksumSeed(folder: 5, segment: 9)

    static let records: [LogRecord] = [
        .segmentStart(
            SegmentStart(
                previousEnd: LogPosition(segment: 8, offset: 4096),
                hardState: HardState(term: 4, vote: NodeID(2), commit: 77), lastIndex: 80, lastTerm: 4,
                bases: [SnapshotMark(index: 40, term: 2), SnapshotMark(index: 60, term: 3)])),
        .hardState(HardState(term: .max, vote: nil, commit: 12)),
        .hardState(HardState(term: 1, vote: NodeID(.max), commit: .max)),
        .entry(Entry(index: 81, term: 5, kind: .noop, payload: [])),
        .entry(Entry(index: 82, term: 5, kind: .command, payload: Array("12345678".utf8))),
        .entry(Entry(index: 83, term: 5, kind: .command, payload: Array("123456789".utf8))),
        .snapshot(SnapshotMark(index: 83, term: 5), discardsLog: false),
        .snapshot(SnapshotMark(index: 99, term: 6), discardsLog: true),
        .durable,
        .closed,
    ]

    static func encode(_ record: LogRecord, offset: Int = 64) -> [UInt8] {
        var writer = ByteWriter()
        writer.write(raw: [UInt8](repeating: 0, count: offset))
        _ = record.encode(
            into: &writer, place: place, offset: offset, previous: 0xABCD,
            durableEnd: LogPosition(segment: 9, offset: 32))
        return writer.bytes
    }

    static func decode(_ bytes: [UInt8], offset: Int = 64, place: ChecksumSeed = Self.place) throws -> LogRecord? {
        guard let header = RecordHeader(bytes, at: offset, place: place), header.bodyIsWhole(in: bytes, at: offset)
        else {
            return nil
        }
        return try LogRecord(header: header, in: bytes, at: offset)
    }

    @Test(arguments: records) func aRecordComesBackAsItWas(record: LogRecord) throws {
        let bytes = Self.encode(record)
        #expect(bytes.count - 64 == record.size)
        #expect(record.size % 8 == 0)
        #expect(try Self.decode(bytes) == record)
        let header = try #require(RecordHeader(bytes, at: 64, place: Self.place))
        #expect(header.previous == 0xABCD)
        #expect(header.durableEnd == LogPosition(segment: 9, offset: 32))
        #expect(header.recordSize == record.size)
    }

    @Test(arguments: records) func everyFlippedBitIsNoticed(record: LogRecord) throws {
        let bytes = Self.encode(record)
        for i in 64..<bytes.count {
            for bit in 0..<8 {
                var damaged = bytes
                damaged[i] ^= 1 << UInt8(bit)
                #expect(try Self.decode(damaged) == nil, "byte \(i), bit \(bit)")
            }
        }
    }

    @Test(arguments: records) func everyMissingByteIsNoticed(record: LogRecord) throws {
        let bytes = Self.encode(record)
        for count in 0..<bytes.count { #expect(try Self.decode(Array(bytes[..<count])) == nil) }
    }

    @Test(arguments: records) func aRecordIsGoodInItsOwnPlaceOnly(record: LogRecord) throws {
        let bytes = Self.encode(record)
        #expect(try Self.decode(bytes, place: ChecksumSeed(folder: 5, segment: 10)) == nil)
        #expect(try Self.decode(bytes, place: ChecksumSeed(folder: 6, segment: 9)) == nil)
        #expect(try Self.decode(Array(bytes[8...]), offset: 56) == nil)
        #expect(try Self.decode([UInt8](repeating: 0, count: 8) + bytes, offset: 72) == nil)
    }

    @Test func aKindFromALaterVersionIsNoDamage() throws {
        var writer = ByteWriter()
        _ = LogRecord.durable.encode(
            into: &writer, place: Self.place, offset: 0, previous: 0, durableEnd: LogPosition(segment: 9, offset: 0))
        var bytes = writer.bytes
        bytes[8] = 7
        let checksum = CRC32C.checksum(bytes[..<44], continuing: Self.place.seed(offset: 0))
        for i in 0..<4 { bytes[44 + i] = UInt8(truncatingIfNeeded: checksum >> UInt32(8 * i)) }
        #expect(throws: DecodingFailure.self) { try Self.decode(bytes, offset: 0) }
    }

    @Test func aScanFindsWhatIsLeftAfterDamage() {
        var bytes = Self.encode(.durable)
        bytes += [UInt8](repeating: 0, count: 61)
        let scan = TailScan(bytes, from: 8, place: Self.place)
        #expect(scan.provenEnd == LogPosition(segment: 9, offset: 32))
        #expect(scan.contentEnd == 112)
        let after = TailScan(bytes, from: 72, place: Self.place)
        #expect(after.provenEnd == LogPosition(segment: 0, offset: 0))
        #expect(TailScan(bytes, from: 112, place: Self.place).contentEnd == 112)
        // The last byte of all, beyond the last whole word.
        bytes[bytes.count - 1] = 1
        #expect(TailScan(bytes, from: 113, place: Self.place).contentEnd == bytes.count)
    }

    @Test func fileNamesAreReadAsWritten() {
        for number in [UInt32(1), 255, .max] { #expect(FileName.segmentNumber(FileName.segment(number)) == number) }
        let mark = SnapshotMark(index: .max, term: 3)
        #expect(FileName.snapshotMark(FileName.snapshot(mark)) == mark)
        for name in ["segment-1", "segment-0000000G", "segment-00000001.unfinished", "snapshot-1-2", "identity", ""] {
            #expect(FileName.segmentNumber(name) == nil)
            #expect(FileName.snapshotMark(name) == nil)
        }
    }
}

import ByteCoding

/// The 48 bytes before every record's body.
///
///     0  u32 magic "MWAL"        16  u64 index           40  u32 CRC-32C of the body with its padding
///     4  u32 body bytes          24  u64 term            44  u32 CRC-32C of the 44 bytes before, seeded with
///     8  u8  kind                32  u64 durable end             folder, segment and offset
///     9  u8  detail
///     10 u16 zero
///     12 u32 checksum (bytes 44..<48) of the record before
///
/// The header's checksum proves alone that *this* record was written to *this* place, so that a search after damage can
/// find it; the chain through `previous` proves that nothing before it was lost or exchanged.
package struct RecordHeader: Equatable, Sendable {
    package static let size = 48
    /// Records start at multiples of this many bytes, so that a search after damage has few places to look at.
    package static let alignment = 8
    package static let magic: UInt32 = 0x4C41_574D

    package var bodyCount: Int
    package var kind: UInt8
    package var detail: UInt8
    package var previous: UInt32
    package var index: UInt64
    package var term: UInt64
    /// Everything before this place was known to be durable when the record was written.
    package var durableEnd: LogPosition
    package var bodyChecksum: UInt32
    package var checksum: UInt32

    /// Bytes from the record's start to the next one's.
    package var recordSize: Int { Self.size + Self.padded(bodyCount) }

    package static func padded(_ count: Int) -> Int { (count + alignment - 1) & ~(alignment - 1) }

    static let bodyChecksumOffset = 40
    static let checksumOffset = 44

    /// The header at `offset`, if its checksum says that it was written there; nil otherwise. Never traps.
    package init?(_ bytes: [UInt8], at offset: Int, place: ChecksumSeed) {
        guard offset >= 0, offset + Self.size <= bytes.count else { return nil }
        var reader = ByteReader(slice: bytes[offset..<offset + Self.size])
        do throws(DecodingFailure) {
            guard try reader.read(UInt32.self) == Self.magic else { return nil }
            bodyCount = Int(try reader.read(UInt32.self))
            kind = try reader.read()
            detail = try reader.read()
            guard try reader.read(UInt16.self) == 0 else { return nil }
            previous = try reader.read()
            index = try reader.read()
            term = try reader.read()
            durableEnd = LogPosition(rawValue: try reader.read())
            bodyChecksum = try reader.read()
            checksum = try reader.read()
        } catch {
            return nil
        }
        let covered = bytes[offset..<offset + Self.checksumOffset]
        guard CRC32C.checksum(covered, continuing: place.seed(offset: offset)) == checksum else { return nil }
    }

    /// Whether the body that belongs to this header at `offset` is there and undamaged.
    package func bodyIsWhole(in bytes: [UInt8], at offset: Int) -> Bool {
        let start = offset + Self.size
        let padded = Self.padded(bodyCount)
        guard padded <= bytes.count - start else { return false }
        return CRC32C.checksum(bytes[start..<start + padded]) == bodyChecksum
    }
}

/// Ties a record's checksum to the data folder, the segment and the offset where it belongs, so that a record that a
/// disk put elsewhere, or a file copied from elsewhere, is not taken for a good one.
package struct ChecksumSeed: Sendable {
    private let base: UInt32

    package init(folder: UInt64, segment: UInt32) {
        var writer = ByteWriter(capacity: 16)
        writer.write(folder)
        writer.write(segment)
        base = CRC32C.checksum(writer.bytes)
    }

    /// A CRC is linear in its seed: two offsets in one segment give the same bytes two different checksums, always.
    package func seed(offset: Int) -> UInt32 { base ^ UInt32(truncatingIfNeeded: offset) }
}

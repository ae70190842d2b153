package import ByteCoding
package import Raft

/// The bytes of a snapshot's file.
package enum SnapshotFile {
    private static let magic: UInt32 = 0x504E_534D  // "MSNP"
    private static let version: UInt32 = 1

    /// The file's bytes for the data folder `folder`. Costs one copy of the snapshot's data.
    package static func encode(_ snapshot: Snapshot, folder: UInt64) -> [UInt8] {
        var writer = ByteWriter(capacity: snapshot.data.count + 64 + 4 * snapshot.voters.count)
        writer.write(magic)
        writer.write(version)
        writer.write(folder)
        writer.write(snapshot.index)
        writer.write(snapshot.term)
        writer.write(each: snapshot.voters) { $0.write($1.rawValue) }
        writer.write(UInt64(snapshot.data.count))
        writer.write(raw: snapshot.data)
        writer.write(CRC32C.checksum(writer.bytes))
        return writer.bytes
    }

    /// The snapshot in `bytes`; the failure says what is wrong with them.
    package static func decode(
        _ bytes: [UInt8], mark: SnapshotMark, folder: UInt64
    ) throws(DecodingFailure) -> Snapshot {
        guard bytes.count >= 4 else { throw DecodingFailure("the snapshot's file is too short") }
        let body = bytes[..<(bytes.count - 4)]
        var trailer = ByteReader(slice: bytes[(bytes.count - 4)...])
        guard CRC32C.checksum(body) == (try trailer.read(UInt32.self)) else {
            throw DecodingFailure("the snapshot's checksum does not match")
        }
        var reader = ByteReader(slice: body)
        guard try reader.read(UInt32.self) == magic else { throw DecodingFailure("this is not a snapshot's file") }
        let version: UInt32 = try reader.read()
        guard version == Self.version else {
            throw DecodingFailure("snapshot version \(version), this program knows version \(Self.version)")
        }
        guard try reader.read(UInt64.self) == folder else {
            throw DecodingFailure("the snapshot comes from another data folder")
        }
        let index: UInt64 = try reader.read()
        let term: UInt64 = try reader.read()
        guard SnapshotMark(index: index, term: term) == mark else {
            throw DecodingFailure("the file holds the snapshot of entry \(index), term \(term), instead")
        }
        let voters = try reader.readEach(bytesEach: 4) { reader throws(DecodingFailure) in
            NodeID(try reader.read(UInt32.self))
        }
        let count: UInt64 = try reader.read()
        guard count == UInt64(reader.remaining) else { throw DecodingFailure("the snapshot's length does not match") }
        let data = try reader.read(rawCount: reader.remaining)
        return Snapshot(index: index, term: term, voters: voters, data: Array(data))
    }
}

/// A piece of a snapshot (section 7, figure 13).
public struct SnapshotChunk: Equatable, Sendable {
    /// The snapshot's last included index and term.
    public var index: LogIndex
    public var term: Term
    public var voters: [NodeID]
    /// The size of the whole, in bytes.
    public var totalBytes: UInt64
    /// ``Snapshot/checksum`` of the whole. With it, pieces from different leaders fit together or are told apart.
    public var checksum: UInt64
    public var offset: UInt64
    public var bytes: [UInt8]

    public init(
        index: LogIndex, term: Term, voters: [NodeID], totalBytes: UInt64, checksum: UInt64, offset: UInt64,
        bytes: [UInt8]
    ) {
        self.index = index
        self.term = term
        self.voters = voters
        self.totalBytes = totalBytes
        self.checksum = checksum
        self.offset = offset
        self.bytes = bytes
    }
}

extension Snapshot {
    /// A 64-bit digest of `data`, linear in its size. It finds mixed-up pieces, not attackers.
    public var checksum: UInt64 {
        var hash = UInt64(data.count) &* 0x9E37_79B9_7F4A_7C15
        data.withUnsafeBytes { bytes in
            var offset = 0
            while offset + 8 <= bytes.count {
                let word = UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: offset, as: UInt64.self))
                hash = (hash ^ word) &* 0xBF58_476D_1CE4_E5B9
                hash ^= hash >> 29
                offset += 8
            }
            while offset < bytes.count {
                hash = (hash ^ UInt64(bytes[offset])) &* 0x94D0_49BB_1331_11EB
                hash ^= hash >> 31
                offset += 1
            }
        }
        return hash
    }
}

/// CRC-32C (Castagnoli, RFC 3720 appendix B.4), table-driven, eight bytes a step (Intel's "slicing by eight").
public enum CRC32C {
    private static let tables: [UInt32] = {
        var tables = [UInt32](repeating: 0, count: 8 * 256)
        for i in 0..<256 {
            var crc = UInt32(i)
            for _ in 0..<8 { crc = (crc & 1) == 1 ? (crc >> 1) ^ 0x82F6_3B78 : crc >> 1 }
            tables[i] = crc
        }
        for i in 0..<256 {
            for k in 1..<8 {
                let previous = tables[(k - 1) * 256 + i]
                tables[k * 256 + i] = (previous >> 8) ^ tables[Int(previous & 0xFF)]
            }
        }
        return tables
    }()

    /// The checksum of `bytes`, continuing from the checksum `seed` of what stands before them.
    public static func checksum(_ bytes: some Collection<UInt8>, continuing seed: UInt32 = 0) -> UInt32 {
        let contiguous = bytes.withContiguousStorageIfAvailable { checksum(buffer: $0, seed: seed) }
        return contiguous ?? Array(bytes).withUnsafeBufferPointer { checksum(buffer: $0, seed: seed) }
    }

    private static func checksum(buffer: UnsafeBufferPointer<UInt8>, seed: UInt32) -> UInt32 {
        tables.withUnsafeBufferPointer { table in
            var crc = ~seed
            var i = 0
            let raw = UnsafeRawBufferPointer(buffer)
            while i + 8 <= raw.count {
                let word = UInt64(littleEndian: raw.loadUnaligned(fromByteOffset: i, as: UInt64.self)) ^ UInt64(crc)
                var next: UInt32 = 0
                for k in 0..<8 { next ^= table[(7 - k) * 256 + Int((word >> (8 * UInt64(k))) & 0xFF)] }
                crc = next
                i += 8
            }
            while i < raw.count {
                crc = (crc >> 8) ^ table[Int((crc ^ UInt32(raw[i])) & 0xFF)]
                i += 1
            }
            return ~crc
        }
    }
}

import ByteCoding
import Testing

@Suite struct CRC32CTests {
    /// RFC 3720, appendix B.4, and the check value that catalogues of CRCs give for "123456789".
    @Test(
        arguments: [
            (Array("123456789".utf8), 0xE306_9283),
            ([], 0),
            ([UInt8](repeating: 0, count: 32), 0x8A91_36AA),
            ([UInt8](repeating: 0xFF, count: 32), 0x62A8_AB43),
            (Array(0..<32), 0x46DD_794E),
            (Array((0..<32).reversed()), 0x113F_DB5C),
            (
                [
                    0x01, 0xC0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x14, 0, 0, 0, 0, 0, 0x04, 0, 0, 0, 0, 0x14,
                    0, 0, 0,
                    0x18, 0x28, 0, 0, 0, 0, 0, 0, 0, 0x02, 0, 0, 0, 0, 0, 0, 0,
                ], 0xD996_3A56
            ),
        ] as [([UInt8], UInt32)])
    func knownChecksumsComeOut(bytes: [UInt8], checksum: UInt32) {
        #expect(CRC32C.checksum(bytes) == checksum)
        #expect(Self.bitByBit(bytes) == checksum)
    }

    @Test func eightBytesAtATimeIsAsOneBitAtATime() {
        // All lengths around the step of eight, and all alignments of the start.
        let bytes = (0..<80).map { UInt8(truncatingIfNeeded: $0 &* 151 &+ 7) }
        for start in 0..<9 {
            for end in start..<bytes.count {
                #expect(CRC32C.checksum(bytes[start..<end]) == Self.bitByBit(bytes[start..<end]))
            }
        }
    }

    @Test func aChecksumContinuesWhereAnotherEnded() {
        let bytes = Array("The promise holds through any number of crashes.".utf8)
        let whole = CRC32C.checksum(bytes)
        for cut in 0...bytes.count {
            let head = CRC32C.checksum(bytes[..<cut])
            #expect(CRC32C.checksum(bytes[cut...], continuing: head) == whole)
        }
    }

    @Test func anyCollectionOfBytesWillDo() {
        let text = "123456789"
        #expect(CRC32C.checksum(text.utf8) == 0xE306_9283)
        #expect(CRC32C.checksum(text.utf8.lazy.map { $0 }) == 0xE306_9283)
    }

    @Test func aWriterChecksWhatItHolds() {
        var writer = ByteWriter()
        writer.write(raw: "0123456789".utf8)
        #expect(writer.checksum(1..<10) == 0xE306_9283)
        #expect(writer.checksum(5..<10, continuing: writer.checksum(1..<5)) == 0xE306_9283)
    }

    /// The definition, without a table.
    static func bitByBit(_ bytes: some Sequence<UInt8>) -> UInt32 {
        var crc = UInt32.max
        for byte in bytes {
            crc ^= UInt32(byte)
            for _ in 0..<8 { crc = crc & 1 == 1 ? crc >> 1 ^ 0x82F6_3B78 : crc >> 1 }
        }
        return ~crc
    }
}

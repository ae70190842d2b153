import ByteCoding
import Testing

@Suite struct ByteReaderTests {
    /// One of everything that can be written.
    static func sample() -> ByteWriter {
        var writer = ByteWriter(capacity: 0)
        writer.write(UInt8(0xAB))
        writer.write(true)
        writer.write(false)
        writer.write(UInt16(0x1234))
        writer.write(UInt32.max)
        writer.write(UInt64(1) << 63)
        writer.write(Int64.min)
        writer.write(Int32(-2))
        writer.write(raw: [1, 2, 3])
        writer.write(counted: [4, 5])
        writer.write(counted: [])
        writer.write("Zürich")
        writer.write("")
        writer.write(each: [7, 8, 9] as [UInt16]) { $0.write($1) }
        return writer
    }

    static func readSample(_ bytes: [UInt8]) throws(DecodingFailure) -> [String] {
        var reader = ByteReader(bytes)
        var found: [String] = []
        found.append("\(try reader.read(UInt8.self))")
        found.append("\(try reader.readBool()) \(try reader.readBool())")
        found.append("\(try reader.read(UInt16.self)) \(try reader.read(UInt32.self)) \(try reader.read(UInt64.self))")
        found.append("\(try reader.read(Int64.self)) \(try reader.read(Int32.self))")
        found.append("\(Array(try reader.read(rawCount: 3)))")
        found.append("\(Array(try reader.readCounted())) \(Array(try reader.readCounted()))")
        found.append("\(try reader.readString())|\(try reader.readString())")
        let numbers = try reader.readEach(bytesEach: 2) { reader throws(DecodingFailure) in
            try reader.read(UInt16.self)
        }
        found.append("\(numbers)")
        try reader.finish()
        return found
    }

    @Test func whatWasWrittenIsRead() throws {
        #expect(
            try Self.readSample(Self.sample().bytes) == [
                "171", "true false", "4660 4294967295 9223372036854775808", "-9223372036854775808 -2", "[1, 2, 3]",
                "[4, 5] []", "Zürich|", "[7, 8, 9]",
            ])
    }

    @Test func theFormatIsLittleEndianWithCountsOfFourBytes() {
        var writer = ByteWriter()
        writer.write(UInt32(0x0102_0304))
        writer.write("ab")
        writer.write(each: [UInt8(9)]) { $0.write($1) }
        #expect(writer.bytes == [4, 3, 2, 1, 2, 0, 0, 0, 97, 98, 1, 0, 0, 0, 9])
        #expect(writer.count == 15)
    }

    @Test func everyMissingByteIsAnError() {
        let bytes = Self.sample().bytes
        for count in bytes.indices {
            #expect(throws: DecodingFailure.self) { try Self.readSample(Array(bytes[..<count])) }
        }
        #expect(throws: DecodingFailure("1 bytes too many at offset \(bytes.count)")) {
            try Self.readSample(bytes + [0])
        }
    }

    @Test func randomBytesNeverTrap() {
        var state: UInt64 = 1
        for _ in 0..<5000 {
            let bytes = (0..<60).map { _ -> UInt8 in
                state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
                // Mostly small numbers, so that some get past the first count.
                return UInt8(state >> 60) < 12 ? 0 : UInt8(truncatingIfNeeded: state >> 33)
            }
            _ = try? Self.readSample(bytes)
        }
    }

    @Test func aSliceIsReadFromItsOwnStart() throws {
        let bytes: [UInt8] = [9, 9, 9, 1, 0, 2, 0, 0, 0, 5, 6, 9]
        var reader = ByteReader(slice: bytes[3..<11])
        #expect(try reader.read(UInt16.self) == 1)
        #expect(reader.consumed == 2 && reader.remaining == 6)
        #expect(Array(try reader.readCounted()) == [5, 6])
        try reader.finish()
        // The bytes after the slice are none of the reader's business.
        #expect(throws: DecodingFailure("1 bytes expected at offset 8, 0 left")) { try reader.read(UInt8.self) }
        var copy = ByteReader(bytes[3..<5])
        #expect(try copy.read(UInt16.self) == 1)
    }

    @Test func nothingCanBeReadFromNothing() {
        var reader = ByteReader([])
        #expect(throws: DecodingFailure("1 bytes expected at offset 0, 0 left")) { try reader.read(UInt8.self) }
        #expect(throws: DecodingFailure.self) { try reader.readString() }
        #expect(throws: DecodingFailure.self) { try reader.read(rawCount: 1) }
        #expect(throws: Never.self) { try reader.read(rawCount: 0) }
        #expect(throws: Never.self) { try reader.finish() }
    }

    @Test func aNegativeOrHugeCountIsAnError() {
        var reader = ByteReader([1, 2, 3])
        #expect(throws: DecodingFailure.self) { try reader.read(rawCount: -1) }
        #expect(throws: DecodingFailure.self) { try reader.read(rawCount: .max) }
        #expect(throws: Never.self) { try reader.read(rawCount: 3) }
    }

    @Test func aCountIsCheckedAgainstTheInputBeforeAnythingIsAllocated() {
        for bytesEach in [0, 1, 8, 1 << 20, .max] {
            var reader = ByteReader([0xFF, 0xFF, 0xFF, 0xFF, 1, 2, 3])
            #expect(throws: DecodingFailure.self) {
                try reader.readEach(bytesEach: bytesEach) { reader throws(DecodingFailure) in
                    try reader.read(UInt8.self)
                }
            }
        }
    }

    @Test func aCountMayBeAsLargeAsTheInputAndTheLimitAndNoLarger() throws {
        func count(_ bytes: [UInt8], limit: Int, bytesEach: Int) throws -> Int {
            var reader = ByteReader(bytes)
            return try reader.readCount(limit: limit, bytesEach: bytesEach)
        }
        let four: [UInt8] = [4, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1]
        #expect(try count(four, limit: 4, bytesEach: 2) == 4)
        #expect(throws: DecodingFailure.self) { try count(four, limit: 3, bytesEach: 2) }
        #expect(throws: DecodingFailure.self) { try count(four, limit: 4, bytesEach: 3) }
        #expect(throws: DecodingFailure.self) { try count(four.dropLast(), limit: 4, bytesEach: 2) }
        #expect(try count([0, 0, 0, 0], limit: 0, bytesEach: .max) == 0)
    }

    @Test func aTextMustBeUTF8AndWithinItsLimit() throws {
        var writer = ByteWriter()
        writer.write(counted: [0xC3, 0x28])
        var reader = ByteReader(writer.bytes)
        #expect(throws: DecodingFailure("text at offset 0 is not UTF-8")) { try reader.readString() }
        var text = ByteWriter()
        text.write("abcd")
        var exact = ByteReader(text.bytes)
        #expect(try exact.readString(limit: 4) == "abcd")
        var tooLong = ByteReader(text.bytes)
        #expect(throws: DecodingFailure.self) { try tooLong.readString(limit: 3) }
    }

    @Test func aFlagIsZeroOrOne() throws {
        var reader = ByteReader([0, 1, 2])
        #expect(try reader.readBool() == false)
        #expect(try reader.readBool() == true)
        #expect(throws: DecodingFailure("a flag of 0 or 1 expected at offset 2, found 2")) { try reader.readBool() }
    }

    @Test func aCountCanBeFilledInLater() throws {
        var writer = ByteWriter()
        writer.write(UInt8(1))
        writer.write(UInt32(0))
        writer.write(UInt8(2))
        writer.patch(0xA1B2_C3D4, at: 1)
        #expect(writer.bytes == [1, 0xD4, 0xC3, 0xB2, 0xA1, 2])
    }
}

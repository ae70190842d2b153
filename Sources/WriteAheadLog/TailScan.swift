import ByteCoding

/// What stands in a segment after the place where reading had to stop.
package struct TailScan: Equatable, Sendable {
    /// How far records after the stop say that the log was durable; zero if there are none.
    package var provenEnd = LogPosition(rawValue: 0)
    /// One past the last byte that is not zero; the stop itself if there is none.
    package var contentEnd: Int

    /// Looks for records from `offset` on, wherever they may start. Costs one pass over the rest of the segment.
    package init(_ bytes: [UInt8], from offset: Int, place: ChecksumSeed) {
        contentEnd = offset
        var candidates: [Int] = []
        bytes.withUnsafeBytes { raw in
            var i = offset
            while i < raw.count, i % RecordHeader.alignment != 0 {
                if raw[i] != 0 { contentEnd = i + 1 }
                i += 1
            }
            while i + 8 <= raw.count {
                let word = UInt64(littleEndian: raw.loadUnaligned(fromByteOffset: i, as: UInt64.self))
                if word != 0 {
                    contentEnd = i + 8 - word.leadingZeroBitCount / 8
                    if UInt32(truncatingIfNeeded: word) == RecordHeader.magic { candidates.append(i) }
                }
                i += 8
            }
            while i < raw.count {
                if raw[i] != 0 { contentEnd = i + 1 }
                i += 1
            }
        }
        for candidate in candidates {
            guard let header = RecordHeader(bytes, at: candidate, place: place) else { continue }
            provenEnd = max(provenEnd, header.durableEnd)
        }
    }
}

/// Tells valid UTF-8 from invalid (The Unicode Standard, table 3-7).
enum UTF8Check {
    /// The offset of the first byte that begins no valid sequence, or nil if all of `range` is valid.
    static func firstBad(in bytes: Span<UInt8>, _ range: Range<Int>) -> Int? {
        var i = range.lowerBound
        while i < range.upperBound {
            let lead = bytes[i]
            if lead < 0x80 {
                i += 1
                continue
            }
            let length: Int
            // The second byte is bounded more narrowly after some leads: no overlong forms, no surrogates, nothing too high.
            var second: ClosedRange<UInt8> = 0x80...0xBF
            switch lead {
            case 0xC2...0xDF: length = 2
            case 0xE0...0xEF:
                length = 3
                if lead == 0xE0 { second = 0xA0...0xBF }
                if lead == 0xED { second = 0x80...0x9F }
            case 0xF0...0xF4:
                length = 4
                if lead == 0xF0 { second = 0x90...0xBF }
                if lead == 0xF4 { second = 0x80...0x8F }
            default: return i
            }
            guard i + length <= range.upperBound, second.contains(bytes[i + 1]) else { return i }
            for j in 2..<max(2, length) where bytes[i + j] & 0xC0 != 0x80 { return i }
            i += length
        }
        return nil
    }
}

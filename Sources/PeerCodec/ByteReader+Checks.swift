import ByteCoding

extension ByteReader {
    /// A value that is only written where it is not the `usual` one, so that each message has one encoding.
    mutating func read<T: FixedWidthInteger>(_ type: T.Type, otherThan usual: T) throws(DecodingFailure) -> T {
        let value = try read(T.self)
        guard value != usual else {
            throw DecodingFailure(
                "\(usual) is spelt out at offset \(consumed - MemoryLayout<T>.size): it is what absence means")
        }
        return value
    }

    /// What ``readCount(limit:bytesEach:)`` checks, for a count that was written shorter.
    func check(_ count: Int, limit: Int, bytesEach: Int) throws(DecodingFailure) {
        guard count <= limit, count * bytesEach <= remaining else {
            throw DecodingFailure("a count of \(count) before offset \(consumed) is beyond its limit or the input")
        }
    }
}

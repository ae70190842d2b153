/// Why bytes could not be read as what they should have been.
public struct DecodingFailure: Error, Equatable, CustomStringConvertible {
    public var description: String

    public init(_ description: String) { self.description = description }

    /// What is stored has another format than the one that is known: says what to do, which depends on which of them is older.
    public init(format: UInt8, of what: String, known: UInt8) {
        description =
            format > known
            ? "\(what) of format \(format) are not known to this version of Millrace: upgrade it"
            : "\(what) of format \(format) were written by an earlier version of Millrace, and this one reads only format "
                + "\(known): run that version; a single node of a running cluster may be given an empty data folder "
                + "instead (docs/operations.md)"
    }
}

/// Reads what ``ByteWriter`` wrote, and trusts nothing: every length is checked against what is left, so hostile bytes
/// cost an error and never a trap, and no more elements are allocated than the input has room for.
public struct ByteReader: Sendable {
    @usableFromInline let bytes: ArraySlice<UInt8>
    @usableFromInline var position: Int

    public init(_ bytes: some Collection<UInt8>) {
        self.init(slice: ArraySlice(bytes))
    }

    /// Reads from the array without copying it.
    public init(_ bytes: [UInt8]) {
        self.init(slice: bytes[...])
    }

    @inlinable public init(slice: ArraySlice<UInt8>) {
        self.bytes = slice
        position = slice.startIndex
    }

    /// How many bytes are left.
    @inlinable public var remaining: Int { bytes.endIndex - position }

    /// How many bytes were consumed.
    @inlinable public var consumed: Int { position - bytes.startIndex }

    @inlinable public mutating func read<T: FixedWidthInteger>(_ type: T.Type = T.self) throws(DecodingFailure) -> T {
        let width = MemoryLayout<T>.size
        guard remaining >= width else {
            throw DecodingFailure("\(width) bytes expected at offset \(consumed), \(remaining) left")
        }
        let start = position
        position += width
        return bytes.withUnsafeBufferPointer { buffer in
            let base = UnsafeRawPointer(buffer.baseAddress!) + (start - bytes.startIndex)
            return T(littleEndian: base.loadUnaligned(as: T.self))
        }
    }

    @inlinable public mutating func readBool() throws(DecodingFailure) -> Bool {
        switch try read(UInt8.self) {
        case 0: return false
        case 1: return true
        case let other: throw DecodingFailure("a flag of 0 or 1 expected at offset \(consumed - 1), found \(other)")
        }
    }

    @inlinable public mutating func read(rawCount count: Int) throws(DecodingFailure) -> ArraySlice<UInt8> {
        guard count >= 0, count <= remaining else {
            throw DecodingFailure("\(count) bytes expected at offset \(consumed), \(remaining) left")
        }
        defer { position += count }
        return bytes[position..<position + count]
    }

    /// A `UInt32` count, then that many bytes.
    @inlinable public mutating func readCounted(limit: Int = .max) throws(DecodingFailure) -> ArraySlice<UInt8> {
        let count = try readCount(limit: limit, bytesEach: 1)
        return try read(rawCount: count)
    }

    public mutating func readString(limit: Int = .max) throws(DecodingFailure) -> String {
        let start = consumed
        let utf8 = try readCounted(limit: limit)
        guard let string = String(validating: utf8, as: UTF8.self) else {
            throw DecodingFailure("text at offset \(start) is not UTF-8")
        }
        return string
    }

    /// A `UInt32` count of things that take at least `bytesEach` bytes each.
    @inlinable public mutating func readCount(limit: Int = .max, bytesEach: Int) throws(DecodingFailure) -> Int {
        let count = Int(try read(UInt32.self))
        // Divided, since the product of two hostile or careless numbers might overflow.
        guard count <= limit, count <= remaining / max(1, bytesEach) else {
            throw DecodingFailure("a count of \(count) at offset \(consumed - 4) is beyond its limit or the input")
        }
        return count
    }

    /// A `UInt32` count, then that many elements as `body` reads them.
    @inlinable public mutating func readEach<Element>(
        limit: Int = .max, bytesEach: Int, _ body: (inout ByteReader) throws(DecodingFailure) -> Element
    ) throws(DecodingFailure) -> [Element] {
        let count = try readCount(limit: limit, bytesEach: bytesEach)
        var elements: [Element] = []
        elements.reserveCapacity(count)
        for _ in 0..<count { elements.append(try body(&self)) }
        return elements
    }

    /// Fails unless everything was read: trailing bytes mean that the two sides disagree about the format.
    @inlinable public func finish() throws(DecodingFailure) {
        guard remaining == 0 else { throw DecodingFailure("\(remaining) bytes too many at offset \(consumed)") }
    }
}

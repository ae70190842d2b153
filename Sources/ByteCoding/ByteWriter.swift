/// Appends fixed-width little-endian values to a growing byte array.
///
/// Every format of ours (log records, log entries, snapshots, peer messages) is written with this type and read with
/// ``ByteReader``, so that there is one answer to "which byte order, which width".
public struct ByteWriter: Sendable {
    /// The bytes written so far.
    @inlinable public var bytes: [UInt8] { storage }

    @usableFromInline var storage: [UInt8]

    /// An empty writer with room for `capacity` bytes before the first reallocation.
    public init(capacity: Int = 256) {
        storage = []
        storage.reserveCapacity(capacity)
    }

    /// How many bytes were written so far.
    @inlinable public var count: Int { storage.count }

    @inlinable public mutating func write(_ value: UInt8) { storage.append(value) }

    @inlinable public mutating func write(_ value: Bool) { storage.append(value ? 1 : 0) }

    @inlinable public mutating func write<T: FixedWidthInteger>(_ value: T) {
        // One store where `append(contentsOf:)` is a call and a copy: twice as fast, and snapshots are made of these.
        storage.append(addingCapacity: MemoryLayout<T>.size) { span in
            span.withUnsafeMutableBufferPointer { buffer, initialized in
                UnsafeMutableRawPointer(buffer.baseAddress! + initialized)
                    .storeBytes(of: value.littleEndian, as: T.self)
                initialized += MemoryLayout<T>.size
            }
        }
    }

    /// Bytes without a length: the reader must know how many there are.
    @inlinable public mutating func write(raw value: some Collection<UInt8>) { storage.append(contentsOf: value) }

    /// A `UInt32` count, then the bytes.
    @inlinable public mutating func write(counted value: some Collection<UInt8>) {
        write(UInt32(value.count))
        storage.append(contentsOf: value)
    }

    /// A `UInt32` count of UTF-8 bytes, then the bytes.
    public mutating func write(_ value: String) { write(counted: value.utf8) }

    /// A `UInt32` count, then each element as `body` writes it.
    @inlinable public mutating func write<Element>(
        each elements: some Collection<Element>, _ body: (inout ByteWriter, Element) -> Void
    ) {
        write(UInt32(elements.count))
        for element in elements { body(&self, element) }
    }

    /// Replaces four bytes at `offset`, for a length that is known only afterwards.
    public mutating func patch(_ value: UInt32, at offset: Int) {
        for i in 0..<4 { storage[offset + i] = UInt8(truncatingIfNeeded: value >> (8 * UInt32(i))) }
    }

    /// The CRC-32C of the bytes in `range`, continuing from `seed`. A slice of ``bytes`` that is still alive when the next
    /// byte is written costs a copy of everything written so far; here none outlives the call.
    public func checksum(_ range: Range<Int>, continuing seed: UInt32 = 0) -> UInt32 {
        CRC32C.checksum(bytes[range], continuing: seed)
    }
}

/// Splits the bytes of one connection into frames, in one pass and without copying a frame out of its read.
///
/// Cost: one copy of what was read, nothing per frame but the slice. A frame that comes in pieces is looked at once per
/// piece, at its first four bytes. No more is allocated than has arrived, whatever length a frame claims.
package struct FrameDecoder {
    /// The longest frame to accept, in bytes after the length field.
    package var maxFrameBytes: Int

    private var bytes: [UInt8] = []
    /// Where the next frame starts.
    private var position = 0

    /// What an empty buffer may keep allocated between reads.
    private static let retainedCapacity = 1 << 20

    package init(maxFrameBytes: Int) {
        self.maxFrameBytes = maxFrameBytes
    }

    /// Bytes that arrived and are not yet part of a complete frame that was handed out.
    package var buffered: Int { bytes.count - position }

    /// Takes in what was read; ``next()`` then hands out all complete frames.
    package mutating func append(_ input: UnsafeRawBufferPointer) {
        reclaim()
        bytes.append(contentsOf: input)
    }

    /// The next complete frame, or nil if more bytes are needed. After an error the connection is of no more use.
    package mutating func next() throws(ProtocolViolation) -> Frame? {
        let start = position
        let available = bytes.count - start
        guard available >= Frame.lengthBytes else { return nil }
        let length = bytes.withUnsafeBytes {
            Int(UInt32(littleEndian: $0.loadUnaligned(fromByteOffset: start, as: UInt32.self)))
        }
        guard length >= 1 else { throw ProtocolViolation("a frame of length 0: not a Millrace peer, or a broken one") }
        guard length <= maxFrameBytes else {
            throw ProtocolViolation(
                "a frame of \(length) bytes where at most \(maxFrameBytes) are allowed: not a Millrace peer, or one"
                    + " with another maxFrameBytes")
        }
        guard available >= Frame.lengthBytes + length else { return nil }
        let body = start + Frame.lengthBytes + 1
        guard let kind = Frame.Kind(rawValue: bytes[body - 1]) else {
            throw ProtocolViolation("a frame of unknown kind \(bytes[body - 1])")
        }
        position = start + Frame.lengthBytes + length
        return Frame(kind: kind, body: bytes[body..<position])
    }

    /// Drops what was handed out. If somebody still holds a slice of it, the array moves to a new buffer by itself.
    private mutating func reclaim() {
        guard position > 0 else { return }
        if position < bytes.count {
            bytes.removeSubrange(..<position)
        } else if bytes.capacity > Self.retainedCapacity {
            bytes = []
        } else {
            bytes.removeAll(keepingCapacity: true)
        }
        position = 0
    }
}

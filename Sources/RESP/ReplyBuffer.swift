/// Which dialect a connection speaks; it changes with `HELLO`.
public enum ProtocolVersion: Int64, Sendable {
    case resp2 = 2
    case resp3 = 3
}

/// Replies on their way out, in one reused piece of memory.
public struct ReplyBuffer: ~Copyable {
    private var base: UnsafeMutablePointer<UInt8>
    private var capacity: Int

    /// How many bytes are in the buffer.
    public private(set) var count = 0

    /// Which dialect the next reply is written in.
    public var version = ProtocolVersion.resp2

    /// What is kept for the next replies; a larger piece of memory is given back by ``removeAll()``.
    public static let keptCapacity = 64 << 10

    public init(capacity: Int = 1024) {
        self.capacity = max(64, capacity)
        base = .allocate(capacity: self.capacity)
    }

    deinit { base.deallocate() }

    public var isEmpty: Bool { count == 0 }

    /// Gives out the bytes to be sent.
    public func withBytes<Result>(_ body: (UnsafeRawBufferPointer) -> Result) -> Result {
        body(UnsafeRawBufferPointer(start: base, count: count))
    }

    /// Empties the buffer.
    public mutating func removeAll() {
        count = 0
        if capacity > ReplyBuffer.keptCapacity {
            base.deallocate()
            capacity = 1024
            base = .allocate(capacity: capacity)
        }
    }

    /// Takes out everything from `mark` on, for later.
    public mutating func cut(from mark: Int) -> [UInt8] {
        precondition(mark >= 0 && mark <= count, "\(mark) is not in a buffer of \(count) bytes")
        defer { count = mark }
        return Array(UnsafeBufferPointer(start: base + mark, count: count - mark))
    }

    // MARK: Replies

    /// `+text`; the text is a constant of ours without line breaks.
    public mutating func simple(_ text: StaticString) {
        text.withUTF8Buffer { text in
            reserve(text.count + 3)
            put(UInt8(ascii: "+"))
            put(UnsafeRawBufferPointer(text))
            putLineEnd()
        }
    }

    /// `-text`: a code in capitals and a sentence. Line breaks and other control characters become spaces, since they
    /// would end the error early and let a client's input forge replies.
    public mutating func error(_ text: String) {
        var text = text
        text.withUTF8 { text in
            reserve(text.count + 3)
            put(UInt8(ascii: "-"))
            for byte in text { put(byte < 0x20 || byte == 0x7f ? UInt8(ascii: " ") : byte) }
            putLineEnd()
        }
    }

    public mutating func integer(_ value: Int64) { header(UInt8(ascii: ":"), value) }

    /// The start of an array; its elements follow as replies of their own.
    public mutating func array(count: Int) { header(UInt8(ascii: "*"), Int64(count)) }

    /// The start of a map; a key and a value for each entry follow. An array of both in RESP2.
    public mutating func map(count: Int) {
        switch version {
        case .resp2: header(UInt8(ascii: "*"), Int64(count) * 2)
        case .resp3: header(UInt8(ascii: "%"), Int64(count))
        }
    }

    public mutating func bulk(_ bytes: UnsafeRawBufferPointer) {
        header(UInt8(ascii: "$"), Int64(bytes.count))
        append(bytes)
        reserve(2)
        putLineEnd()
    }

    public mutating func bulk(_ text: String) {
        var text = text
        text.withUTF8 { bulk(UnsafeRawBufferPointer($0)) }
    }

    /// Text for people; a bulk string in RESP2.
    public mutating func verbatim(_ text: String) {
        guard version == .resp3 else { return bulk(text) }
        header(UInt8(ascii: "="), Int64(text.utf8.count + 4))
        var marked = "txt:" + text
        marked.withUTF8 { append(UnsafeRawBufferPointer($0)) }
        reserve(2)
        putLineEnd()
    }

    public mutating func null() {
        switch version {
        case .resp2: header(UInt8(ascii: "$"), -1)
        case .resp3:
            reserve(3)
            put(UInt8(ascii: "_"))
            putLineEnd()
        }
    }

    /// Five integers in an array; the same in both dialects.
    public mutating func throttle(_ reply: ThrottleReply) {
        reserve(4 + 5 * (Decimal.longest + 3))
        var at = base + count
        at[0] = UInt8(ascii: "*")
        at[1] = UInt8(ascii: "5")
        at[2] = UInt8(ascii: "\r")
        at[3] = UInt8(ascii: "\n")
        at += 4
        ReplyBuffer.put(reply.isLimited ? 1 : 0, &at)
        ReplyBuffer.put(reply.limit, &at)
        ReplyBuffer.put(reply.remaining, &at)
        ReplyBuffer.put(reply.retryAfter, &at)
        ReplyBuffer.put(reply.resetAfter, &at)
        count = at - base
    }

    /// Replies that were written before, see ``cut(from:)``.
    public mutating func append(_ bytes: UnsafeRawBufferPointer) {
        reserve(bytes.count)
        put(bytes)
    }

    // MARK: Bytes

    @inline(__always)
    private static func put(_ value: Int64, _ at: inout UnsafeMutablePointer<UInt8>) {
        at.pointee = UInt8(ascii: ":")
        at = Decimal.write(value, to: at + 1)
        at[0] = UInt8(ascii: "\r")
        at[1] = UInt8(ascii: "\n")
        at += 2
    }

    private mutating func header(_ type: UInt8, _ value: Int64) {
        reserve(Decimal.longest + 3)
        put(type)
        count = Decimal.write(value, to: base + count) - base
        putLineEnd()
    }

    /// Makes room for `more` bytes; the `put`s below rely on it.
    @inline(__always)
    private mutating func reserve(_ more: Int) {
        if capacity &- count < more { grow(more) }
    }

    @inline(never)
    private mutating func grow(_ more: Int) {
        let larger = max(capacity * 2, count + more)
        let moved = UnsafeMutablePointer<UInt8>.allocate(capacity: larger)
        moved.update(from: base, count: count)
        base.deallocate()
        base = moved
        capacity = larger
    }

    private mutating func put(_ byte: UInt8) {
        base[count] = byte
        count &+= 1
    }

    private mutating func put(_ bytes: UnsafeRawBufferPointer) {
        guard let source = bytes.baseAddress, bytes.count > 0 else { return }
        UnsafeMutableRawPointer(base + count).copyMemory(from: source, byteCount: bytes.count)
        count &+= bytes.count
    }

    private mutating func putLineEnd() {
        put(UInt8(ascii: "\r"))
        put(UInt8(ascii: "\n"))
    }
}

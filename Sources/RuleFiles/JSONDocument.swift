/// Reads JSON (RFC 8259) strictly: nothing beyond the grammar, valid UTF-8 only, a bounded depth.
struct JSONDocument {
    private let bytes: [UInt8]
    private var offset = 0
    private var position = Position.start

    /// How deep lists and mappings may nest; rules need five levels.
    static let deepest = 16

    /// The one value that `text` holds.
    static func read(_ text: String) throws(DocumentError) -> Document {
        var reader = JSONDocument(bytes: Array(text.utf8))
        if reader.bytes.starts(with: [0xEF, 0xBB, 0xBF]) { reader.offset = 3 }
        reader.skipSpace()
        let document = try reader.value(depth: 0)
        reader.skipSpace()
        guard reader.offset == reader.bytes.count else { throw reader.error("expected the end after the first value") }
        return document
    }

    private init(bytes: [UInt8]) { self.bytes = bytes }

    private var next: UInt8? { offset < bytes.count ? bytes[offset] : nil }

    private func error(_ message: String) -> DocumentError {
        let found: String
        switch next {
        case nil: found = "the end of the text"
        case let byte? where (0x21...0x7E).contains(byte): found = "'\(Character(UnicodeScalar(byte)))'"
        case let byte?: found = "byte 0x\(String(byte, radix: 16))"
        }
        return DocumentError(position: position, message: "not valid JSON: \(message), found \(found)")
    }

    private mutating func advance() {
        let byte = bytes[offset]
        offset += 1
        if byte == UInt8(ascii: "\n") {
            position = Position(line: position.line + 1, column: 1)
        } else if byte & 0xC0 != 0x80 {
            // Continuation bytes of UTF-8 do not begin a scalar.
            position.column += 1
        }
    }

    private mutating func skipSpace() {
        while let byte = next, byte == 0x20 || byte == 0x0A || byte == 0x0D || byte == 0x09 { advance() }
    }

    private mutating func take(_ byte: UInt8) -> Bool {
        guard next == byte else { return false }
        advance()
        return true
    }

    private mutating func value(depth: Int) throws(DocumentError) -> Document {
        guard depth < JSONDocument.deepest else {
            throw DocumentError(position: position, message: "nested deeper than \(JSONDocument.deepest) levels")
        }
        let start = position
        switch next {
        case UInt8(ascii: "{"): return Document(content: .map(try map(depth: depth)), position: start)
        case UInt8(ascii: "["): return Document(content: .list(try list(depth: depth)), position: start)
        case UInt8(ascii: "\""): return Document(content: .text(try string()), position: start)
        case let byte? where byte == UInt8(ascii: "-") || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte):
            return Document(content: .bare(try number()), position: start)
        default:
            for word in ["true", "false", "null"] where bytes[offset...].starts(with: word.utf8) {
                for _ in word.utf8 { advance() }
                return Document(content: .bare(word), position: start)
            }
            throw error("expected a value")
        }
    }

    private mutating func map(depth: Int) throws(DocumentError) -> [Document.Entry] {
        advance()
        var entries: [Document.Entry] = []
        skipSpace()
        if take(UInt8(ascii: "}")) { return entries }
        while true {
            skipSpace()
            let start = position
            guard next == UInt8(ascii: "\"") else { throw error("expected a field's name in double quotes") }
            let key = try string()
            skipSpace()
            guard take(UInt8(ascii: ":")) else { throw error("expected ':'") }
            skipSpace()
            entries.append(Document.Entry(key: key, position: start, value: try value(depth: depth + 1)))
            skipSpace()
            if take(UInt8(ascii: "}")) { return entries }
            guard take(UInt8(ascii: ",")) else { throw error("expected ',' or '}'") }
        }
    }

    private mutating func list(depth: Int) throws(DocumentError) -> [Document] {
        advance()
        var items: [Document] = []
        skipSpace()
        if take(UInt8(ascii: "]")) { return items }
        while true {
            skipSpace()
            items.append(try value(depth: depth + 1))
            skipSpace()
            if take(UInt8(ascii: "]")) { return items }
            guard take(UInt8(ascii: ",")) else { throw error("expected ',' or ']'") }
        }
    }

    private mutating func digits() -> Int {
        var count = 0
        while let byte = next, (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) {
            advance()
            count += 1
        }
        return count
    }

    private mutating func number() throws(DocumentError) -> String {
        let start = offset
        _ = take(UInt8(ascii: "-"))
        if !take(UInt8(ascii: "0")), digits() == 0 { throw error("expected a digit") }
        if take(UInt8(ascii: ".")), digits() == 0 { throw error("expected a digit") }
        if take(UInt8(ascii: "e")) || take(UInt8(ascii: "E")) {
            if !take(UInt8(ascii: "+")) { _ = take(UInt8(ascii: "-")) }
            if digits() == 0 { throw error("expected a digit") }
        }
        return String(decoding: bytes[start..<offset], as: UTF8.self)
    }

    private mutating func string() throws(DocumentError) -> String {
        advance()
        var text: [UInt8] = []
        while true {
            switch next {
            case UInt8(ascii: "\""):
                advance()
                return String(decoding: text, as: UTF8.self)
            case UInt8(ascii: "\\"):
                advance()
                text.append(contentsOf: UTF8.encode(try escape())!)
            case nil: throw error("expected '\"' at the end of the string")
            case .some(0..<0x20): throw error("expected no bare control character in a string")
            case let byte?:
                text.append(byte)
                advance()
            }
        }
    }

    private mutating func escape() throws(DocumentError) -> Unicode.Scalar {
        let simple: Unicode.Scalar
        switch next {
        case UInt8(ascii: "\""): simple = "\""
        case UInt8(ascii: "\\"): simple = "\\"
        case UInt8(ascii: "/"): simple = "/"
        case UInt8(ascii: "b"): simple = "\u{8}"
        case UInt8(ascii: "f"): simple = "\u{C}"
        case UInt8(ascii: "n"): simple = "\n"
        case UInt8(ascii: "r"): simple = "\r"
        case UInt8(ascii: "t"): simple = "\t"
        case UInt8(ascii: "u"):
            advance()
            return try unicodeEscape()
        default: throw error("expected one of \"\\/bfnrtu after '\\'")
        }
        advance()
        return simple
    }

    private mutating func unicodeEscape() throws(DocumentError) -> Unicode.Scalar {
        let first = try fourHexDigits()
        if let scalar = Unicode.Scalar(first) { return scalar }
        guard first < 0xDC00, take(UInt8(ascii: "\\")), take(UInt8(ascii: "u")) else {
            throw error("expected the other half of a surrogate pair")
        }
        let second = try fourHexDigits()
        guard (0xDC00...0xDFFF).contains(second),
            let scalar = Unicode.Scalar(0x10000 + (first - 0xD800) << 10 + (second - 0xDC00))
        else { throw error("expected the other half of a surrogate pair") }
        return scalar
    }

    private mutating func fourHexDigits() throws(DocumentError) -> UInt32 {
        var value: UInt32 = 0
        for _ in 0..<4 {
            let digit: UInt8
            switch next {
            case let byte? where (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte):
                digit = byte - UInt8(ascii: "0")
            case let byte? where (UInt8(ascii: "a")...UInt8(ascii: "f")).contains(byte):
                digit = byte - UInt8(ascii: "a") + 10
            case let byte? where (UInt8(ascii: "A")...UInt8(ascii: "F")).contains(byte):
                digit = byte - UInt8(ascii: "A") + 10
            default: throw error("expected four hexadecimal digits")
            }
            value = value << 4 | UInt32(digit)
            advance()
        }
        return value
    }
}

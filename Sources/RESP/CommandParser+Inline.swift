extension CommandParser {
    /// A line of text, its arguments apart by spaces. In double quotes `\n`, `\r`, `\t`, `\a`, `\b`, `\xHH`, `\"` and
    /// `\\` mean what they mean in C; in single quotes only `\'` is special.
    mutating func nextInline(_ bytes: UnsafeRawBufferPointer) -> Outcome {
        var end = position
        let mostBytes = min(bytes.count, limits.inline)
        while end < mostBytes, bytes[end] != UInt8(ascii: "\n") { end += 1 }
        guard end < mostBytes else {
            position = end
            return bytes.count >= limits.inline ? .failed(.inlineTooLong) : .incomplete
        }
        position = 0
        isInline = true
        argumentCount = 0
        let lineEnd = end > 0 && bytes[end - 1] == UInt8(ascii: "\r") ? end - 1 : end
        if let error = split(UnsafeRawBufferPointer(rebasing: bytes[0..<lineEnd])) { return .failed(error) }
        return .command(length: end + 1)
    }

    private mutating func split(_ line: UnsafeRawBufferPointer) -> ProtocolError? {
        if (inlineArguments?.count ?? -1) < line.count {
            inlineArguments?.deallocate()
            inlineArguments = .allocate(byteCount: line.count, alignment: 1)
        }
        let target = inlineArguments!
        // Neither quotes nor escapes make anything longer: what is written never overtakes what is read.
        var written = 0
        var at = 0
        while true {
            while at < line.count, CommandParser.isSpace(line[at]) { at += 1 }
            guard at < line.count else { return nil }
            guard argumentCount < limits.arguments else {
                return limits.isBeforeAuthentication ? .notBeforeAuthentication : .tooManyArguments
            }
            let start = written
            while at < line.count, !CommandParser.isSpace(line[at]) {
                let byte = line[at]
                at += 1
                guard byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "'") else {
                    target[written] = byte
                    written += 1
                    continue
                }
                var isClosed = false
                while at < line.count, !isClosed {
                    if line[at] == byte {
                        isClosed = true
                        at += 1
                    } else {
                        target[written] = CommandParser.quotedByte(line, at: &at, in: byte)
                        written += 1
                    }
                }
                guard isClosed, at == line.count || CommandParser.isSpace(line[at]) else { return .unbalancedQuotes }
            }
            appendArgument(offset: start, length: written - start)
        }
    }

    private static func quotedByte(_ line: UnsafeRawBufferPointer, at: inout Int, in quote: UInt8) -> UInt8 {
        let byte = line[at]
        at += 1
        guard byte == UInt8(ascii: "\\"), at < line.count else { return byte }
        let escaped = line[at]
        if quote == UInt8(ascii: "'") {
            guard escaped == quote else { return byte }
            at += 1
            return escaped
        }
        at += 1
        switch escaped {
        case UInt8(ascii: "n"): return UInt8(ascii: "\n")
        case UInt8(ascii: "r"): return UInt8(ascii: "\r")
        case UInt8(ascii: "t"): return UInt8(ascii: "\t")
        case UInt8(ascii: "b"): return 0x08
        case UInt8(ascii: "a"): return 0x07
        case UInt8(ascii: "x"):
            guard at + 1 < line.count, let high = hexDigit(line[at]), let low = hexDigit(line[at + 1]) else {
                return escaped
            }
            at += 2
            return high << 4 | low
        default: return escaped
        }
    }

    private static func hexDigit(_ byte: UInt8) -> UInt8? {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): byte - UInt8(ascii: "0")
        case UInt8(ascii: "a")...UInt8(ascii: "f"): byte - UInt8(ascii: "a") + 10
        case UInt8(ascii: "A")...UInt8(ascii: "F"): byte - UInt8(ascii: "A") + 10
        default: nil
        }
    }

    private static func isSpace(_ byte: UInt8) -> Bool {
        byte == UInt8(ascii: " ") || (0x09...0x0d).contains(byte) || byte == 0
    }
}

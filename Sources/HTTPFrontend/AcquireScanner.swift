import LimiterCore

/// Reads the body of `POST /v1/acquire` in one pass over its bytes: strict JSON (RFC 8259), no field unknown or twice.
///
/// One allocation at most for each string with escapes, none otherwise.
struct AcquireScanner {
    private var offset = 0

    /// What `body` says. Throws the first thing that is wrong.
    static func scan(_ body: Span<UInt8>) throws(ScanError) -> AcquireBody {
        var scanner = AcquireScanner()
        let request = try scanner.object(body, isPermit: false)
        scanner.skipSpace(body)
        guard scanner.offset == body.count else { throw scanner.error("expected the end after the object", body) }
        return request
    }

    /// What a commit's body says: `{"actual":n}`.
    static func scanActual(_ body: Span<UInt8>) throws(ScanError) -> Int64 {
        var scanner = AcquireScanner()
        scanner.skipSpace(body)
        guard scanner.take(UInt8(ascii: "{"), body) else { throw scanner.error("expected a JSON object", body) }
        scanner.skipSpace(body)
        let start = scanner.offset
        let name = try scanner.string(body, field: "name").string(in: body)
        guard name == "actual" else {
            throw ScanError(
                offset: start, message: "unknown field '\(String(name.prefix(40)))': only actual is possible")
        }
        scanner.skipSpace(body)
        guard scanner.take(UInt8(ascii: ":"), body) else { throw scanner.error("expected ':'", body) }
        scanner.skipSpace(body)
        let actual = try scanner.integer(body, field: "actual")
        scanner.skipSpace(body)
        guard scanner.take(UInt8(ascii: "}"), body) else { throw scanner.error("expected '}'", body) }
        scanner.skipSpace(body)
        guard scanner.offset == body.count else { throw scanner.error("expected the end after the object", body) }
        return actual
    }

    private init() {}

    /// The body's object, or one of its permits.
    private mutating func object(_ body: Span<UInt8>, isPermit: Bool) throws(ScanError) -> AcquireBody {
        var rule: AcquireBody.Text?
        var key: AcquireBody.Text?
        var cost: Int64?
        var waitMs: Int64?
        var ttlMs: Int64?
        var priority: Priority?
        var permits: [AcquireBody]?
        skipSpace(body)
        guard take(UInt8(ascii: "{"), body) else { throw error("expected a JSON object", body) }
        skipSpace(body)
        if !take(UInt8(ascii: "}"), body) {
            while true {
                skipSpace(body)
                let start = offset
                let field = try field(body)
                skipSpace(body)
                guard take(UInt8(ascii: ":"), body) else { throw error("expected ':'", body) }
                skipSpace(body)
                let isTwice: Bool
                switch field {
                case .rule:
                    isTwice = rule != nil
                    rule = try string(body, field: "rule")
                case .key:
                    isTwice = key != nil
                    key = try string(body, field: "key")
                case .cost:
                    isTwice = cost != nil
                    cost = try integer(body, field: "cost")
                case .waitMs:
                    isTwice = waitMs != nil
                    waitMs = try integer(body, field: "waitMs")
                case .ttlMs:
                    isTwice = ttlMs != nil
                    ttlMs = try integer(body, field: "ttlMs")
                case .priority:
                    isTwice = priority != nil
                    priority = try self.priority(body)
                case .permits:
                    isTwice = permits != nil
                    permits = try self.permits(body)
                }
                if isPermit, ![.rule, .key, .cost].contains(field) {
                    throw ScanError(
                        offset: start,
                        message: "field '\(field.rawValue)': a permit has a rule, a key and a cost, no more"
                            + (field == .priority ? "; the priority stands beside 'permits'" : ""))
                }
                if isTwice { throw ScanError(offset: start, message: "the field '\(field.rawValue)' is given twice") }
                skipSpace(body)
                if take(UInt8(ascii: ","), body) { continue }
                guard take(UInt8(ascii: "}"), body) else { throw error("expected ',' or '}'", body) }
                break
            }
        }
        if let permits {
            for (name, isGiven) in [("rule", rule != nil), ("key", key != nil), ("cost", cost != nil)] where isGiven {
                throw ScanError(offset: offset, message: "the field '\(name)' belongs into each of the permits")
            }
            if waitMs != nil {
                throw ScanError(offset: offset, message: "several permits cannot wait: leave 'waitMs' away")
            }
            if ttlMs != nil {
                throw ScanError(offset: offset, message: "several permits cannot be reserved: leave 'ttlMs' away")
            }
            return AcquireBody(
                rule: AcquireBody.Text(range: 0..<0), key: AcquireBody.Text(range: 0..<0), cost: 1,
                priority: priority ?? .normal, permits: permits)
        }
        guard let rule else { throw ScanError(offset: offset, message: "the field 'rule' is missing") }
        guard let key else { throw ScanError(offset: offset, message: "the field 'key' is missing") }
        return AcquireBody(
            rule: rule, key: key, cost: cost ?? 1, priority: priority ?? .normal, waitMs: waitMs, ttlMs: ttlMs)
    }

    private mutating func permits(_ body: Span<UInt8>) throws(ScanError) -> [AcquireBody] {
        let start = offset
        guard take(UInt8(ascii: "["), body) else { throw error("field 'permits': expected a list", body) }
        var permits: [AcquireBody] = []
        repeat {
            skipSpace(body)
            guard permits.count < AcquireBody.mostPermits else {
                throw ScanError(offset: start, message: "more than \(AcquireBody.mostPermits) permits")
            }
            // It cannot go deeper: a permit has no permits.
            permits.append(try object(body, isPermit: true))
            skipSpace(body)
        } while take(UInt8(ascii: ","), body)
        guard take(UInt8(ascii: "]"), body) else { throw error("expected ',' or ']'", body) }
        return permits
    }

    // MARK: Fields

    private enum Field: String { case rule, key, cost, waitMs, ttlMs, priority, permits }

    private mutating func field(_ body: Span<UInt8>) throws(ScanError) -> Field {
        let start = offset
        guard offset < body.count, body[offset] == UInt8(ascii: "\"") else {
            throw error("expected a field's name in double quotes", body)
        }
        let name = try string(body, field: "name")
        if name.unescaped == nil {
            if matches(body, name.range, "key") { return .key }
            if matches(body, name.range, "rule") { return .rule }
            if matches(body, name.range, "cost") { return .cost }
        }
        let text = name.string(in: body)
        if let field = Field(rawValue: text) { return field }
        throw ScanError(
            offset: start,
            message:
                "unknown field '\(String(text.prefix(40)))': possible are rule, key, cost, waitMs, ttlMs, priority and permits"
        )
    }

    @inline(__always)
    private func matches(_ body: Span<UInt8>, _ range: Range<Int>, _ name: StaticString) -> Bool {
        guard range.count == name.utf8CodeUnitCount else { return false }
        let letters = name.utf8Start
        for i in 0..<range.count where body[range.lowerBound + i] != letters[i] { return false }
        return true
    }

    // MARK: Values

    private mutating func priority(_ body: Span<UInt8>) throws(ScanError) -> Priority {
        let start = offset
        let word = try string(body, field: "priority").string(in: body)
        guard let priority = Priority(name: word) else {
            throw ScanError(
                offset: start,
                message: "field 'priority': '\(String(word.prefix(40)))' is none: possible are normal and critical")
        }
        return priority
    }

    /// A whole number from 0 upwards.
    private mutating func integer(_ body: Span<UInt8>, field: StaticString) throws(ScanError) -> Int64 {
        let start = offset
        let isNegative = take(UInt8(ascii: "-"), body)
        var value: Int64 = 0
        var digits = 0
        var isTooLarge = false
        while offset < body.count, case let digit = body[offset] &- UInt8(ascii: "0"), digit < 10 {
            let (product, overflow) = value.multipliedReportingOverflow(by: 10)
            let (sum, carry) = product.addingReportingOverflow(Int64(digit))
            isTooLarge = isTooLarge || overflow || carry
            value = sum
            digits += 1
            offset += 1
        }
        if digits == 0 {
            throw ScanError(offset: start, message: "field '\(field)': expected a whole number without quotes")
        }
        if digits > 1, body[offset - digits] == UInt8(ascii: "0") {
            throw ScanError(offset: start, message: "field '\(field)': a number has no leading zeros")
        }
        if offset < body.count, [UInt8(ascii: "."), UInt8(ascii: "e"), UInt8(ascii: "E")].contains(body[offset]) {
            throw ScanError(offset: start, message: "field '\(field)': only whole numbers in plain digits are possible")
        }
        if isNegative, value > 0 || isTooLarge {
            throw ScanError(offset: start, message: "field '\(field)': must not be negative")
        }
        if isTooLarge { throw ScanError(offset: start, message: "field '\(field)': the number is too large") }
        return value
    }

    private mutating func string(_ body: Span<UInt8>, field: StaticString) throws(ScanError) -> AcquireBody.Text {
        guard take(UInt8(ascii: "\""), body) else {
            throw ScanError(offset: offset, message: "field '\(field)': expected a string in double quotes")
        }
        let start = offset
        var isASCII = true
        while offset < body.count {
            let byte = body[offset]
            if byte == UInt8(ascii: "\"") {
                let text = AcquireBody.Text(range: start..<offset, unescaped: nil)
                if !isASCII, let bad = UTF8Check.firstBad(in: body, start..<offset) {
                    throw ScanError(offset: bad, message: "not valid UTF-8")
                }
                offset += 1
                return text
            }
            if byte == UInt8(ascii: "\\") { return try escapedString(body, from: start) }
            if byte < 0x20 { throw ScanError(offset: offset, message: "a bare control character in a string") }
            if byte >= 0x80 { isASCII = false }
            offset += 1
        }
        throw ScanError(offset: offset, message: "a string has no end")
    }

    /// The rest of a string in which an escape was met.
    private mutating func escapedString(_ body: Span<UInt8>, from start: Int) throws(ScanError) -> AcquireBody.Text {
        var text: [UInt8] = []
        for i in start..<offset { text.append(body[i]) }
        while offset < body.count {
            let byte = body[offset]
            if byte == UInt8(ascii: "\"") {
                // Escapes are ASCII, so that a sequence of UTF-8 which one breaks is bad on either side of it.
                if let bad = UTF8Check.firstBad(in: body, start..<offset) {
                    throw ScanError(offset: bad, message: "not valid UTF-8")
                }
                let range = start..<offset
                offset += 1
                return AcquireBody.Text(range: range, unescaped: text)
            }
            if byte == UInt8(ascii: "\\") {
                let scalar = try escape(body)
                text.append(contentsOf: UTF8.encode(scalar)!)
                continue
            }
            if byte < 0x20 { throw ScanError(offset: offset, message: "a bare control character in a string") }
            text.append(byte)
            offset += 1
        }
        throw ScanError(offset: offset, message: "a string has no end")
    }

    private mutating func escape(_ body: Span<UInt8>) throws(ScanError) -> Unicode.Scalar {
        let start = offset
        offset += 1
        guard offset < body.count else { throw ScanError(offset: offset, message: "a string has no end") }
        let letter = body[offset]
        offset += 1
        switch letter {
        case UInt8(ascii: "\""): return "\""
        case UInt8(ascii: "\\"): return "\\"
        case UInt8(ascii: "/"): return "/"
        case UInt8(ascii: "b"): return "\u{8}"
        case UInt8(ascii: "f"): return "\u{C}"
        case UInt8(ascii: "n"): return "\n"
        case UInt8(ascii: "r"): return "\r"
        case UInt8(ascii: "t"): return "\t"
        case UInt8(ascii: "u"): break
        default: throw ScanError(offset: start, message: "an unknown escape")
        }
        let first = try fourHexDigits(body)
        if let scalar = Unicode.Scalar(first) { return scalar }
        if first < 0xDC00, take(UInt8(ascii: "\\"), body), take(UInt8(ascii: "u"), body) {
            let second = try fourHexDigits(body)
            if (0xDC00...0xDFFF).contains(second),
                let scalar = Unicode.Scalar(0x10000 + (first - 0xD800) << 10 + (second - 0xDC00))
            {
                return scalar
            }
        }
        throw ScanError(offset: start, message: "half a surrogate pair")
    }

    private mutating func fourHexDigits(_ body: Span<UInt8>) throws(ScanError) -> UInt32 {
        var value: UInt32 = 0
        for _ in 0..<4 {
            guard offset < body.count, let digit = Character(Unicode.Scalar(body[offset])).hexDigitValue else {
                throw ScanError(offset: offset, message: "expected four hexadecimal digits after '\\u'")
            }
            value = value << 4 | UInt32(digit)
            offset += 1
        }
        return value
    }

    // MARK: Bytes

    @inline(__always)
    private mutating func skipSpace(_ body: Span<UInt8>) {
        while offset < body.count {
            switch body[offset] {
            case 0x20, 0x0A, 0x0D, 0x09: offset += 1
            default: return
            }
        }
    }

    @inline(__always)
    private mutating func take(_ byte: UInt8, _ body: Span<UInt8>) -> Bool {
        guard offset < body.count, body[offset] == byte else { return false }
        offset += 1
        return true
    }

    private func error(_ message: String, _ body: Span<UInt8>) -> ScanError {
        ScanError(offset: offset, message: offset < body.count ? message : message + ", but the body ends")
    }
}

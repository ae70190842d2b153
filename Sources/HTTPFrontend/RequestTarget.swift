/// A request's path and query, split and with its percent-encoding undone.
struct RequestTarget: Equatable {
    /// The parts between slashes.
    var segments: [String]
    /// Query parameters in their order; one without `=` has an empty value.
    var query: [(name: String, value: String)]

    /// nil where a percent sign begins no encoded byte, or the bytes are not UTF-8.
    init?(_ target: String) {
        let end = target.utf8.firstIndex(of: UInt8(ascii: "#")) ?? target.endIndex
        let text = target[..<end]
        let mark = text.utf8.firstIndex(of: UInt8(ascii: "?")) ?? text.endIndex
        segments = []
        for part in text[..<mark].split(separator: "/", omittingEmptySubsequences: false).dropFirst() {
            guard let segment = RequestTarget.decode(part.utf8, plusIsSpace: false) else { return nil }
            segments.append(segment)
        }
        query = []
        guard mark < text.endIndex else { return }
        for pair in text[text.utf8.index(after: mark)...].split(separator: "&") {
            let equals = pair.utf8.firstIndex(of: UInt8(ascii: "=")) ?? pair.endIndex
            guard let name = RequestTarget.decode(pair[..<equals].utf8, plusIsSpace: true),
                let value = RequestTarget.decode(pair[equals...].utf8.dropFirst(), plusIsSpace: true)
            else { return nil }
            query.append((name, value))
        }
    }

    static func == (a: RequestTarget, b: RequestTarget) -> Bool {
        a.segments == b.segments && a.query.elementsEqual(b.query) { $0 == $1 }
    }

    private static func decode(_ text: Substring.UTF8View, plusIsSpace: Bool) -> String? {
        var bytes: [UInt8] = []
        var rest = text
        while let byte = rest.popFirst() {
            switch byte {
            case UInt8(ascii: "%"):
                guard let high = rest.popFirst().flatMap(hexDigit), let low = rest.popFirst().flatMap(hexDigit) else {
                    return nil
                }
                bytes.append(high << 4 | low)
            case UInt8(ascii: "+") where plusIsSpace: bytes.append(0x20)
            default: bytes.append(byte)
            }
        }
        return String(validating: bytes, as: UTF8.self)
    }

    private static func hexDigit(_ byte: UInt8) -> UInt8? {
        Character(Unicode.Scalar(byte)).hexDigitValue.flatMap { byte < 0x80 ? UInt8($0) : nil }
    }
}

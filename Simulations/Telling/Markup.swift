/// HTML and SVG as text that is well-formed XML too.
enum Markup {
    /// `text` as it may stand between tags and in attributes. What XML 1.0 has no way to say becomes U+FFFD.
    static func escaped(_ text: String) -> String {
        var result = ""
        for scalar in text.unicodeScalars {
            switch scalar.value {
            case 0x26: result += "&amp;"
            case 0x3C: result += "&lt;"
            case 0x3E: result += "&gt;"
            case 0x22: result += "&quot;"
            case 0x27: result += "&#39;"
            case 0x09, 0x0A, 0x0D: result.unicodeScalars.append(scalar)
            case 0x00...0x1F, 0x7F...0x9F, 0xFFFE, 0xFFFF: result += "\u{FFFD}"
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result
    }

    /// `text` in one line of at most `most` characters.
    static func short(_ text: String, _ most: Int) -> String {
        let line = String(text.map { $0.isNewline ? " " : $0 })
        return line.count > most ? String(line.prefix(max(1, most - 1))) + "…" : line
    }
}

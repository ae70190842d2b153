/// Numbers as people read them.
enum Figures {
    /// With `places` digits behind the point, rounded; the same on every machine.
    static func fixed(_ value: Double, _ places: Int) -> String {
        // Far outside of what a page shows, where the scaled number would not fit into 64 bits.
        guard value.isFinite, abs(value) < 1e12 else { return "\(value)" }
        var scale: Int64 = 1
        for _ in 0..<places { scale *= 10 }
        let scaled = Int64((value * Double(scale)).rounded())
        let sign = scaled < 0 ? "-" : ""
        let whole = scaled.magnitude / UInt64(scale)
        guard places > 0 else { return "\(sign)\(whole)" }
        let rest = String(scaled.magnitude % UInt64(scale))
        return "\(sign)\(whole)." + String(repeating: "0", count: places - rest.utf8.count) + rest
    }

    /// A coordinate: one digit behind the point, and none where it is zero.
    static func coordinate(_ value: Double) -> String {
        let text = fixed(value, 1)
        return text.hasSuffix(".0") ? String(text.dropLast(2)) : text
    }

    /// A number of tokens: whole where it is, else with one or two digits behind the point.
    static func tokens(_ value: Double) -> String {
        if value == value.rounded(), abs(value) < 1e12 { return grouped(Int64(value)) }
        return fixed(value, abs(value) < 10 ? 2 : 1)
    }

    /// With commas between thousands.
    static func grouped(_ value: Int64) -> String {
        let digits = String(value.magnitude)
        var text = ""
        for (i, digit) in digits.enumerated() {
            if i > 0, (digits.utf8.count - i) % 3 == 0 { text += "," }
            text.append(digit)
        }
        return (value < 0 ? "-" : "") + text
    }

    /// "1 node", "2 nodes".
    static func count(_ value: Int, _ noun: String) -> String {
        "\(grouped(Int64(value))) \(noun)\(value == 1 ? "" : "s")"
    }

    /// Milliseconds with microseconds behind the point.
    static func ms(_ ns: Int64) -> String { fixed(Double(ns) / 1e6, 3) }

    /// A length of time in the unit that suits it.
    static func span(_ ns: Int64) -> String {
        let units: [(String, Double)] = [("s", 1e9), ("ms", 1e6), ("µs", 1e3)]
        for (name, size) in units where Double(ns.magnitude) >= size {
            let value = Double(ns) / size
            var text = fixed(value, 3)
            while text.hasSuffix("0") { text.removeLast() }
            if text.hasSuffix(".") { text.removeLast() }
            return "\(text) \(name)"
        }
        return "\(ns) ns"
    }
}

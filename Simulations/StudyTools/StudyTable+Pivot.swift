extension StudyTable {
    /// A smaller table for people: one line for each different cell of `row`, one column for each value of `column`, and in them
    /// what `cell` makes of the row that has both; empty where there is none.
    package func pivot(
        _ row: String, by column: String, values: [String], where isWanted: ([String]) -> Bool = { _ in true },
        heading: (String) -> String = { $0 }, cell: ([String]) -> String
    ) -> String {
        let wanted = rows.filter(isWanted)
        let (rowPlace, columnPlace) = (place(of: row), place(of: column))
        var keys: [String] = []
        for line in wanted where !keys.contains(line[rowPlace]) { keys.append(line[rowPlace]) }
        var text = "| \(row) | " + values.map(heading).joined(separator: " | ") + " |\n"
        text += "| --- |" + String(repeating: " --: |", count: values.count) + "\n"
        for key in keys {
            let cells = values.map { value in
                wanted.first { $0[rowPlace] == key && $0[columnPlace] == value }.map(cell) ?? ""
            }
            text += "| \(key) | " + cells.joined(separator: " | ") + " |\n"
        }
        return text
    }

    /// A chance as a percentage with its interval.
    package func percent(_ row: [String], _ value: String, _ low: String, _ high: String) -> String {
        guard let value = number(row, value), let low = number(row, low), let high = number(row, high) else {
            return ""
        }
        return "\(fixed(value * 100, 1)) % [\(fixed(low * 100, 1)), \(fixed(high * 100, 1))]"
    }
}

/// A number for people: without needless digits, and with a thin mark at thousands.
package func grouped(_ value: Double, digits: Int = 0) -> String {
    let text = fixed(value, value.magnitude >= 1_000 ? 0 : digits)
    guard value.magnitude >= 10_000, let whole = Int(text) else { return text }
    var parts: [String] = []
    var left = whole.magnitude
    while left >= 1_000 {
        let part = String(left % 1_000)
        parts.insert(String(repeating: "0", count: 3 - part.count) + part, at: 0)
        left /= 1_000
    }
    parts.insert(String(left), at: 0)
    return (whole < 0 ? "-" : "") + parts.joined(separator: " ")
}

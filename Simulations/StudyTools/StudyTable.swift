/// One result of a study: rows of text, as they stand in its CSV file and in the documents.
package struct StudyTable: Equatable, Sendable {
    /// The file's name without its ending.
    package let name: String
    package let columns: [String]
    package private(set) var rows: [[String]] = []

    package init(_ name: String, columns: [String]) {
        self.name = name
        self.columns = columns
    }

    package mutating func add(_ row: [String]) {
        precondition(row.count == columns.count, "\(name): \(row.count) cells for \(columns.count) columns")
        precondition(!row.contains { $0.contains(",") || $0.contains("\n") }, "\(name): a cell with a comma: \(row)")
        rows.append(row)
    }

    // MARK: Reading

    /// The rows whose cells in the named columns are these, in order.
    package func rows(where conditions: KeyValuePairs<String, String>) -> [[String]] {
        let wanted = conditions.map { (place(of: $0.key), $0.value) }
        return rows.filter { row in wanted.allSatisfy { row[$0.0] == $0.1 } }
    }

    package func place(of column: String) -> Int {
        guard let place = columns.firstIndex(of: column) else { preconditionFailure("\(name) has no column \(column)") }
        return place
    }

    package func cell(_ row: [String], _ column: String) -> String { row[place(of: column)] }
    package func number(_ row: [String], _ column: String) -> Double? { Double(row[place(of: column)]) }

    /// The different cells of a column, in the order in which they first appear.
    package func values(of column: String) -> [String] {
        var seen: [String] = []
        for row in rows where !seen.contains(row[place(of: column)]) { seen.append(row[place(of: column)]) }
        return seen
    }

    // MARK: Files

    /// Comma-separated values, the columns' names first. No cell holds a comma, so that nothing is quoted.
    package var csv: String {
        ([columns] + rows).map { $0.joined(separator: ",") + "\n" }.joined()
    }

    /// The table that ``csv`` gives; nil where a line has another number of cells than the first.
    package init?(_ name: String, csv: String) {
        let lines = csv.split(separator: "\n").map { line in
            line.split(separator: ",", omittingEmptySubsequences: false).map(String.init)
        }
        guard let first = lines.first, lines.allSatisfy({ $0.count == first.count }) else { return nil }
        self.init(name, columns: first)
        rows = Array(lines.dropFirst())
    }

    /// The table as Markdown; `only` names the columns to show, all if empty.
    package func markdown(only shown: [String] = []) -> String {
        let shown = shown.isEmpty ? columns : shown
        let places = shown.map { place(of: $0) }
        func line(_ cells: [String]) -> String { "| " + cells.joined(separator: " | ") + " |\n" }
        // Numbers to the right.
        let marks = places.map { place in
            let isNumeric = rows.allSatisfy { row in
                let cell = row[place]
                return cell.isEmpty || cell.first!.isNumber || (cell.first! == "-" && cell.count > 1)
            }
            return isNumeric ? "--:" : "---"
        }
        return line(shown) + line(marks) + rows.map { row in line(places.map { row[$0] }) }.joined()
    }
}

/// Where tables stand in a document: between `<!-- table: NAME -->` and `<!-- end -->`, each on a line of its own.
package enum DocumentTables {
    /// The document with each named table put between its marks; tables without marks are left out.
    package static func fill(_ document: String, with tables: [(name: String, markdown: String)]) -> String {
        var lines: [Substring] = []
        var isInside = false
        for line in document.split(separator: "\n", omittingEmptySubsequences: false) {
            if let table = tables.first(where: { line == "<!-- table: \($0.name) -->" }) {
                lines.append(line)
                lines.append("")
                lines += table.markdown.split(separator: "\n")
                lines.append("")
                isInside = true
            } else if isInside {
                guard line == "<!-- end -->" else { continue }
                isInside = false
                lines.append(line)
            } else {
                lines.append(line)
            }
        }
        return lines.joined(separator: "\n")
    }
}

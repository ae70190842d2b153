import Foundation
import Plots
import StudyTools
import Testing

/// What `docs/studies` holds, and what both studies' tests ask of it.
enum Documents {
    static let folder = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().appending(path: "docs/studies")

    static func text(_ path: String) throws -> String {
        try String(contentsOf: folder.appending(path: path), encoding: .utf8)
    }

    static func table(_ name: String, small: Bool = false) throws -> StudyTable {
        let text = try text("data/\(small ? "small/" : "")\(name).csv")
        return try #require(StudyTable(name, csv: text), "\(name).csv is no table")
    }

    /// The stored small tables are these.
    static func expectStored(_ tables: [StudyTable], by command: String) throws {
        for table in tables {
            #expect(
                try table == Documents.table(table.name, small: true),
                "\(table.name) has changed: run `\(command)` with and without --small, --out docs/studies, and read what it says now"
            )
        }
    }

    /// A document holds these tables, and shows these plots as they are stored.
    static func expectShown(
        _ excerpts: [(name: String, markdown: String)], _ plots: [(name: String, chart: Chart)], in document: String
    ) throws {
        let text = try Documents.text(document)
        for excerpt in excerpts {
            #expect(text.contains("<!-- table: \(excerpt.name) -->"), "\(excerpt.name) is not in the document")
        }
        #expect(DocumentTables.fill(text, with: excerpts) == text)
        for plot in plots {
            #expect(try Documents.text("plots/\(plot.name).svg") == plot.chart.svg, "\(plot.name).svg is an older one")
            #expect(text.contains("plots/\(plot.name).svg"), "\(plot.name).svg is not shown")
        }
    }
}

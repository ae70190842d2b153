import ArgumentParser
import Foundation
import Plots
import StudyTools

/// What both studies' commands have in common.
struct StudyChoice: ParsableArguments {
    @Option(help: "The seed, from which every figure follows.")
    var seed: UInt64 = 1

    @Flag(help: "The small version, which the tests run: seconds instead of minutes.")
    var small = false

    @Option(
        help: """
            Write the tables (data/*.csv), the plots (plots/*.svg) and the tables of the document under this folder, as in docs/studies. \
            The small version writes data/small/*.csv only.
            """)
    var out: String?

    @Flag(help: "Run nothing: draw the plots and fill in the document's tables again, from the tables under --out.")
    var redraw = false

    func validate() throws {
        if redraw, out == nil || small {
            throw ValidationError(
                "--redraw takes the full tables under --out: name their folder, and leave out --small")
        }
    }

    /// The tables of a study: those under `out`, or what `run` makes.
    func tables(_ names: [String], run: () -> [StudyTable]) throws -> [StudyTable] {
        guard redraw, let out else { return run() }
        return try names.map { name in
            let file = URL(filePath: out).appending(path: "data/\(name).csv")
            guard let text = try? String(contentsOf: file, encoding: .utf8), let table = StudyTable(name, csv: text)
            else {
                throw stop("\(file.path) is no table of this study: run it without --redraw", code: 78)
            }
            return table
        }
    }

    /// Tells how far it is, on standard error: it takes minutes.
    static let progress: @Sendable (String) -> Void = { text in
        FileHandle.standardError.write(Data("  \(text)\n".utf8))
    }

    /// Prints the tables, and writes what is asked for.
    func publish(
        _ tables: [StudyTable], plots: [(name: String, chart: Chart)], excerpts: [(name: String, markdown: String)],
        document: String
    ) throws {
        for table in tables {
            say("## \(table.name) (seed \(seed)\(small ? ", small" : ""))\n")
            say(table.markdown())
        }
        guard let out else { return }
        let folder = URL(filePath: out)
        let data = folder.appending(path: small ? "data/small" : "data")
        for table in tables { try write(table.csv, to: data.appending(path: "\(table.name).csv")) }
        guard !small else { return }
        for plot in plots { try write(plot.chart.svg, to: folder.appending(path: "plots/\(plot.name).svg")) }
        let page = folder.appending(path: document)
        if let text = try? String(contentsOf: page, encoding: .utf8) {
            try write(DocumentTables.fill(text, with: excerpts), to: page)
        }
    }

    private func write(_ text: String, to file: URL) throws {
        do {
            try FileManager.default.createDirectory(
                at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
            try Data(text.utf8).write(to: file)
        } catch {
            throw stop(
                "cannot write \(file.path): \(error.localizedDescription); name another folder with --out", code: 78)
        }
        StudyChoice.progress("wrote \(file.path)")
    }
}

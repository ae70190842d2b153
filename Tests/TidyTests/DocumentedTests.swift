import Foundation
import Testing

/// What users of the client libraries can name has a description.
@Suite struct DocumentedTests {
    static let libraries = ["MillraceClient", "MillraceThrottled", "MillraceHummingbird", "MillraceOutgoing"]

    @Test(arguments: libraries)
    func everyPublicSymbolIsDescribed(library: String) throws {
        let folder = RingTests.root.appending(path: "Sources/\(library)")
        var undescribed: [String] = []
        var symbols = 0
        for file in try FileManager.default.contentsOfDirectory(at: folder, includingPropertiesForKeys: nil) {
            let lines = try String(contentsOf: file, encoding: .utf8).split(
                separator: "\n", omittingEmptySubsequences: false
            ).map { $0.drop { $0 == " " } }
            for (number, line) in lines.enumerated() where DocumentedTests.isPublicSymbol(line) {
                symbols += 1
                let above = lines[..<number].last { !$0.hasPrefix("@") } ?? ""
                if !above.hasPrefix("///") { undescribed.append("\(file.lastPathComponent):\(number + 1): \(line)") }
            }
        }
        #expect(undescribed.isEmpty)
        #expect(symbols > 4, "the test has found nothing to look at in \(library)")
    }

    /// Except for what a protocol of the standard library describes.
    private static func isPublicSymbol(_ line: Substring) -> Bool {
        guard let start = line.firstRange(of: "public "), !line.hasPrefix("//"), !line.hasPrefix("import"),
            line[..<start.lowerBound].allSatisfy({ $0 != "\"" })
        else { return false }
        let words = line[start.upperBound...].split(separator: " ")
        guard words.first != "import", words.first != "extension" else { return false }
        return !["description:", "func ==", "func hash("].contains { line.contains($0) }
    }
}

/// A place in a text: line and column from 1, the column in Unicode scalars.
package struct Position: Equatable, Sendable {
    package var line: Int
    package var column: Int

    package static let start = Position(line: 1, column: 1)
}

/// A rules file as a tree of values, whatever it was written in; every value knows its place.
package struct Document: Sendable {
    package struct Entry: Sendable {
        package var key: String
        package var position: Position
        package var value: Document

        package init(key: String, position: Position, value: Document) {
            self.key = key
            self.position = position
            self.value = value
        }
    }

    package enum Content: Sendable {
        /// A string in quotes.
        case text(String)
        /// Anything that stands without quotes: a number, `true`, `null`; in YAML also a word.
        case bare(String)
        case list([Document])
        /// In the order of the text; a key may be there twice.
        case map([Entry])
    }

    package var content: Content
    package var position: Position

    package init(content: Content, position: Position) {
        self.content = content
        self.position = position
    }

    /// What it is, for messages; a long text is cut.
    package var summary: String {
        switch content {
        case .text(let text): "the text \"\(Document.excerpt(text))\""
        case .bare(let text): Document.isNull(text) ? "nothing" : "'\(Document.excerpt(text))'"
        case .list(let items): items.isEmpty ? "an empty list" : "a list"
        case .map: "a mapping"
        }
    }

    /// The beginning of a text, fit for one line of a message.
    package static func excerpt(_ text: String) -> String {
        var excerpt = ""
        for scalar in text.unicodeScalars.prefix(40) {
            excerpt.unicodeScalars.append(scalar.properties.generalCategory == .control ? "\u{FFFD}" : scalar)
        }
        return text.unicodeScalars.count > 40 ? excerpt + "…" : excerpt
    }

    /// Whether an unquoted word means "no value", in YAML or JSON.
    static func isNull(_ bare: String) -> Bool { ["", "~", "null", "Null", "NULL"].contains(bare) }
}

/// Why a text is no document at all: its place and the reason.
package struct DocumentError: Error, Equatable {
    package var position: Position
    package var message: String
}

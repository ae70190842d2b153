import Yams

/// Reads YAML 1.1 through libYAML, without the parts that let a small file become a large one: no anchors, aliases or tags.
package enum YAMLDocument {
    /// Words that begin with `*` and may be aliases. A composed file shares what aliases repeat, but comparing a mapping's
    /// keys walks all of it: with eight aliases that is at most twenty times the file, with eighty it is for ever.
    static let mostAliasLikes = 8
    /// Values, keys, lists and mappings.
    static let mostNodes = 1_000_000

    /// The one document that `text` holds, or nil if it holds none.
    package static func read(_ text: String) throws(DocumentError) -> Document? {
        try refuseBombs(text)
        do {
            // No resolver: what a word means is the reader's business, and regular expressions are slow.
            let parser = try Parser(yaml: text, resolver: .basic, encoding: .utf8)
            guard let root = try parser.singleRoot() else { return nil }
            // Nodes refer to their anchors weakly; the parser keeps them.
            return try withExtendedLifetime(parser) { try convert(root) }
        } catch let error as YamlError {
            throw describe(error)
        } catch let error as DocumentError {
            throw error
        } catch {
            throw DocumentError(position: .start, message: "not valid YAML: \(error)")
        }
    }

    /// Bounds the work of composing from the text alone, before anything is built.
    private static func refuseBombs(_ text: String) throws(DocumentError) {
        var position = Position.start
        var separators = 0
        var aliasLikes = 0
        var before: UInt8 = 0x0A
        var isStar = false
        for byte in text.utf8 {
            if isStar, isWordByte(byte) { aliasLikes += 1 }
            isStar = byte == UInt8(ascii: "*") && (before <= 0x20 || ",[{:?-".utf8.contains(before) || before >= 0x80)
            switch byte {
            case UInt8(ascii: ","), UInt8(ascii: "["), UInt8(ascii: "{"): separators += 1
            case 0x0A, 0x0D, 0x20, 0x09:
                if before == UInt8(ascii: ":") || before == UInt8(ascii: "-") || before == UInt8(ascii: "?") {
                    separators += 1
                }
            default: break
            }
            if aliasLikes > mostAliasLikes {
                throw DocumentError(
                    position: position,
                    message: "more than \(mostAliasLikes) words begin with '*': aliases are not supported, "
                        + "write the values out (and in comments put '*' elsewhere)")
            }
            if separators > mostNodes / 2 {
                throw DocumentError(
                    position: position, message: "more than about \(mostNodes) values: split the file")
            }
            if byte == 0x0A {
                position = Position(line: position.line + 1, column: 1)
            } else if byte & 0xC0 != 0x80 {
                position.column += 1
            }
            before = byte
        }
    }

    private static func isWordByte(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"), UInt8(ascii: "-"):
            true
        default: false
        }
    }

    private static func convert(_ node: Node) throws(DocumentError) -> Document {
        let position = position(of: node)
        if node.anchor != nil {
            throw DocumentError(
                position: position, message: "anchors ('&') and aliases ('*') are not supported: write the value out")
        }
        switch node {
        case .scalar(let scalar):
            let tag = scalar.tag.rawValue
            let isQuoted = scalar.style != .plain
            guard tag == "" || (isQuoted && tag == Tag.Name.str.rawValue) else { throw tagError(tag, position) }
            return Document(content: isQuoted ? .text(scalar.string) : .bare(scalar.string), position: position)
        case .sequence(let sequence):
            guard sequence.tag.rawValue == "" else { throw tagError(sequence.tag.rawValue, position) }
            var items: [Document] = []
            items.reserveCapacity(sequence.count)
            for item in sequence { items.append(try convert(item)) }
            return Document(content: .list(items), position: position)
        case .mapping(let mapping):
            guard mapping.tag.rawValue == "" else { throw tagError(mapping.tag.rawValue, position) }
            var entries: [Document.Entry] = []
            entries.reserveCapacity(mapping.count)
            for (key, value) in mapping {
                guard case .scalar(let name) = key, key.anchor == nil else {
                    throw DocumentError(
                        position: self.position(of: key), message: "a field's name must be a plain text")
                }
                entries.append(
                    Document.Entry(key: name.string, position: self.position(of: key), value: try convert(value)))
            }
            return Document(content: .map(entries), position: position)
        case .alias:
            throw DocumentError(position: position, message: "aliases ('*') are not supported: write the value out")
        }
    }

    private static func tagError(_ tag: String, _ position: Position) -> DocumentError {
        DocumentError(
            position: position,
            message: "the tag '\(Document.excerpt(tag))' is not supported: write the value without '!'")
    }

    private static func position(of node: Node) -> Position { node.mark.map(position(of:)) ?? .start }

    private static func position(of mark: Mark) -> Position { Position(line: mark.line, column: mark.column) }

    private static func describe(_ error: YamlError) -> DocumentError {
        switch error {
        case .scanner(let context, let problem, let mark, _), .parser(let context, let problem, let mark, _),
            .composer(let context, let problem, let mark, _):
            let context = context.map { " \($0.text)" } ?? ""
            let hint = problem.contains("cannot start any token") ? " (indent with spaces, not with tabs)" : ""
            return DocumentError(
                position: position(of: mark), message: "not valid YAML:\(context) \(problem)\(hint)")
        case .reader(let problem, let offset, _, let text):
            return DocumentError(
                position: position(inText: text, characters: offset ?? 0), message: "not valid YAML: \(problem)")
        case .duplicatedKeysInMapping(let keys, let context):
            let names = keys.prefix(5).map { "'\(Document.excerpt($0))'" }.joined(separator: ", ")
            return DocumentError(
                position: position(of: context.mark), message: "\(names) is given more than once here: keep one")
        default:
            return DocumentError(position: .start, message: "not valid YAML: \(error)")
        }
    }

    private static func position(inText text: String, characters: Int) -> Position {
        var position = Position.start
        for character in text.prefix(characters) {
            if character.isNewline {
                position = Position(line: position.line + 1, column: 1)
            } else {
                position.column += 1
            }
        }
        return position
    }
}

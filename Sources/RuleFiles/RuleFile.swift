public import LimiterCore

/// Rules as text: reading them from YAML or JSON with an exact place for everything that is wrong, and writing them.
///
/// What ``parse(_:file:format:)`` accepts, ``yaml(_:)`` and ``json(_:)-(Rule)`` give back unchanged.
public enum RuleFile {
    /// What a text is written in.
    public enum Format: Sendable {
        case yaml
        case json
    }

    /// The longest file, in bytes of UTF-8.
    public static let mostBytes = 4 << 20
    /// The most tokens of a rate or a burst.
    public static let mostTokens: Int64 = 1_000_000_000_000
    /// The highest rate, in tokens per second.
    public static let mostTokensPerSecond: Int64 = 1_000_000_000
    /// The shortest period of a rate, in nanoseconds: a millisecond.
    public static let shortestPeriod: Int64 = 1_000_000
    /// The longest period of a rate, in nanoseconds: 366 days.
    public static let longestPeriod: Int64 = 366 * 86_400_000_000_000

    /// The rules of a file `{rules: […]}`; `file` is its name in messages.
    ///
    /// Without `format` a name that ends in `.json` means JSON and anything else YAML, which most JSON is too. Throws all that
    /// is wrong, not only the first. Cost: in proportion to the text.
    public static func parse(_ text: String, file: String, format: Format? = nil) throws(RuleFileError) -> [Rule] {
        var reader = RuleReader(file: file)
        let document = try document(text, file: file, format: format ?? (file.hasSuffix(".json") ? .json : .yaml))
        reader.isJSON = document.isJSON
        let rules = reader.rules(of: document.root)
        if let error = reader.error { throw error }
        return rules
    }

    /// One rule as a JSON object. With `name` given, the object may leave its name out, and must not have another.
    public static func parseOne(
        json text: String, file: String = "rule", name: String? = nil
    ) throws(RuleFileError) -> Rule {
        var reader = RuleReader(file: file)
        reader.isJSON = true
        let document = try document(text, file: file, format: .json)
        let rule = reader.rule(document.root, path: "rule", givenName: name)
        if let error = reader.error { throw error }
        guard let rule else { preconditionFailure("a rule without a problem was not read") }
        return rule
    }

    private static func document(
        _ text: String, file: String, format: Format
    ) throws(RuleFileError) -> (root: Document, isJSON: Bool) {
        guard text.utf8.count <= mostBytes else {
            let message = "the text has \(text.utf8.count) bytes, at most \(mostBytes) are possible: split it"
            throw RuleFileError(problems: [.init(file: file, line: 1, column: 1, message: message)], isMalformed: true)
        }
        do throws(DocumentError) {
            switch format {
            case .json: return (try JSONDocument.read(text), true)
            case .yaml:
                guard let root = try YAMLDocument.read(text) else {
                    throw DocumentError(
                        position: .start, message: "the file is empty: expected 'rules:' and a list of rules")
                }
                return (root, false)
            }
        } catch {
            throw RuleFileError(
                problems: [
                    .init(file: file, line: error.position.line, column: error.position.column, message: error.message)
                ], isMalformed: true)
        }
    }
}

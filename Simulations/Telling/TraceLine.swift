/// A value in a line of a trace.
package enum TraceValue: Sendable, Equatable {
    case int(Int64)
    case text(String)
    /// `null` in JSON where it is infinite or no number, which JSON cannot say.
    case number(Double)
    case bool(Bool)
}

/// One event of a run: what happened, where, and when.
///
/// The events that ``timelineHTML(_:)`` and ``narrative(_:most:)`` know, with their fields:
///
/// - processes: `start` (node, incarnation), `crash` (node), `pause` (node, for), `resume` (node), `disk` (node, what)
/// - clocks: `drift` (node, ppb), `step` (node, ns)
/// - network: `cut` (from, to), `partition` (groups), `heal`
/// - roles: `leader` (node, term), `lost-leader` (node), `takeover` (node, ranges, epoch), `gave-up` (node, ranges)
/// - requests: `admit` (key, cost, node), `refuse` (key, node), `unavailable` (key, node)
/// - the run itself: `fault` (number, what), `phase` (what), `violation` (what)
///
/// Any other event is told with its fields as they are.
package struct TraceLine: Sendable {
    /// True simulated nanoseconds since the run's start.
    package var time: Int64
    package var event: String
    /// The node it happened at, from 1, or nil if it is no node's.
    package var node: Int?
    package var fields: [(name: String, value: TraceValue)]

    package init(time: Int64, event: String, node: Int? = nil, fields: [(name: String, value: TraceValue)] = []) {
        self.time = time
        self.event = event
        self.node = node
        self.fields = fields
    }

    /// The line as one JSON object (RFC 8259) without a line break: `t` and `e`, the fields in their order, `node`
    /// last.
    package var json: String {
        var text = "{\"t\":\(time),\"e\":\(TraceLine.quoted(event))"
        for field in fields { text += ",\(TraceLine.quoted(field.name)):\(TraceLine.json(field.value))" }
        if let node { text += ",\"node\":\(node)" }
        return text + "}"
    }

    private static func json(_ value: TraceValue) -> String {
        switch value {
        case .int(let number): "\(number)"
        case .text(let text): quoted(text)
        case .number(let number): number.isFinite ? "\(number)" : "null"
        case .bool(let flag): flag ? "true" : "false"
        }
    }

    /// A JSON string, with what RFC 8259 (section 7) says must be escaped, and nothing else.
    static func quoted(_ text: String) -> String {
        var result = "\""
        for scalar in text.unicodeScalars {
            switch scalar.value {
            case 0x22: result += "\\\""
            case 0x5C: result += "\\\\"
            case 0x08: result += "\\b"
            case 0x09: result += "\\t"
            case 0x0A: result += "\\n"
            case 0x0C: result += "\\f"
            case 0x0D: result += "\\r"
            case 0x00...0x1F:
                let digits = String(scalar.value, radix: 16)
                result += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result + "\""
    }

    // MARK: Fields by name

    func value(_ name: String) -> TraceValue? { fields.first { $0.name == name }?.value }

    func int(_ name: String) -> Int64? {
        switch value(name) {
        case .int(let number): number
        // Beyond 2^62 there is nothing that a run counts.
        case .number(let number) where abs(number) < 0x1p62: Int64(number)
        default: nil
        }
    }

    /// The field as text, whatever it is.
    func text(_ name: String) -> String? {
        switch value(name) {
        case .text(let text): text
        case .int(let number): "\(number)"
        case .number(let number): "\(number)"
        case .bool(let flag): "\(flag)"
        case nil: nil
        }
    }
}

import NIOCore
import RuleFiles

/// Writes JSON into a buffer, field by field; the caller's order is the order of the text.
struct JSONText {
    private(set) var buffer = ByteBuffer()
    private var isFirst = true

    mutating func object(_ body: (inout JSONText) -> Void) {
        buffer.writeStaticString("{")
        isFirst = true
        body(&self)
        buffer.writeStaticString("}")
        isFirst = false
    }

    mutating func array<Items: Sequence>(_ items: Items, _ body: (inout JSONText, Items.Element) -> Void) {
        buffer.writeStaticString("[")
        isFirst = true
        for item in items {
            separate()
            body(&self, item)
        }
        buffer.writeStaticString("]")
        isFirst = false
    }

    private mutating func separate() {
        if !isFirst { buffer.writeStaticString(",") }
        isFirst = false
    }

    /// Begins a field, whose value the caller writes next.
    mutating func name(_ name: String) {
        separate()
        buffer.writeString(RuleFile.quoted(name))
        buffer.writeStaticString(":")
    }

    mutating func raw(_ json: String) { buffer.writeString(json) }

    mutating func field(_ name: String, raw json: String) {
        self.name(name)
        raw(json)
    }

    mutating func field(_ name: String, _ text: String) { field(name, raw: RuleFile.quoted(text)) }

    mutating func field(_ name: String, _ number: some BinaryInteger) { field(name, raw: String(number)) }

    mutating func field(_ name: String, _ flag: Bool) { field(name, raw: flag ? "true" : "false") }

    /// A finite number; anything else becomes 0, since JSON has no word for it.
    mutating func field(_ name: String, _ number: Double) { field(name, raw: number.isFinite ? "\(number)" : "0") }
}

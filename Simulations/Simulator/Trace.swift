/// What happened, hashed always and kept on demand.
///
/// The hash is FNV-1a over every event's time, kind, node and numbers: equal hashes mean equal runs.
package struct Trace: Sendable {
    package struct Event: Sendable {
        package var time: Int64
        package var kind: String
        package var node: Int?
        /// Numbers and texts by name, in the order in which they are written.
        package var fields: [(String, Value)]
    }

    package enum Value: Sendable {
        case int(Int64)
        case text(String)
    }

    package private(set) var hash: UInt64 = 0xCBF2_9CE4_8422_2325
    package private(set) var count = 0
    package private(set) var events: [Event] = []
    private let keeps: Bool

    init(keeps: Bool) { self.keeps = keeps }

    /// The most events that are kept; the rest is counted and hashed.
    package static let mostKept = 5_000_000

    mutating func note(_ kind: StaticString, at time: Int64, node: Int? = nil, _ fields: [(String, Value)] = []) {
        count += 1
        fold(UInt64(bitPattern: time))
        kind.withUTF8Buffer { for byte in $0 { fold(UInt64(byte)) } }
        fold(UInt64(bitPattern: Int64(node ?? -1)))
        for (_, value) in fields {
            switch value {
            case .int(let number): fold(UInt64(bitPattern: number))
            case .text(let text): for byte in text.utf8 { fold(UInt64(byte)) }
            }
        }
        guard keeps, events.count < Trace.mostKept else { return }
        events.append(Event(time: time, kind: "\(kind)", node: node, fields: fields))
    }

    /// Folds something in that is not worth a line.
    mutating func fold(_ number: UInt64) { hash = (hash ^ number) &* 0x100_0000_01B3 }
}

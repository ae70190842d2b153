/// Durations as people write them in rules and configuration: a whole number and a unit, such as `500ms`, `1s` or `365d`.
package enum DurationText {
    /// Units with their nanoseconds, longest first.
    static let units: [(name: String, ns: Int64)] = [
        ("d", 86_400_000_000_000), ("h", 3_600_000_000_000), ("m", 60_000_000_000), ("s", 1_000_000_000),
        ("ms", 1_000_000), ("us", 1_000), ("ns", 1),
    ]

    /// What a duration looks like, for messages.
    package static let shape = "a whole number and a unit (ns, us, ms, s, m, h, d), such as 500ms, 1s or 1h"

    /// The nanoseconds, from 0 upwards, or nil if it is no duration or longer than 292 years.
    package static func parse(_ text: some StringProtocol) -> Int64? {
        var value: Int64 = 0
        var digits = 0
        for byte in text.utf8 {
            guard (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) else { break }
            let (product, overflow) = value.multipliedReportingOverflow(by: 10)
            let (sum, carry) = product.addingReportingOverflow(Int64(byte - UInt8(ascii: "0")))
            guard !overflow, !carry else { return nil }
            value = sum
            digits += 1
        }
        guard digits > 0 else { return nil }
        let suffix = text.utf8.dropFirst(digits)
        guard let unit = units.first(where: { suffix.elementsEqual($0.name.utf8) }) else { return nil }
        let (ns, overflow) = value.multipliedReportingOverflow(by: unit.ns)
        return overflow ? nil : ns
    }

    /// The duration in the longest unit that expresses it in whole numbers; `ns` from 0 upwards.
    package static func render(_ ns: Int64) -> String {
        guard ns > 0 else { return "0s" }
        let unit = units.first { ns % $0.ns == 0 } ?? ("ns", 1)
        return "\(ns / unit.ns)\(unit.name)"
    }
}

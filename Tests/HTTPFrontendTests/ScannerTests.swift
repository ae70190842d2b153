import Foundation
import Testing

@testable import HTTPFrontend

@Suite struct ScannerTests {
    /// What the scanner says of a body: its fields, or the place and the reason of a refusal.
    /// Where a body is refused; nil if it is accepted.
    func refusal(_ bytes: [UInt8]) -> Int? {
        do {
            _ = try AcquireScanner.scan(bytes.span)
            return nil
        } catch {
            return error.offset
        }
    }

    func scan(_ text: String) -> String { scan(Array(text.utf8)) }

    func scan(_ bytes: [UInt8]) -> String {
        do {
            let body = try AcquireScanner.scan(bytes.span)
            let wait = body.waitMs.map { " \($0)" } ?? ""
            return "\(body.rule.string(in: bytes.span)) \(body.key.string(in: bytes.span)) \(body.cost)\(wait)"
        } catch {
            return "\(error.offset): \(error.message)"
        }
    }

    @Test(arguments: [
        (#"{"rule":"a","key":"k"}"#, "a k 1"), (#"{"rule":"a","key":"k","cost":0}"#, "a k 0"),
        (#"{"cost":-0,"key":"","rule":""}"#, "  0"),
        (
            "\r\n\t {\r\n\t \"rule\" :\"a\" ,\n\"key\": \"k\",\"waitMs\":12,\"cost\":9223372036854775807 } \n",
            "a k 9223372036854775807 12"
        ),
        (#"{"rule":"\"\\\/\b\f\n\r\t","key":"\u0000\u20aC"}"#, "\"\\/\u{8}\u{C}\n\r\t \u{0}€ 1"),
        (#"{"rule":"é","key":"\ud83d\uDE00x😀"}"#, "é 😀x😀 1"),
    ]) func whatIsRead(text: String, expected: String) { #expect(scan(text) == expected) }

    @Test(arguments: [
        ("", "0: expected a JSON object, but the body ends"), ("[]", "0: expected a JSON object"),
        ("{", "1: expected a field's name in double quotes, but the body ends"),
        ("{}", "2: the field 'rule' is missing"),
        (#"{"rule":"a"}"#, "12: the field 'key' is missing"), (#"{"key":"a"}"#, "11: the field 'rule' is missing"),
        (#"{"rule":"a","key":"k",}"#, "22: expected a field's name in double quotes"),
        (#"{"rule":"a","key":"k"}x"#, "22: expected the end after the object"),
        (#"{"rule":"a","key":"k"}{}"#, "22: expected the end after the object"),
        (#"{"rule":"a" "key":"k"}"#, "12: expected ',' or '}'"), (#"{"rule" "a"}"#, "8: expected ':'"),
        (#"{"rule":"a","rule":"b","key":"k"}"#, "12: the field 'rule' is given twice"),
        (#"{"rule":"a","key":"k","\u006bey":"k"}"#, "22: the field 'key' is given twice"),
        (#"{"rule":"a","key":"k","cost":1,"cost":1}"#, "31: the field 'cost' is given twice"),
        (
            #"{"role":"a"}"#,
            "1: unknown field 'role': possible are rule, key, cost, waitMs, ttlMs, priority and permits"
        ),
        (#"{"rule":null}"#, "8: field 'rule': expected a string in double quotes"),
        (#"{"cost":"1"}"#, "8: field 'cost': expected a whole number without quotes"),
        (#"{"cost":1.5}"#, "8: field 'cost': only whole numbers in plain digits are possible"),
        (#"{"cost":1e2}"#, "8: field 'cost': only whole numbers in plain digits are possible"),
        (#"{"cost":01}"#, "8: field 'cost': a number has no leading zeros"),
        (#"{"cost":-1}"#, "8: field 'cost': must not be negative"),
        (#"{"cost":-}"#, "8: field 'cost': expected a whole number without quotes"),
        (#"{"cost":9223372036854775808}"#, "8: field 'cost': the number is too large"),
        (#"{"cost":-99999999999999999999}"#, "8: field 'cost': must not be negative"),
        (#"{"cost":true}"#, "8: field 'cost': expected a whole number without quotes"),
        (#"{"waitMs":-1}"#, "10: field 'waitMs': must not be negative"),
        (#"{"rule":"a"#, "10: a string has no end"), (#"{"rule":"a\"#, "11: a string has no end"),
        (#"{"rule":"\x"}"#, "9: an unknown escape"), (#"{"rule":"\ud800"}"#, "9: half a surrogate pair"),
        (#"{"rule":"\ud800\u0041"}"#, "9: half a surrogate pair"), (#"{"rule":"\udc00"}"#, "9: half a surrogate pair"),
        (#"{"rule":"\u12g4"}"#, "13: expected four hexadecimal digits after '\\u'"),
        ("{\"rule\":\"a\nb\"}", "10: a bare control character in a string"),
        (#"{"permits":[]}"#, "12: expected a JSON object"),
        (#"{"permits":{}}"#, "11: field 'permits': expected a list"),
        (#"{"permits":[{"rule":"a","key":"k"}"#, "34: expected ',' or ']', but the body ends"),
        (
            #"{"permits":[{"rule":"a","key":"k","waitMs":1}]}"#,
            "34: field 'waitMs': a permit has a rule, a key and a cost, no more"
        ), (#"{"permits":[{"rule":"a","key":"k"}],"key":"k"}"#, "46: the field 'key' belongs into each of the permits"),
        (#"{"permits":[{"rule":"a","key":"k"}],"waitMs":1}"#, "47: several permits cannot wait: leave 'waitMs' away"),
        (#"{"permits":[{"key":"k"}]}"#, "23: the field 'rule' is missing"),
    ]) func whatIsRefused(text: String, expected: String) { #expect(scan(text) == expected) }

    @Test(
        arguments: [
            [0x80], [0xC0, 0x80], [0xC1, 0xBF], [0xE0, 0x9F, 0x80], [0xED, 0xA0, 0x80], [0xF0, 0x8F, 0x80, 0x80],
            [0xF4, 0x90, 0x80, 0x80], [0xF5], [0xFF], [0xC3], [0xE2, 0x82], [0xF0, 0x9F, 0x98], [0xE2, 0x28, 0xA1],
            [0xE2, 0x82, 0x28],
        ] as [[UInt8]]) func badUTF8IsRefusedWithAndWithoutEscapes(bad: [UInt8])
    {
        let head = Array(#"{"rule":"a","key":"é"#.utf8)
        #expect(scan(head + bad + Array("\"}".utf8)) == "\(head.count): not valid UTF-8")
        #expect(scan(head + bad + Array("\\n\"}".utf8)) == "\(head.count): not valid UTF-8")
        #expect(String(validating: bad, as: UTF8.self) == nil)
    }

    @Test(arguments: 0..<64) func theScannerAgreesWithAGeneralParser(seed: UInt64) throws {
        var generator = Generator(seed: seed)
        let pieces = [
            "a", "user:42", "é", "😀", #"\""#, #"\\"#, #"\/"#, #"\n"#, #"\t"#, #"\u0041"#, #"\u00E9"#, #"\ud83d\ude00"#,
            "{", "}", ",", ":", " ", "'", "\u{7F}", "\u{2028}",
        ]
        let spaces = ["", " ", "\n", "\t", "\r\n  "]
        for _ in 0..<200 {
            func space() -> String { generator.pick(spaces) }
            func string() -> String { (0..<generator.below(8)).map { _ in generator.pick(pieces) }.joined() }
            let cost = Int64(truncatingIfNeeded: generator.next() >> UInt64(1 + generator.below(63)))
            var fields = ["\"rule\"\(space()):\(space())\"\(string())\"", "\"key\":\(space())\"\(string())\""]
            if generator.below(2) == 0 { fields.append("\"cost\":\(cost)") }
            if generator.below(2) == 0 { fields.append("\"waitMs\"\(space()):\(cost)") }
            if generator.below(2) == 0 { fields.swapAt(0, fields.count - 1) }
            let text = space() + "{" + fields.map { space() + $0 + space() }.joined(separator: ",") + "}" + space()
            let bytes = Array(text.utf8)
            let general = try #require(
                try JSONSerialization.jsonObject(with: Data(bytes)) as? [String: Any], "seed \(seed): \(text)")
            let body = try AcquireScanner.scan(bytes.span)
            #expect(body.rule.string(in: bytes.span) == general["rule"] as? String, "seed \(seed)")
            #expect(body.key.string(in: bytes.span) == general["key"] as? String, "seed \(seed)")
            #expect(body.cost == (general["cost"] as? NSNumber)?.int64Value ?? 1, "seed \(seed)")
            #expect(body.waitMs == (general["waitMs"] as? NSNumber)?.int64Value, "seed \(seed)")
        }
    }

    @Test(arguments: 0..<64) func whateverIsAcceptedIsJSON(seed: UInt64) {
        var generator = Generator(seed: seed)
        let pieces = [
            "{", "}", "[", "]", ":", ",", "\"", "\\", "\\u", "\\ud83d", "\"rule\"", "\"key\":", "\"cost\":1", "-", "0",
            "1e5",
            "\u{0}", " ", "é",
        ].map { Array($0.utf8) }
        for _ in 0..<500 {
            var bytes = Array(#"{"rule":"a\n","key":"k😀","cost":10,"waitMs":0}"#.utf8)
            for _ in 0...generator.below(3) {
                let at = generator.below(bytes.count + 1)
                switch generator.below(4) {
                case 0: bytes.insert(contentsOf: generator.pick(pieces), at: at)
                case 1: bytes.removeSubrange(at..<min(bytes.count, at + generator.below(6)))
                case 2 where at < bytes.count: bytes[at] = UInt8(generator.below(256))
                default: bytes.removeLast(generator.below(4) % (bytes.count + 1))
                }
            }
            if let offset = refusal(bytes) {
                #expect((0...bytes.count).contains(offset), "seed \(seed): \(bytes)")
            } else {
                #expect((try? JSONSerialization.jsonObject(with: Data(bytes))) != nil, "seed \(seed): \(bytes)")
                #expect(String(validating: bytes, as: UTF8.self) != nil, "seed \(seed): \(bytes)")
            }
        }
    }
}

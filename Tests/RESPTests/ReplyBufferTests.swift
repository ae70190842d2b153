import RESP
import Testing

/// What `write` puts into a fresh buffer.
func written(_ version: ProtocolVersion = .resp2, _ write: (inout ReplyBuffer) -> Void) -> String {
    var buffer = ReplyBuffer(capacity: 1)
    buffer.version = version
    write(&buffer)
    return buffer.withBytes { String(decoding: $0, as: UTF8.self) }
}

@Suite struct ReplyBufferTests {
    @Test func bothDialects() {
        for version in [ProtocolVersion.resp2, .resp3] {
            #expect(written(version) { $0.simple("OK") } == "+OK\r\n")
            #expect(written(version) { $0.integer(-12) } == ":-12\r\n")
            #expect(written(version) { $0.bulk("hé") } == "$3\r\nhé\r\n")
            #expect(written(version) { $0.bulk("") } == "$0\r\n\r\n")
            #expect(written(version) { $0.array(count: 2) } == "*2\r\n")
        }
        #expect(written(.resp2) { $0.map(count: 2) } == "*4\r\n")
        #expect(written(.resp3) { $0.map(count: 2) } == "%2\r\n")
        #expect(written(.resp2) { $0.null() } == "$-1\r\n")
        #expect(written(.resp3) { $0.null() } == "_\r\n")
        #expect(written(.resp2) { $0.verbatim("a") } == "$1\r\na\r\n")
        #expect(written(.resp3) { $0.verbatim("a") } == "=5\r\ntxt:a\r\n")
    }

    @Test func errorsCannotForgeReplies() {
        #expect(written { $0.error("ERR no 'a\r\n+OK\r\n'\u{7f}") } == "-ERR no 'a  +OK  ' \r\n")
    }

    @Test func fiveIntegers() {
        let reply = ThrottleReply(isLimited: true, limit: 1, remaining: .max, retryAfter: -1, resetAfter: 10)
        #expect(written { $0.throttle(reply) } == "*5\r\n:1\r\n:1\r\n:9223372036854775807\r\n:-1\r\n:10\r\n")
    }

    @Test func growsAndShrinks() {
        var buffer = ReplyBuffer(capacity: 1)
        let text = String(repeating: "x", count: ReplyBuffer.keptCapacity)
        buffer.bulk(text)
        buffer.integer(7)
        #expect(buffer.count == "$65536\r\n".utf8.count + text.utf8.count + 2 + 4)
        buffer.removeAll()
        #expect(buffer.count == 0)
        buffer.integer(8)
        #expect(buffer.withBytes { String(decoding: $0, as: UTF8.self) } == ":8\r\n")
    }

    @Test func theEndCanBeCutOffAndPutBack() {
        var buffer = ReplyBuffer()
        buffer.integer(1)
        let mark = buffer.count
        buffer.integer(2)
        let cut = buffer.cut(from: mark)
        buffer.integer(3)
        cut.withUnsafeBytes { buffer.append($0) }
        #expect(buffer.withBytes { String(decoding: $0, as: UTF8.self) } == ":1\r\n:3\r\n:2\r\n")
    }
}

@Suite struct DecimalTests {
    static func parse(_ text: String) -> Int64? { Array(text.utf8).withUnsafeBytes { Decimal.parse($0) } }

    @Test(arguments: [
        ("0", 0), ("-0", 0), ("+7", 7), ("007", 7), ("9223372036854775807", Int64.max), ("-9223372036854775808", .min),
        ("0000000000000000000000000000000000001", 1),
    ])
    func numbers(text: String, value: Int64) {
        #expect(Self.parse(text) == value)
    }

    @Test(arguments: [
        "", "-", "+", "+-1", "1 ", " 1", "1.0", "0x1", "9223372036854775808", "-9223372036854775809",
        "18446744073709551616",
        "99999999999999999999999999", "12345678901234567890a", "1\0", "١",
    ])
    func noNumbers(text: String) {
        #expect(Self.parse(text) == nil)
    }

    @Test func whatIsWrittenIsWhatTheStandardLibraryWrites() {
        var random = SplitMix64(seed: 1)
        var values: [Int64] = [0, 9, 10, 99, 100, .max, .min, -1, 999_999_999_999_999_999, 1_000_000_000_000_000_000]
        for _ in 0..<2000 { values.append(Int64(bitPattern: random.next()) >> random.below(64)) }
        for value in values {
            #expect(written { $0.integer(value) } == ":\(value)\r\n")
            #expect(Self.parse("\(value)") == value)
        }
    }
}

@Suite struct ThrottleReplyTests {
    /// redis-cell rounds a started millisecond up to a whole second, and drops what is less than one.
    @Test(
        arguments: [
            (0, 0), (999_999, 0), (1_000_000, 1), (999_999_999, 1), (1_000_000_000, 1), (1_000_999_999, 1),
            (1_001_000_000, 2),
            (Int64.max, 9_223_372_037),
        ] as [(Int64, Int64)])
    func roundsAsRedisCell(ns: Int64, seconds: Int64) {
        #expect(ThrottleReply.seconds(ns) == seconds)
    }

    @Test func retryIsMinusOneUnlessWaitingHelps() {
        func retry(_ isLimited: Bool, _ ns: Int64) -> Int64 {
            ThrottleReply(isLimited: isLimited, limit: 5, remaining: 0, retryAfterNs: ns, resetAfterNs: 0).retryAfter
        }
        #expect(retry(false, 2_000_000_000) == -1)
        #expect(retry(true, 2_000_000_000) == 2)
        #expect(retry(true, -1) == -1)
        #expect(retry(true, 0) == 0)
    }
}

@Suite struct CommandNameTests {
    static func named(_ text: String) -> CommandName? { Array(text.utf8).withUnsafeBytes { CommandName($0) } }

    @Test func inAnyCase() {
        for command in CommandName.allCases {
            #expect(Self.named(command.text) == command)
            #expect(Self.named(command.text.uppercased()) == command)
        }
        #expect(Self.named("cL.tHrOtTlE") == .throttle)
    }

    @Test(arguments: ["", "pin", "pingg", "\0ping", "cl\u{e}throttle", "cl.throttle.and.more", "p\u{131}ng"])
    func nothingElse(text: String) {
        #expect(Self.named(text) == nil)
    }
}

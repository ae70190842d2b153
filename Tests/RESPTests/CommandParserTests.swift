import RESP
import Testing

/// What a parser made of a stream: commands as lists of arguments, and how it ended.
struct Reading: Equatable {
    var commands: [[String]] = []
    var error: ProtocolError?
    /// Bytes that were not taken.
    var left = 0

    /// Reads all of `stream`, given in pieces that end at `cuts`.
    init(_ stream: [UInt8], cuts: [Int] = [], limits: ParserLimits = .standard) {
        var parser = CommandParser(limits: limits)
        var start = 0
        for end in cuts + [stream.count] {
            // A copy of exactly what is there, so that reading beyond it would be noticed.
            while error == nil {
                let seen = Array(stream[start..<end])
                let length = seen.withUnsafeBytes { bytes -> Int? in
                    switch parser.next(bytes) {
                    case .incomplete: return nil
                    case .failed(let failure):
                        error = failure
                        return nil
                    case .command(let length):
                        commands.append(
                            (0..<parser.argumentCount).map {
                                String(decoding: parser.argument($0, in: bytes), as: UTF8.self)
                            })
                        return length
                    }
                }
                guard let length else { break }
                start += length
            }
        }
        left = stream.count - start
    }

    init(_ stream: String, limits: ParserLimits = .standard) { self.init(Array(stream.utf8), limits: limits) }
}

@Suite struct CommandParserTests {
    @Test func arraysOfBulkStrings() {
        let reading = Reading("*2\r\n$4\r\nECHO\r\n$0\r\n\r\n*1\r\n$4\r\nPING\r\n")
        #expect(reading.commands == [["ECHO", ""], ["PING"]])
        #expect(reading.error == nil)
        #expect(reading.left == 0)
    }

    @Test func argumentsMayHoldAnyByte() {
        #expect(Reading("*2\r\n$4\r\nECHO\r\n$5\r\n\r\n*1\r\r\n").commands == [["ECHO", "\r\n*1\r"]])
    }

    @Test func emptyCommandsAreThereButHaveNoArguments() {
        #expect(Reading("*0\r\n*-1\r\n\r\n\n  \r\nPING\r\n").commands == [[], [], [], [], [], ["PING"]])
    }

    @Test func halfACommandIsLeftAlone() {
        let reading = Reading("PING\r\n*2\r\n$4\r\nECHO\r\n$3\r\nab")
        #expect(reading.commands == [["PING"]])
        #expect(reading.error == nil)
        #expect(reading.left == 20)
    }

    @Test(arguments: [
        ("PING\n", ["PING"]),
        ("  set  a\tb \r\n", ["set", "a", "b"]),
        (#"echo "a b\n\x41\"" 'it\'s' ""\#r\#n"#, ["echo", "a b\nA\"", "it's", ""]),
        (#"echo "\xzz\q"\#r\#n"#, ["echo", "xzzq"]),
        (#"echo 'a\nb'\#r\#n"#, ["echo", #"a\nb"#]),
    ])
    func inlineCommands(line: String, arguments: [String]) {
        #expect(Reading(line).commands == [arguments])
    }

    @Test(arguments: [
        ("*x\r\n", ProtocolError.invalidArrayLength), ("*\r\n", .invalidArrayLength), ("*1\rx", .invalidArrayLength),
        ("*1000000000\r\n", .invalidArrayLength), ("*1\r\n$-1\r\n", .invalidBulkLength),
        ("*1\r\n$1x\r\n", .invalidBulkLength),
        ("*1\r\n$99999999999999999999", .invalidBulkLength), ("*1\r\n:1\r\n", .unexpectedByte(0x3a)),
        ("*1\r\n$1\r\nabc", .bulkNotTerminated), ("echo \"a\r\n", .unbalancedQuotes),
        ("echo 'a'b\r\n", .unbalancedQuotes),
    ])
    func brokenStreams(stream: String, error: ProtocolError) {
        #expect(Reading(stream).error == error)
        let bytes = Array(stream.utf8)
        #expect(Reading(bytes, cuts: Array(0..<bytes.count)).error == error, "the same when it comes byte by byte")
    }

    @Test func errorsAreWordedAsByRedis() {
        #expect("\(ProtocolError.invalidArrayLength)" == "invalid multibulk length")
        #expect("\(ProtocolError.invalidBulkLength)" == "invalid bulk length")
        #expect("\(ProtocolError.unexpectedByte(0x3a))" == "expected '$', got ':'")
        #expect("\(ProtocolError.unexpectedByte(0x0a))" == "expected '$', got '\\xa'")
        #expect("\(ProtocolError.unbalancedQuotes)" == "unbalanced quotes in request")
    }

    // MARK: Limits: at each, and one past it

    static func command(_ arguments: [String]) -> String {
        "*\(arguments.count)\r\n" + arguments.map { "$\($0.utf8.count)\r\n\($0)\r\n" }.joined()
    }

    @Test func argumentsUpToTheLimit() {
        let most = CommandParser.mostArguments
        let arguments = (0..<most).map { "a\($0)" }
        #expect(Reading(Self.command(arguments)).commands == [arguments])
        #expect(Reading(Self.command(arguments + ["x"])).error == .invalidArrayLength)
        #expect(Reading(arguments.joined(separator: " ") + "\r\n").commands == [arguments])
        #expect(Reading(arguments.joined(separator: " ") + " x\r\n").error == .tooManyArguments)
    }

    @Test func bulkStringsUpToTheLimit() {
        let longest = String(repeating: "x", count: 1 << 20)
        #expect(Reading(Self.command(["ECHO", longest])).commands.first?[1].utf8.count == 1 << 20)
        // Refused before a single byte of it has come.
        #expect(Reading("*2\r\n$4\r\nECHO\r\n$\((1 << 20) + 1)\r\n").error == .invalidBulkLength)
    }

    @Test func commandsUpToTheLimit() {
        let limits = ParserLimits(arguments: 64, bulk: 100, command: 60, inline: 100)
        // 4 + 10 + 5 + 39 + 2 bytes
        #expect(Reading(Self.command(["ECHO", String(repeating: "x", count: 39)]), limits: limits).commands.count == 1)
        #expect(Reading("*2\r\n$4\r\nECHO\r\n$40\r\n", limits: limits).error == .commandTooLong)
    }

    @Test func linesUpToTheLimit() {
        let limits = ParserLimits(arguments: 64, bulk: 100, command: 100, inline: 10)
        #expect(Reading("ECHO 1234\n", limits: limits).commands == [["ECHO", "1234"]])
        #expect(Reading("ECHO 12345\n", limits: limits).error == .inlineTooLong)
        #expect(Reading("ECHO 1234", limits: limits).error == nil)
        #expect(Reading("ECHO 12345", limits: limits).error == .inlineTooLong, "without waiting for the end")
    }

    @Test func lessIsPossibleBeforeAuthentication() {
        let hello = ["HELLO", "3", "AUTH", "default", "secret", "SETNAME", "n"]
        #expect(Reading(Self.command(hello), limits: .beforeAuthentication).commands == [hello])
        #expect(Reading("*11\r\n", limits: .beforeAuthentication).error == .notBeforeAuthentication)
        #expect(
            Reading("*2\r\n$4\r\nAUTH\r\n$16385\r\n", limits: .beforeAuthentication).error == .notBeforeAuthentication)
    }

    // MARK: In pieces

    /// A stream of valid commands of both kinds.
    static func stream(_ random: inout SplitMix64) -> [UInt8] {
        var stream: [UInt8] = []
        for _ in 0..<1 + random.below(6) {
            let count = random.below(7)
            let arguments = (0..<count).map { _ in
                (0..<random.below(12)).map { _ in UInt8(truncatingIfNeeded: random.next()) }
            }
            if random.below(3) == 0 {
                for _ in 0..<count {
                    stream +=
                        (0..<1 + random.below(5)).map { _ in UInt8(ascii: "a") + UInt8(random.below(26)) } + [0x20]
                }
                stream += random.below(2) == 0 ? [0x0d, 0x0a] : [0x0a]
            } else {
                stream += Array("*\(count)\r\n".utf8)
                for argument in arguments { stream += Array("$\(argument.count)\r\n".utf8) + argument + [0x0d, 0x0a] }
            }
        }
        return stream
    }

    static func cuts(_ stream: [UInt8], _ random: inout SplitMix64) -> [Int] {
        (0..<random.below(8)).map { _ in random.below(stream.count + 1) }.sorted()
    }

    @Test(arguments: 0..<20)
    func piecesMakeNoDifference(seed: UInt64) {
        var random = SplitMix64(seed: seed)
        for _ in 0..<100 {
            let stream = Self.stream(&random)
            let whole = Reading(stream)
            #expect(whole.error == nil && whole.left == 0, "seed \(seed)")
            #expect(Reading(stream, cuts: Array(0..<stream.count)) == whole, "byte by byte, seed \(seed)")
            #expect(Reading(stream, cuts: Self.cuts(stream, &random)) == whole, "seed \(seed)")
        }
    }

    @Test(arguments: 0..<20)
    func hostileBytesNeverTrap(seed: UInt64) {
        var random = SplitMix64(seed: seed)
        let alphabet = Array("*$-0123456789\r\n\r\n\"'\\x abPING".utf8)
        let limits = ParserLimits(arguments: 8, bulk: 64, command: 128, inline: 32)
        for _ in 0..<300 {
            var stream: [UInt8]
            if random.below(2) == 0 {
                stream = (0..<random.below(60)).map { _ in alphabet[random.below(alphabet.count)] }
            } else {
                stream = Self.stream(&random)
                for _ in 0..<1 + random.below(4) where !stream.isEmpty {
                    switch random.below(3) {
                    case 0: stream[random.below(stream.count)] = UInt8(truncatingIfNeeded: random.next())
                    case 1: stream.remove(at: random.below(stream.count))
                    default: stream.insert(alphabet[random.below(alphabet.count)], at: random.below(stream.count + 1))
                    }
                }
            }
            for limits in [limits, .standard] {
                let whole = Reading(stream, limits: limits)
                let pieces = Reading(stream, cuts: Self.cuts(stream, &random), limits: limits)
                #expect(whole.commands == pieces.commands, "seed \(seed): \(stream)")
                #expect(whole.error == pieces.error, "seed \(seed): \(stream)")
                // What waits for more is never longer than a command may be.
                if whole.error == nil { #expect(whole.left < limits.command) }
            }
        }
    }
}

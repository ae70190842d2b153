import Glibc

/// A reply of the Redis protocol.
indirect enum Reply: Equatable {
    case simple(String)
    case error(String)
    case integer(Int64)
    case bulk(String)
    case null
    case array([Reply])
    /// Only in version 3.
    case map([(Reply, Reply)])

    static func == (a: Reply, b: Reply) -> Bool { "\(a)" == "\(b)" }

    var integers: [Int64]? {
        guard case .array(let items) = self else { return nil }
        let numbers = items.compactMap { if case .integer(let n) = $0 { n } else { nil } }
        return numbers.count == items.count ? numbers : nil
    }

    var errorText: String? { if case .error(let text) = self { text } else { nil } }
}

/// Reads replies from bytes as they come.
struct ReplyParser {
    private var buffer: [UInt8] = []
    private var start = 0

    mutating func feed(_ bytes: some Collection<UInt8>) {
        if start > 65_536 {
            buffer.removeFirst(start)
            start = 0
        }
        buffer += bytes
    }

    /// The next reply, if all of it is there.
    mutating func next() throws -> Reply? {
        var position = start
        guard let reply = try parse(&position) else { return nil }
        start = position
        return reply
    }

    /// The next reply, for those who ask thousands a second: whether it is a `CL.THROTTLE` answer's "allowed", "limited", or any other
    /// reply, which is then `other`.
    mutating func nextVerdict() throws -> Verdict? {
        // "*5\r\n:0\r\n", and four more lines.
        let verdict: Verdict
        guard buffer.count - start >= 24, buffer[start] == UInt8(ascii: "*"), buffer[start + 1] == UInt8(ascii: "5"),
            buffer[start + 2] == 13, buffer[start + 4] == UInt8(ascii: ":"), buffer[start + 6] == 13
        else {
            return try next().map {
                $0.integers?.count == 5 ? ($0.integers![0] == 0 ? .allowed : .limited) : .other($0)
            }
        }
        verdict = buffer[start + 5] == UInt8(ascii: "0") ? .allowed : .limited
        var lines = 4
        var i = start + 8
        while i < buffer.count {
            if buffer[i] == 10 {
                lines -= 1
                if lines == 0 {
                    start = i + 1
                    return verdict
                }
            }
            i += 1
        }
        return nil
    }

    enum Verdict {
        case allowed
        case limited
        case other(Reply)
    }

    private func line(_ position: inout Int) -> String? {
        guard let end = buffer[position...].firstIndex(of: 13), end + 1 < buffer.count else { return nil }
        defer { position = end + 2 }
        return String(decoding: buffer[position..<end], as: UTF8.self)
    }

    private func parse(_ position: inout Int) throws -> Reply? {
        guard let line = line(&position) else { return nil }
        let text = String(line.dropFirst())
        func number() throws -> Int {
            guard let n = Int(text) else { throw HarnessError("'\(line)' is no reply: a number is missing") }
            return n
        }
        switch line.first {
        case "+": return .simple(text)
        case "-": return .error(text)
        case ":": return .integer(Int64(try number()))
        case "_": return .null
        case ",", "#", "(": return .simple(text)
        case "$", "=":
            let count = try number()
            guard count >= 0 else { return .null }
            guard position + count + 2 <= buffer.count else { return nil }
            defer { position += count + 2 }
            let bytes = buffer[position..<position + count]
            return .bulk(String(decoding: line.first == "=" ? bytes.dropFirst(4) : bytes, as: UTF8.self))
        case "*", "~", ">":
            let count = try number()
            guard count >= 0 else { return .null }
            var items: [Reply] = []
            for _ in 0..<count {
                guard let item = try parse(&position) else { return nil }
                items.append(item)
            }
            return .array(items)
        case "%":
            var pairs: [(Reply, Reply)] = []
            for _ in 0..<(try number()) {
                guard let key = try parse(&position), let value = try parse(&position) else { return nil }
                pairs.append((key, value))
            }
            return .map(pairs)
        default: throw HarnessError("'\(line)' is no reply of the Redis protocol")
        }
    }
}

/// A Redis client for one thread that asks one thing at a time.
final class RESPClient {
    let socket: Socket
    private var parser = ReplyParser()

    init(port: Int, timeout: Double = 10) throws { socket = try Socket(port: port, timeout: timeout) }

    func ask(_ words: String...) throws -> Reply { try ask(words) }

    func ask(_ words: [String]) throws -> Reply {
        try socket.write(RESPClient.command(words))
        return try reply()
    }

    func reply() throws -> Reply {
        while true {
            if let reply = try parser.next() { return reply }
            var bytes: [UInt8] = []
            guard try socket.read(into: &bytes) else { throw HarnessError("the node closed the connection") }
            parser.feed(bytes)
        }
    }

    static func command(_ words: [String]) -> [UInt8] {
        var text = "*\(words.count)\r\n"
        for word in words { text += "$\(word.utf8.count)\r\n\(word)\r\n" }
        return Array(text.utf8)
    }
}

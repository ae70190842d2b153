/// The commands that are understood.
public enum CommandName: UInt8, CaseIterable, Sendable {
    case throttle, acquire, ping, echo, hello, auth, quit, reset, command, client, info, select
    /// `POST` and `Host:`, the first words of a browser that was tricked into talking to us.
    case post, host

    /// As in error messages.
    public var text: String {
        switch self {
        case .throttle: "cl.throttle"
        case .acquire: "mr.acquire"
        case .ping: "ping"
        case .echo: "echo"
        case .hello: "hello"
        case .auth: "auth"
        case .quit: "quit"
        case .reset: "reset"
        case .command: "command"
        case .client: "client"
        case .info: "info"
        case .select: "select"
        case .post: "post"
        case .host: "host:"
        }
    }

    /// How many arguments it takes with its name; negative for "at least".
    public var arity: Int {
        switch self {
        case .throttle: -5
        case .acquire: -3
        case .ping, .hello, .quit, .reset, .command, .info, .post, .host: -1
        case .echo, .select: 2
        case .auth, .client: -2
        }
    }

    /// The command called `name`, in any case.
    public init?(_ name: UnsafeRawBufferPointer) {
        guard let word = Word(name) else { return nil }
        for (known, command) in CommandName.known where known == word {
            self = command
            return
        }
        return nil
    }

    /// The frequent ones come first.
    private static let known: [(Word, CommandName)] = CommandName.allCases.map { command in
        var text = command.text
        return text.withUTF8 { (Word(UnsafeRawBufferPointer($0))!, command) }
    }
}

/// A short word in small letters, in two machine words: compared without a loop.
struct Word: Equatable, BitwiseCopyable, Sendable {
    private var first: UInt64 = 0
    private var second: UInt64 = 0
    private let count: UInt8

    /// Nil for nothing and for words of more than 16 bytes.
    @inline(__always)
    init?(_ bytes: UnsafeRawBufferPointer) {
        let count = bytes.count
        guard count > 0, count <= 16 else { return nil }
        self.count = UInt8(truncatingIfNeeded: count)
        for i in 0..<min(8, count) { first = first << 8 | UInt64(Word.lowercased(bytes[i])) }
        for i in min(8, count)..<count { second = second << 8 | UInt64(Word.lowercased(bytes[i])) }
    }

    @inline(__always)
    private static func lowercased(_ byte: UInt8) -> UInt8 {
        byte &- UInt8(ascii: "A") < 26 ? byte | 0x20 : byte
    }
}

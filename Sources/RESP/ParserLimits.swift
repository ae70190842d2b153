/// How much of a command a parser takes; whatever is beyond is a ``ProtocolError``, noticed before its bytes have
/// arrived.
public struct ParserLimits: Equatable, Sendable {
    /// Arguments of a command, its name included: at most ``CommandParser/mostArguments``.
    public var arguments: Int
    /// Bytes of one bulk string.
    public var bulk: Int
    /// Bytes of a whole command on the wire.
    public var command: Int
    /// Bytes of an inline command, its end included.
    public var inline: Int
    /// Whether these are the limits of somebody who has not logged in, so that the error says so.
    public var isBeforeAuthentication: Bool

    public init(arguments: Int, bulk: Int, command: Int, inline: Int, isBeforeAuthentication: Bool = false) {
        precondition(arguments <= CommandParser.mostArguments, "at most \(CommandParser.mostArguments) arguments fit")
        precondition(command <= Int(UInt32.max) / 2, "offsets within a command have 32 bits")
        self.arguments = arguments
        self.bulk = bulk
        self.command = command
        self.inline = inline
        self.isBeforeAuthentication = isBeforeAuthentication
    }

    /// 1 MiB a bulk string, 2 MiB a command.
    public static let standard = ParserLimits(
        arguments: CommandParser.mostArguments, bulk: 1 << 20, command: 2 << 20, inline: 64 << 10)

    /// For connections that have not logged in although they must: enough for `HELLO` and `AUTH`.
    public static let beforeAuthentication = ParserLimits(
        arguments: 10, bulk: 16 << 10, command: 32 << 10, inline: 16 << 10, isBeforeAuthentication: true)
}

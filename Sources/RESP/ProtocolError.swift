/// How a client broke the protocol. What follows in its stream cannot be understood any more: answer and close, as
/// Redis does.
public enum ProtocolError: Error, Equatable, Sendable, CustomStringConvertible {
    /// An array's length is no number, or above the limit.
    case invalidArrayLength
    /// A bulk string's length is negative, no number, or above the limit.
    case invalidBulkLength
    /// An array's element does not start as a bulk string does.
    case unexpectedByte(UInt8)
    /// A bulk string does not end with CR LF where its length says so.
    case bulkNotTerminated
    /// An inline command without an end within the limit.
    case inlineTooLong
    /// An inline command with a quote that is not closed, or not followed by a space.
    case unbalancedQuotes
    /// An inline command with more arguments than the limit.
    case tooManyArguments
    /// A command whose arguments are longer altogether than the limit.
    case commandTooLong
    /// More or longer arguments than somebody who has not logged in may send.
    case notBeforeAuthentication

    /// As Redis words it, where Redis has words for it.
    public var description: String {
        switch self {
        case .invalidArrayLength: "invalid multibulk length"
        case .invalidBulkLength: "invalid bulk length"
        case .unexpectedByte(let byte): "expected '$', got '\(ProtocolError.printable(byte))'"
        case .bulkNotTerminated: "expected CRLF at the end of a bulk string"
        case .inlineTooLong: "too big inline request"
        case .unbalancedQuotes: "unbalanced quotes in request"
        case .tooManyArguments: "too many arguments in inline request"
        case .commandTooLong: "too big command"
        case .notBeforeAuthentication: "too big command before authentication"
        }
    }

    private static func printable(_ byte: UInt8) -> String {
        (0x20...0x7e).contains(byte) ? String(UnicodeScalar(byte)) : "\\x" + String(byte, radix: 16)
    }
}

/// Finds one command after the other in what a client sends: arrays of bulk strings, and lines of text ("inline
/// commands").
///
/// It copies nothing and allocates nothing for arrays: the arguments are places in the caller's bytes. It may be fed
/// in pieces: as long as the answer is ``Outcome/incomplete``, call again with the same bytes and more behind them;
/// what was understood already is not read again. Hostile bytes cost an error, never a trap, and never memory beyond
/// the limits.
public struct CommandParser: ~Copyable {
    /// What ``next(_:)`` found.
    public enum Outcome: Equatable, Sendable {
        /// A command that takes this many bytes; without any arguments it is to be ignored.
        case command(length: Int)
        /// The command has not arrived completely.
        case incomplete
        /// The stream is broken for good.
        case failed(ProtocolError)
    }

    /// Where an argument stands.
    @usableFromInline
    struct Place: BitwiseCopyable, Sendable {
        @usableFromInline var offset: UInt32
        @usableFromInline var length: UInt32
    }

    /// The most arguments of a command, its name included; no command that is understood has nearly as many.
    public static let mostArguments = 64

    public var limits: ParserLimits

    /// How many arguments the last command had, its name included.
    public internal(set) var argumentCount = 0

    /// ``mostArguments`` places, allocated once. Not an `InlineArray`: that would make the parser so large that a
    /// call which only reads it costs a copy of it.
    @usableFromInline let places: UnsafeMutablePointer<Place>
    /// Arguments still to come of an array that has begun; -1 before that.
    private var missing = -1
    /// How far the command has been understood, from its first byte.
    var position = 0
    /// The arguments of an inline command, without quotes and escapes; allocated with the first one.
    @usableFromInline var inlineArguments: UnsafeMutableRawBufferPointer?
    /// Whether the last command was an inline one.
    @usableFromInline var isInline = false

    public init(limits: ParserLimits = .standard) {
        self.limits = limits
        places = .allocate(capacity: CommandParser.mostArguments)
    }

    deinit {
        places.deallocate()
        inlineArguments?.deallocate()
    }

    /// The last command's argument at `index`; `bytes` are those in which it was found. Valid until the next call of
    /// ``next(_:)``, and as long as `bytes`.
    @inlinable @inline(__always)
    public func argument(_ index: Int, in bytes: UnsafeRawBufferPointer) -> UnsafeRawBufferPointer {
        precondition(index >= 0 && index < argumentCount, "argument \(index) of \(argumentCount)")
        let place = places[index]
        let source = isInline ? UnsafeRawBufferPointer(inlineArguments!) : bytes
        let (start, length) = (Int(place.offset), Int(place.length))
        precondition(start &+ length <= source.count, "these are not the bytes that the command was found in")
        return UnsafeRawBufferPointer(start: source.baseAddress.map { $0 + start }, count: length)
    }

    /// Looks for the command that begins at the first of `bytes`.
    public mutating func next(_ bytes: UnsafeRawBufferPointer) -> Outcome {
        guard let start = bytes.baseAddress, bytes.count > 0 else { return .incomplete }
        let base = start.assumingMemoryBound(to: UInt8.self)
        let count = bytes.count
        if missing < 0 {
            guard base[0] == UInt8(ascii: "*") else { return nextInline(bytes) }
            switch CommandParser.length(base, at: 1, count: count) {
            case .found(let value, let end):
                guard value <= limits.arguments else { return .failed(tooMany(or: .invalidArrayLength)) }
                isInline = false
                argumentCount = 0
                missing = max(0, value)
                position = end
            case .incomplete: return .incomplete
            case .invalid: return .failed(.invalidArrayLength)
            }
        }
        return nextArguments(base, count)
    }

    private mutating func nextArguments(_ base: UnsafePointer<UInt8>, _ count: Int) -> Outcome {
        var at = position
        while missing > 0 {
            guard at < count else { break }
            guard base[at] == UInt8(ascii: "$") else { return .failed(.unexpectedByte(base[at])) }
            switch CommandParser.length(base, at: at &+ 1, count: count) {
            case .found(let length, let start):
                guard length >= 0, length <= limits.bulk else { return .failed(tooMany(or: .invalidBulkLength)) }
                let end = start &+ length
                guard end &+ 2 <= limits.command else { return .failed(tooMany(or: .commandTooLong)) }
                guard end &+ 2 <= count else {
                    position = at
                    return .incomplete
                }
                guard base[end] == UInt8(ascii: "\r"), base[end &+ 1] == UInt8(ascii: "\n") else {
                    return .failed(.bulkNotTerminated)
                }
                appendArgument(offset: start, length: length)
                missing &-= 1
                at = end &+ 2
            case .incomplete:
                position = at
                return .incomplete
            case .invalid: return .failed(.invalidBulkLength)
            }
        }
        position = at
        guard missing == 0 else { return .incomplete }
        missing = -1
        position = 0
        return .command(length: at)
    }

    /// Notes the place of another argument; the limit on arguments has been checked.
    @inline(__always)
    mutating func appendArgument(offset: Int, length: Int) {
        places[argumentCount] = Place(
            offset: UInt32(truncatingIfNeeded: offset), length: UInt32(truncatingIfNeeded: length))
        argumentCount &+= 1
    }

    private func tooMany(or error: ProtocolError) -> ProtocolError {
        limits.isBeforeAuthentication ? .notBeforeAuthentication : error
    }

    private enum Length {
        case found(Int, end: Int)
        case incomplete
        case invalid
    }

    /// A decimal number with CR LF behind it. More than nine digits are beyond all limits.
    @inline(__always)
    private static func length(_ base: UnsafePointer<UInt8>, at start: Int, count: Int) -> Length {
        var at = start
        guard at < count else { return .incomplete }
        let isNegative = base[at] == UInt8(ascii: "-")
        if isNegative { at &+= 1 }
        let firstDigit = at
        var value = 0
        while true {
            guard at < count else { return .incomplete }
            let digit = base[at] &- UInt8(ascii: "0")
            guard digit <= 9 else { break }
            guard at &- firstDigit < 9 else { return .invalid }
            value = value &* 10 &+ Int(digit)
            at &+= 1
        }
        guard at > firstDigit, base[at] == UInt8(ascii: "\r") else { return .invalid }
        guard at &+ 1 < count else { return .incomplete }
        guard base[at &+ 1] == UInt8(ascii: "\n") else { return .invalid }
        return .found(isNegative ? 0 &- value : value, end: at &+ 2)
    }
}

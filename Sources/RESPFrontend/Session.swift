package import LimiterCore
package import RESP

/// One client's conversation as a value: bytes in; replies, and requests that the runtime must decide, out.
///
/// It does no I/O of its own; ``ConnectionHandler`` feeds it and sends what it says. A burst of commands is decided
/// in one go, with one reading of the clock, taken after the bytes had been read.
package struct Session: ~Copyable {
    /// What the client said of itself.
    struct Identity {
        var name = ""
        var libraryName = ""
        var libraryVersion = ""
    }

    /// The number of this connection in its event loop's books: the upper half of its requests' tokens.
    let number: UInt32
    /// The number that the client sees: unique in the server.
    let clientID: Int
    let peer: String
    let options: RESPServer.Options
    let path: DecisionPath
    let totals: SharedCounts

    var parser = CommandParser()
    /// What can be sent now.
    package var output = ReplyBuffer()
    /// What cannot be sent yet.
    var replies: ReplyQueue
    /// What the runtime must be asked; whoever sends the session's output takes it from here, too.
    package var requests: [PendingRequest] = []
    package var counts = LocalCounts()
    var identity = Identity()
    var isAuthenticated: Bool
    /// Set once nothing more is to be read from this client; when all replies are out, the connection is to be
    /// closed.
    package private(set) var isEnding = false

    var limits = LimitCache()
    private(set) var directory: RuleDirectory?
    private var generation = -1
    /// Read when the first request of a burst needs it.
    var burstClock: ClockTime?

    package init(
        number: UInt32, clientID: Int, peer: String, options: RESPServer.Options, path: DecisionPath,
        totals: SharedCounts
    ) {
        self.number = number
        self.clientID = clientID
        self.peer = peer
        self.options = options
        self.path = path
        self.totals = totals
        replies = ReplyQueue(capacity: options.mostWaiting)
        isAuthenticated = options.password == nil
        if !isAuthenticated { parser.limits = .beforeAuthentication }
    }

    // MARK: Events

    /// Whether too much is waiting to take more commands.
    package var isBlocked: Bool { replies.isFull || output.count + replies.heldBytes >= options.mostOutput }

    /// Whether there is nothing left to wait for.
    package var isSettled: Bool { replies.isEmpty && requests.isEmpty }

    /// Takes commands from the front of `bytes` until there is none left, or until it is blocked. Returns how many
    /// bytes were taken; the rest is to be offered again, with more behind it.
    package mutating func consume(_ bytes: UnsafeRawBufferPointer) -> Int {
        burstClock = nil
        // The generation first: a newer directory under an older number is only loaded once more.
        let current = path.generation
        if current != generation {
            generation = current
            directory = path.directory
        }
        var taken = 0
        while !isEnding, !isBlocked {
            let rest = UnsafeRawBufferPointer(rebasing: bytes[taken...])
            switch parser.next(rest) {
            case .command(let length):
                if parser.argumentCount > 0 { execute(rest) }
                taken += length
            case .incomplete: return taken
            case .failed(let error):
                counts.add(.protocolErrors)
                reply { $0.error("ERR Protocol error: \(error)") }
                isEnding = true
            }
        }
        return isEnding ? bytes.count : taken
    }

    /// Takes in what the runtime decided. Returns the nanoseconds after which ``due(_:)`` is to be called for an
    /// admission whose turn has not come; 0 for "it is complete".
    package mutating func decided(_ number: UInt32, _ decision: Decision) -> Int64 {
        count(decision)
        let dueIn = decision.isAllowed ? max(0, decision.dueIn) : 0
        var errorReply: [UInt8] = []
        if decision.outcome == .unavailable {
            let mark = output.count
            output.error(decision.cause.errorText)
            errorReply = output.cut(from: mark)
        }
        replies.update(number) { slot in
            guard case .waiting(let neverPasses) = slot else {
                preconditionFailure("the runtime decided the request \(number) of a connection twice")
            }
            if decision.outcome == .unavailable { return .bytes(errorReply) }
            var reply = ThrottleReply(decision)
            if neverPasses {
                reply.isLimited = true
                reply.retryAfter = -1
                return .throttle(reply)
            }
            return dueIn > 0 ? .notDue(reply) : .throttle(reply)
        }
        return dueIn
    }

    /// An admission's turn has come.
    package mutating func due(_ number: UInt32) {
        replies.update(number) { slot in
            guard case .notDue(let reply) = slot else {
                preconditionFailure("the reply \(number) was not waiting for its turn")
            }
            return .throttle(reply)
        }
    }

    /// Moves what has become complete into ``output``.
    package mutating func settle() { replies.drain(into: &output) }

    /// Reads no more; what was asked is still answered.
    package mutating func end() { isEnding = true }

    // MARK: Commands

    private mutating func execute(_ bytes: UnsafeRawBufferPointer) {
        counts.add(.commands)
        let name = parser.argument(0, in: bytes)
        guard let command = CommandName(name) else {
            counts.add(.unknownCommands)
            let text = unknownCommandText(name, bytes)
            return reply { $0.error(text) }
        }
        let arity = command.arity
        guard arity >= 0 ? parser.argumentCount == arity : parser.argumentCount >= 0 &- arity else {
            return refuse(.badArguments, wrongNumberText(command))
        }
        guard isAuthenticated || command == .auth || command == .hello || command == .quit || command == .reset else {
            return refuse(.notAuthenticated, "NOAUTH Authentication required.")
        }
        switch command {
        case .throttle: throttle(bytes)
        case .acquire: acquire(bytes)
        default:
            let mark = output.count
            other(command, bytes)
            // It was written straight to the output: if it has to queue, take it out again.
            if !replies.isEmpty, output.count > mark { replies.append(.bytes(output.cut(from: mark))) }
        }
    }

    /// Answers in turn.
    private mutating func reply(_ write: (inout ReplyBuffer) -> Void) {
        let mark = output.count
        write(&output)
        if !replies.isEmpty { replies.append(.bytes(output.cut(from: mark))) }
    }

    mutating func refuse(_ counter: RESPCounter, _ text: String) {
        counts.add(counter)
        reply { $0.error(text) }
    }

    func wrongNumberText(_ command: CommandName) -> String {
        command == .throttle
            ? "ERR Usage: cl.throttle <key> <max_burst> <count per period> <period> [<quantity>]"
            : "ERR wrong number of arguments for '\(command.text)' command"
    }

    private func unknownCommandText(_ name: UnsafeRawBufferPointer, _ bytes: UnsafeRawBufferPointer) -> String {
        var text = "ERR unknown command '\(Session.text(name))', with args beginning with: "
        for i in 1..<max(1, parser.argumentCount) where text.utf8.count < 256 {
            text += "'\(Session.text(parser.argument(i, in: bytes)))' "
        }
        return text
    }

    /// What a client sent, as text for people: not more than they want to read.
    static func text(_ bytes: UnsafeRawBufferPointer) -> String { String(decoding: bytes.prefix(128), as: UTF8.self) }
}

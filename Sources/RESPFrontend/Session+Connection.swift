import RESP

/// The commands with which stock clients say hello; their answers are those of Redis 7.
extension Session {
    /// Writes the answer to any command that is no request for tokens.
    mutating func other(_ command: CommandName, _ bytes: UnsafeRawBufferPointer) {
        switch command {
        case .throttle, .acquire: preconditionFailure("requests for tokens are no housekeeping")
        case .ping: ping(bytes)
        case .echo: output.bulk(parser.argument(1, in: bytes))
        case .hello: hello(bytes)
        case .auth: auth(bytes)
        case .quit:
            output.simple("OK")
            end()
        case .reset: reset()
        case .command: describeCommands(bytes)
        case .client: client(bytes)
        case .info: info(bytes)
        case .select: select(bytes)
        case .post, .host:
            // A browser that a web page has tricked into talking to us: nothing that follows is meant as a command.
            counts.add(.protocolErrors)
            end()
        }
    }

    mutating func fail(_ text: String, _ counter: RESPCounter = .badArguments) {
        counts.add(counter)
        output.error(text)
    }

    private func argument(_ index: Int, _ bytes: UnsafeRawBufferPointer) -> String {
        String(decoding: parser.argument(index, in: bytes), as: UTF8.self)
    }

    private mutating func ping(_ bytes: UnsafeRawBufferPointer) {
        switch parser.argumentCount {
        case 1: output.simple("PONG")
        case 2: output.bulk(parser.argument(1, in: bytes))
        default: fail(wrongNumberText(.ping))
        }
    }

    private mutating func select(_ bytes: UnsafeRawBufferPointer) {
        switch Decimal.parse(parser.argument(1, in: bytes)) {
        case 0: output.simple("OK")
        case nil: fail("ERR value is not an integer or out of range")
        default: fail("ERR DB index is out of range")
        }
    }

    private mutating func reset() {
        identity = Identity()
        output.version = .resp2
        setAuthenticated(options.password == nil)
        output.simple("RESET")
    }

    // MARK: Logging in

    private mutating func setAuthenticated(_ isAuthenticated: Bool) {
        self.isAuthenticated = isAuthenticated
        parser.limits = isAuthenticated ? .standard : .beforeAuthentication
    }

    /// `AUTH [username] password`
    private mutating func auth(_ bytes: UnsafeRawBufferPointer) {
        switch parser.argumentCount {
        case 2:
            guard options.password != nil else {
                return fail(
                    "ERR AUTH <password> called without any password configured for the default user. Are you sure "
                        + "your configuration is correct?")
            }
            if logIn(user: nil, password: 1, bytes) { output.simple("OK") }
        case 3: if logIn(user: 1, password: 2, bytes) { output.simple("OK") }
        default: fail("ERR syntax error")
        }
    }

    /// Compares user and password, given as places of arguments; answers only if they are wrong.
    private mutating func logIn(user: Int?, password: Int, _ bytes: UnsafeRawBufferPointer) -> Bool {
        let isDefaultUser = user.map { argument($0, bytes) == "default" } ?? true
        let given = parser.argument(password, in: bytes)
        guard isDefaultUser, options.password.map({ Session.isSame($0, given) }) ?? true else {
            fail("WRONGPASS invalid username-password pair or user is disabled.", .notAuthenticated)
            return false
        }
        setAuthenticated(true)
        return true
    }

    /// Compares all bytes whatever they are, so that the time taken does not tell how many were right.
    private static func isSame(_ password: String, _ given: UnsafeRawBufferPointer) -> Bool {
        let expected = Array(password.utf8)
        var difference = expected.count ^ given.count
        for i in given.indices { difference |= Int(given[i] ^ (expected.isEmpty ? 1 : expected[i % expected.count])) }
        return difference == 0
    }

    /// `HELLO [protover [AUTH username password] [SETNAME clientname]]`
    private mutating func hello(_ bytes: UnsafeRawBufferPointer) {
        var version = output.version
        var name: String?
        var credentials: Int?
        if parser.argumentCount > 1 {
            guard let number = Decimal.parse(parser.argument(1, in: bytes)) else {
                return fail("ERR Protocol version is not an integer or out of range")
            }
            guard let wanted = ProtocolVersion(rawValue: number) else {
                return fail("NOPROTO unsupported protocol version")
            }
            version = wanted
        }
        var at = 2
        while at < parser.argumentCount {
            let option = argument(at, bytes)
            let left = parser.argumentCount - at - 1
            if option.lowercased() == "auth", left >= 2 {
                credentials = at + 1
                at += 3
            } else if option.lowercased() == "setname", left >= 1 {
                name = argument(at + 1, bytes)
                guard Session.isName(name!) else { return fail(Session.badNameText("Client names")) }
                at += 2
            } else {
                return fail("ERR Syntax error in HELLO option '\(Session.text(parser.argument(at, in: bytes)))'")
            }
        }
        if let credentials {
            guard logIn(user: credentials, password: credentials + 1, bytes) else { return }
        }
        guard isAuthenticated else {
            return fail(
                "NOAUTH HELLO must be called with the client already authenticated, otherwise the HELLO <proto> AUTH "
                    + "<user> <pass> option can be used to authenticate the client and select the RESP protocol "
                    + "version at the same time",
                .notAuthenticated)
        }
        if let name { identity.name = name }
        output.version = version
        output.map(count: 7)
        output.bulk("server")
        output.bulk("millrace")
        output.bulk("version")
        output.bulk(options.version)
        output.bulk("proto")
        output.integer(version.rawValue)
        output.bulk("id")
        output.integer(Int64(clientID))
        output.bulk("mode")
        output.bulk("standalone")
        output.bulk("role")
        output.bulk("master")
        output.bulk("modules")
        output.array(count: 0)
    }

    // MARK: CLIENT

    /// The longest name of a client or of its library, in bytes.
    private static let longestName = 1024

    private static func isName(_ name: String) -> Bool {
        name.utf8.count <= longestName && name.utf8.allSatisfy { (0x21...0x7e).contains($0) }
    }

    private static func badNameText(_ what: String) -> String {
        "ERR \(what) cannot contain spaces, newlines or special characters."
    }

    private mutating func client(_ bytes: UnsafeRawBufferPointer) {
        let given = argument(1, bytes)
        let subcommand = given.lowercased()
        let wanted: Int? =
            switch subcommand {
            case "setinfo": 4
            case "setname": 3
            case "getname", "id", "info": 2
            default: nil
            }
        guard let wanted else {
            return fail(
                "ERR unknown subcommand '\(Session.text(parser.argument(1, in: bytes)))'. Try CLIENT HELP.",
                .unknownCommands)
        }
        guard parser.argumentCount == wanted else {
            return fail("ERR wrong number of arguments for 'client|\(subcommand)' command")
        }
        switch subcommand {
        case "setinfo": setInfo(bytes)
        case "setname":
            let name = argument(2, bytes)
            guard Session.isName(name) else { return fail(Session.badNameText("Client names")) }
            identity.name = name
            output.simple("OK")
        case "getname": if identity.name.isEmpty { output.null() } else { output.bulk(identity.name) }
        case "id": output.integer(Int64(clientID))
        default:
            output.verbatim(
                "id=\(clientID) addr=\(peer) name=\(identity.name) db=0 resp=\(output.version.rawValue) user=default "
                    + "lib-name=\(identity.libraryName) lib-ver=\(identity.libraryVersion)\n")
        }
    }

    private mutating func setInfo(_ bytes: UnsafeRawBufferPointer) {
        let attribute = argument(2, bytes).lowercased()
        let value = argument(3, bytes)
        guard attribute == "lib-name" || attribute == "lib-ver" else {
            return fail("ERR Unrecognized option '\(Session.text(parser.argument(2, in: bytes)))'")
        }
        guard Session.isName(value) else { return fail(Session.badNameText(attribute)) }
        if attribute == "lib-name" { identity.libraryName = value } else { identity.libraryVersion = value }
        output.simple("OK")
    }
}

import RESP
import RESPFrontend
import Testing

/// The commands with which stock clients begin; the texts are those of Redis 7.
@Suite struct HousekeepingTests {
    static func protected() throws -> Conversation {
        var options = RESPServer.Options()
        options.password = "s3cret"
        return Conversation(try TestNode(), options)
    }

    @Test(arguments: [
        ("PING", "+PONG"), ("ping \"a b\"", "$3|a b"),
        ("PING a b", "-ERR wrong number of arguments for 'ping' command"),
        ("ECHO x", "$1|x"), ("ECHO", "-ERR wrong number of arguments for 'echo' command"),
        ("SELECT 0", "+OK"), ("SELECT 1", "-ERR DB index is out of range"),
        ("SELECT x", "-ERR value is not an integer or out of range"),
        ("GET a b", "-ERR unknown command 'GET', with args beginning with: 'a' 'b' "),
        ("CLIENT ID", ":1"), ("CLIENT GETNAME", "$-1"),
        ("CLIENT SETNAME", "-ERR wrong number of arguments for 'client|setname' command"),
        ("CLIENT SETNAME \"a b\"", "-ERR Client names cannot contain spaces, newlines or special characters."),
        ("CLIENT SETINFO LIB-NAME x", "+OK"), ("CLIENT SETINFO LIB-VER 1.0", "+OK"),
        ("CLIENT SETINFO LIB-NAME \"x y\"", "-ERR lib-name cannot contain spaces, newlines or special characters."),
        ("CLIENT SETINFO other x", "-ERR Unrecognized option 'other'"),
        ("CLIENT LIST", "-ERR unknown subcommand 'LIST'. Try CLIENT HELP."),
        ("COMMAND COUNT", ":12"), ("COMMAND DOCS", "*0"), ("COMMAND INFO nope", "*1|$-1"),
        ("COMMAND INFO ping", "*1|*10|$4|ping|:-1|*1|+fast|:0|:0|:0|*0|*0|*0|*0"),
        ("COMMAND NOPE", "-ERR unknown subcommand 'NOPE'. Try COMMAND HELP."),
        ("RESET", "+RESET"), ("HELLO 4", "-NOPROTO unsupported protocol version"),
        ("HELLO x", "-ERR Protocol version is not an integer or out of range"),
        ("HELLO 3 NOPE", "-ERR Syntax error in HELLO option 'NOPE'"),
        ("AUTH a b c", "-ERR syntax error"), ("AUTH default x", "+OK"),
        ("AUTH other x", "-WRONGPASS invalid username-password pair or user is disabled."),
        (
            "AUTH x",
            "-ERR AUTH <password> called without any password configured for the default user. Are you sure your "
                + "configuration is correct?"
        ),
    ])
    func answers(command: String, answer: String) throws {
        var conversation = Conversation(try TestNode())
        #expect(conversation.send(command) == answer)
    }

    @Test func helloChoosesTheDialect() throws {
        var conversation = Conversation(try TestNode())
        let fields =
            "$6|server|$8|millrace|$7|version|$5|0.1.0|$5|proto|:%|$2|id|:1|$4|mode|$10|standalone|$4|role|$6|master"
            + "|$7|modules|*0"
        func hello(_ head: String, _ proto: Int) -> String {
            head + "|" + fields.split(separator: "%").joined(separator: "\(proto)")
        }
        #expect(conversation.send("HELLO") == hello("*14", 2))
        #expect(conversation.send("HELLO 3 SETNAME me") == hello("%7", 3))
        #expect(conversation.send("CLIENT GETNAME") == "$2|me")
        #expect(conversation.send("HELLO") == hello("%7", 3), "without a number it stays as it is")
        #expect(conversation.send("COMMAND INFO nope") == "*1|_")
        #expect(conversation.send("RESET\nCLIENT GETNAME") == "+RESET|$-1")
        #expect(conversation.send("HELLO 2") == hello("*14", 2))
    }

    @Test func aPasswordIsAskedFor() throws {
        var conversation = try Self.protected()
        #expect(conversation.send("PING") == "-NOAUTH Authentication required.")
        #expect(conversation.send("CL.THROTTLE a 1 1 1") == "-NOAUTH Authentication required.")
        #expect(
            conversation.send("HELLO 3").hasPrefix("-NOAUTH HELLO must be called with the client already authenticated")
        )
        for wrong in [
            "AUTH wrong", "AUTH s3cre", "AUTH s3crets", "AUTH \"\"", "AUTH other s3cret", "HELLO 3 AUTH default wrong",
        ] {
            #expect(conversation.send(wrong) == "-WRONGPASS invalid username-password pair or user is disabled.")
        }
        #expect(conversation.session.counts[.notAuthenticated] == 9)
        #expect(conversation.send("AUTH s3cret\nPING") == "+OK|+PONG")
        #expect(conversation.send("RESET\nPING") == "+RESET|-NOAUTH Authentication required.")
        #expect(conversation.send("AUTH default s3cret\nPING") == "+OK|+PONG")
    }

    @Test func helloMayBringThePassword() throws {
        var conversation = try Self.protected()
        #expect(conversation.send("HELLO 3 AUTH default s3cret").hasPrefix("%7|"))
        #expect(conversation.send("PING") == "+PONG")
    }

    @Test func strangersCannotMakeUsKeepMuch() throws {
        var conversation = try Self.protected()
        #expect(
            conversation.send("*2\n$4\nAUTH\n$16385") == "-ERR Protocol error: too big command before authentication")
        #expect(conversation.session.isEnding == true)
        var other = try Self.protected()
        #expect(other.send("AUTH s3cret\n*2\n$4\nECHO\n$20\n01234567890123456789") == "+OK|$20|01234567890123456789")
    }

    @Test func browsersAreHungUpOn() throws {
        var conversation = Conversation(try TestNode())
        #expect(conversation.send("POST / HTTP/1.1\nHost: x\nPING") == "")
        #expect(conversation.session.isEnding == true)
    }

    @Test func infoTellsWhatIsTrue() throws {
        var conversation = Conversation(try TestNode())
        _ = conversation.send("PING")
        conversation.totals.take(&conversation.session.counts)
        let info = conversation.send("INFO")
        for line in [
            "# Server", "server_name:millrace", "maxclients:10000", "commands:1", "decided_here:0", "cluster_formed:1",
            "rules:3",
        ] {
            #expect(info.split(separator: "|").contains(Substring(line)), "\(line) in \(info)")
        }
        #expect(conversation.send("INFO millrace") == "$39|# Millrace|cluster_formed:1|rules:3|")
        #expect(conversation.send("INFO nothing") == "$0|")
    }
}

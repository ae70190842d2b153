import LimiterCore
import RESP

/// What the server says of itself.
extension Session {
    /// `INFO [section ...]`
    mutating func info(_ bytes: UnsafeRawBufferPointer) {
        var wanted: Set<String> = []
        for i in 1..<max(1, parser.argumentCount) {
            wanted.insert(String(decoding: parser.argument(i, in: bytes), as: UTF8.self).lowercased())
        }
        let isAll = wanted.isEmpty || !wanted.isDisjoint(with: ["all", "default", "everything"])
        let statistics = totals.snapshot
        var sections: [(name: String, lines: [String])] = []
        sections.append(
            ("Server", ["server_name:millrace", "millrace_version:\(options.version)", "tcp_port:\(options.port)"]))
        sections.append(
            (
                "Clients",
                ["connected_clients:\(statistics[.openConnections])", "maxclients:\(options.mostConnections)"]
            ))
        sections.append(("Stats", RESPCounter.allCases.map { "\($0.name):\(statistics[$0])" }))
        sections.append(
            (
                "Millrace",
                ["cluster_formed:\(directory == nil ? 0 : 1)", "rules:\(directory?.rules.count ?? 0)"]
            ))
        var text = ""
        for section in sections where isAll || wanted.contains(section.name.lowercased()) {
            if !text.isEmpty { text += "\r\n" }
            text += "# \(section.name)\r\n"
            for line in section.lines { text += line + "\r\n" }
        }
        output.verbatim(text)
    }

    /// `COMMAND [COUNT | LIST | DOCS [name ...] | INFO [name ...]]`
    mutating func describeCommands(_ bytes: UnsafeRawBufferPointer) {
        let commands = CommandName.allCases.filter { $0 != .post && $0 != .host }
        guard parser.argumentCount > 1 else {
            output.array(count: commands.count)
            for command in commands { describe(command) }
            return
        }
        let subcommand = String(decoding: parser.argument(1, in: bytes), as: UTF8.self).lowercased()
        switch subcommand {
        case "count": output.integer(Int64(commands.count))
        case "list":
            output.array(count: commands.count)
            for command in commands { output.bulk(command.text) }
        // There is nothing to say: clients use it for hints to people only.
        case "docs": output.map(count: 0)
        case "info":
            let named = parser.argumentCount - 2
            output.array(count: named == 0 ? commands.count : named)
            if named == 0 { for command in commands { describe(command) } }
            for i in 0..<named {
                if let command = CommandName(parser.argument(i + 2, in: bytes)), commands.contains(command) {
                    describe(command)
                } else {
                    output.null()
                }
            }
        default:
            fail(
                "ERR unknown subcommand '\(Session.text(parser.argument(1, in: bytes)))'. Try COMMAND HELP.",
                .unknownCommands)
        }
    }

    /// Name, arity, flags, first and last key with the step between them, and four lists that are empty.
    private mutating func describe(_ command: CommandName) {
        let key: Int64 =
            switch command {
            case .throttle: 1
            case .acquire: 2
            default: 0
            }
        output.array(count: 10)
        output.bulk(command.text)
        output.integer(Int64(command.arity))
        if key > 0 {
            output.array(count: 2)
            output.simple("write")
        } else {
            output.array(count: 1)
        }
        output.simple("fast")
        output.integer(key)
        output.integer(key)
        output.integer(key > 0 ? 1 : 0)
        for _ in 0..<4 { output.array(count: 0) }
    }
}

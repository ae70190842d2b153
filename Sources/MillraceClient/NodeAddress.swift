import Glibc

/// Where a node listens for peers and clients.
struct NodeAddress: Hashable, Sendable, CustomStringConvertible {
    var host: String
    var port: Int

    init(host: String, port: Int) {
        self.host = host
        self.port = port
    }

    /// `HOST:PORT`, `[IPV6]:PORT`.
    init(_ text: String) throws(MillraceClientError) {
        guard let colon = text.lastIndex(of: ":"), let port = Int(text[text.index(after: colon)...]),
            (1...65_535).contains(port), colon != text.startIndex
        else {
            throw MillraceClientError(
                .invalidConfiguration, "'\(text)' is no address: write HOST:PORT, such as 127.0.0.1:7101")
        }
        var host = String(text[..<colon])
        if host.hasPrefix("["), host.hasSuffix("]") { host = String(host.dropFirst().dropLast()) }
        self.init(host: host, port: port)
    }

    var description: String { host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)" }
}

extension MillraceClient.Configuration.Nodes {
    /// The most addresses that are kept of a name or a file.
    static let mostAddresses = 256
    /// The longest file with addresses, in bytes.
    private static let mostBytes = 64 << 10

    /// The addresses as of now. Blocks: a name is looked up, a file is read.
    func addresses() throws(MillraceClientError) -> [NodeAddress] {
        switch self {
        case .list(let list):
            var addresses: [NodeAddress] = []
            for text in list { addresses += try Self.lookUp(try NodeAddress(text)) }
            return Array(addresses.prefix(Self.mostAddresses))
        case .dns(let name, let port):
            return try Self.lookUp(name, port: port)
        case .file(let path):
            var addresses: [NodeAddress] = []
            for address in try Self.read(path) { addresses += try Self.lookUp(address) }
            return Array(addresses.prefix(Self.mostAddresses))
        }
    }

    private static func lookUp(_ address: NodeAddress) throws(MillraceClientError) -> [NodeAddress] {
        try lookUp(address.host, port: address.port)
    }

    private static func lookUp(_ name: String, port: Int) throws(MillraceClientError) -> [NodeAddress] {
        var hints = addrinfo()
        hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        var list: UnsafeMutablePointer<addrinfo>?
        let status = getaddrinfo(name, "\(port)", &hints, &list)
        guard status == 0 else {
            throw MillraceClientError(
                .notConnected, "the name '\(name)' cannot be looked up: \(String(cString: gai_strerror(status)))")
        }
        defer { freeaddrinfo(list) }
        var found: [NodeAddress] = []
        var next = list
        while let entry = next, found.count < mostAddresses {
            var host = [CChar](repeating: 0, count: Int(NI_MAXHOST))
            if getnameinfo(
                entry.pointee.ai_addr, entry.pointee.ai_addrlen, &host, socklen_t(host.count), nil, 0, NI_NUMERICHOST)
                == 0
            {
                let text = String(decoding: host.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
                let address = NodeAddress(host: text, port: port)
                if !found.contains(address) { found.append(address) }
            }
            next = entry.pointee.ai_next
        }
        return found
    }

    private static func read(_ path: String) throws(MillraceClientError) -> [NodeAddress] {
        guard let file = fopen(path, "r") else {
            throw MillraceClientError(
                .notConnected, "the file with the nodes '\(path)' cannot be read: \(String(cString: strerror(errno)))")
        }
        defer { fclose(file) }
        var bytes = [UInt8](repeating: 0, count: mostBytes)
        let count = fread(&bytes, 1, bytes.count, file)
        var found: [NodeAddress] = []
        for line in String(decoding: bytes[..<count], as: UTF8.self).split(separator: "\n").prefix(mostAddresses) {
            let text = line.prefix { $0 != "#" }.filter { !$0.isWhitespace }
            if !text.isEmpty { found.append(try NodeAddress(String(text))) }
        }
        guard !found.isEmpty else {
            throw MillraceClientError(
                .notConnected, "the file with the nodes '\(path)' names none: write one HOST:PORT a line")
        }
        return found
    }
}

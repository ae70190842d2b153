/// Where something listens: a host and a port.
public struct Address: Hashable, Sendable, CustomStringConvertible {
    public var host: String
    public var port: Int

    public init(host: String, port: Int) {
        self.host = host
        self.port = port
    }

    /// `HOST:PORT`, `[IPV6]:PORT`.
    public init(_ text: String) throws(StartFailure) {
        guard let colon = text.lastIndex(of: ":"), let port = Int(text[text.index(after: colon)...]),
            (0...65_535).contains(port)
        else { throw StartFailure(.configuration, "'\(text)' is no address: write HOST:PORT, such as 127.0.0.1:8081") }
        var host = String(text[..<colon])
        if host.hasPrefix("["), host.hasSuffix("]") {
            host = String(host.dropFirst().dropLast())
        } else if host.contains(":") {
            throw StartFailure(.configuration, "'\(text)' is no address: write an IPv6 address as [ADDRESS]:PORT")
        }
        guard !host.isEmpty else {
            throw StartFailure(.configuration, "'\(text)' names no host: write HOST:PORT, such as 127.0.0.1:\(port)")
        }
        self.init(host: host, port: port)
    }

    public var description: String { host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)" }

    /// Whether only processes of this machine can reach it.
    public var isLoopback: Bool { host == "localhost" || host == "::1" || host.hasPrefix("127.") }
}

/// A member of the cluster and where it listens for the others.
public struct Member: Hashable, Sendable, CustomStringConvertible {
    public var id: UInt32
    public var address: Address

    public init(id: UInt32, address: Address) {
        self.id = id
        self.address = address
    }

    public var description: String { "\(id)=\(address)" }

    /// The most members; Raft needs a majority of them for each commit, so more only makes it slower.
    public static let mostMembers = 7

    /// `1=HOST:PORT,2=HOST:PORT,…`, sorted by number.
    public static func parse(list text: String) throws(StartFailure) -> [Member] {
        var members: [Member] = []
        for part in text.split(separator: ",", omittingEmptySubsequences: false) {
            let sides = part.split(separator: "=", maxSplits: 1)
            guard sides.count == 2, let id = UInt32(sides[0]), id > 0 else {
                throw StartFailure(
                    .configuration,
                    "'\(part)' is no member: write NUMBER=HOST:PORT with a number from 1, as in 1=127.0.0.1:7101")
            }
            members.append(Member(id: id, address: try Address(String(sides[1]))))
        }
        for (i, member) in members.enumerated() {
            if members[..<i].contains(where: { $0.id == member.id }) {
                throw StartFailure(.configuration, "node \(member.id) is named twice in --cluster: each number once")
            }
            if members[..<i].contains(where: { $0.address == member.address }) {
                throw StartFailure(.configuration, "two nodes share the address \(member.address): each needs its own")
            }
        }
        guard members.count <= mostMembers else {
            throw StartFailure(
                .configuration, "\(members.count) members: at most \(mostMembers) are possible, three or five are usual"
            )
        }
        return members.sorted { $0.id < $1.id }
    }
}

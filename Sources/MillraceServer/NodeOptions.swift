import Coordination

/// Everything that one node is told from outside.
public struct NodeOptions: Sendable {
    public var node: UInt32
    public var members: [Member]
    public var dataFolder: String
    public var http: Address?
    public var resp: Address?
    /// What RESP clients must send with AUTH.
    public var respPassword: String?
    /// What HTTP clients must send as a bearer token.
    public var token: String?
    /// A rules file that is applied once the cluster exists, if it has no rules yet.
    public var rulesFile: String?
    /// Permits front doors on other addresses than loopback without TLS.
    public var isInsecure = false
    /// All of the cluster's times in percent of their defaults: 100 is normal, 300 suits a network across continents.
    public var timescale: Int64 = 100
    /// Where to note each admission; for tests.
    public var decisionLog: String?
    /// How many buckets with allowances this node's table holds.
    public var allowanceCapacity = 262_144
    /// How many embedded clients may be connected to this node.
    public var mostClients = Lender.mostClients

    public init(node: UInt32, members: [Member], dataFolder: String) {
        self.node = node
        self.members = members
        self.dataFolder = dataFolder
    }

    /// Throws what is wrong with the options, before anything is started.
    public func check() throws(StartFailure) {
        guard members.contains(where: { $0.id == node }) else {
            throw StartFailure(
                .configuration,
                "node \(node) is not among the members \(members.map(\.description).joined(separator: ",")): "
                    + "give --node one of their numbers, or add it to --cluster on every node")
        }
        guard (20...10_000).contains(timescale) else {
            throw StartFailure(.configuration, "the timescale must be from 20 to 10000 percent, not \(timescale)")
        }
        for (door, address, flag) in [("HTTP", http, "--http"), ("RESP", resp, "--resp")] {
            guard let address, !address.isLoopback, !isInsecure else { continue }
            throw StartFailure(
                .configuration,
                "the \(door) front door would listen on \(address) without TLS, where anybody could read and send: "
                    + "choose a loopback address for \(flag), or say --insecure if the network itself is trusted")
        }
        for member in members where !member.address.isLoopback && !isInsecure {
            throw StartFailure(
                .configuration,
                "the members talk over \(member.address) without TLS: say --insecure if the network between them is trusted"
            )
        }
    }
}

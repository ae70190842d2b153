/// Whose data a folder holds. A folder is never used for another node or another cluster: that would lend one node's
/// votes to another.
public struct DataIdentity: Equatable, Sendable {
    /// The node's number.
    public var node: UInt32
    /// Which cluster, in any words that stay the same for as long as the cluster lives.
    public var cluster: String

    public init(node: UInt32, cluster: String) {
        self.node = node
        self.cluster = cluster
    }
}

/// The folder belongs to somebody else.
public struct IdentityMismatch: Error, Equatable, Sendable, CustomStringConvertible {
    /// What the caller asked for.
    public var expected: DataIdentity
    /// What the folder says.
    public var found: DataIdentity

    public init(expected: DataIdentity, found: DataIdentity) {
        self.expected = expected
        self.found = found
    }

    public var description: String {
        if expected.node != found.node {
            return """
                The data folder belongs to node \(found.node), but this is node \(expected.node). \
                Give each node its own data folder, or start this one with the number it had.
                """
        }
        return """
            The data folder belongs to the cluster "\(found.cluster)", but this node is configured for the cluster \
            "\(expected.cluster)". Correct the configuration, or give the node an empty data folder to join as new.
            """
    }
}

package import Raft

/// Judges hellos against what this node is: the rules of the handshake without any connection.
package struct Admission: Sendable {
    package var cluster: String
    package var node: NodeID
    package var incarnation: UInt64

    package init(cluster: String, node: NodeID, incarnation: UInt64) {
        self.cluster = cluster
        self.node = node
        self.incarnation = incarnation
    }

    /// Why the sender of `reading` must be refused, or nil if it may be what it says.
    ///
    /// - Parameters:
    ///   - dialled: whom we meant to reach, if it is we who dialled.
    ///   - isMember: whether a node is one of our peers.
    package func refusal(of reading: Hello.Reading, dialled: NodeID?, isMember: (NodeID) -> Bool) -> Refusal? {
        let hello: Hello
        switch reading {
        case .hello(let it): hello = it
        case .otherVersion(let version):
            return Refusal(
                .otherVersion,
                "protocol versions differ: node \(node) speaks version \(Hello.version), the other side version"
                    + " \(version); run releases of Millrace on all nodes that speak the same version")
        }
        guard hello.cluster == cluster else {
            return Refusal(
                .otherCluster,
                "clusters differ: node \(node) belongs to cluster '\(cluster)', the other side is node \(hello.node) of"
                    + " cluster '\(hello.cluster)'; give all nodes of a cluster the same identity, or correct the"
                    + " addresses if two clusters were mixed up")
        }
        if hello.node == node, hello.incarnation == incarnation {
            return Refusal(
                .wrongNode,
                "the address configured for node \(hello.target) on node \(node) leads back to node \(node) itself;"
                    + " correct the address of node \(hello.target)")
        }
        guard hello.node != node else {
            return Refusal(
                .duplicateNode,
                "two processes run as node \(node); stop one of them, or give it an id and a data directory of its own")
        }
        guard hello.target == node else {
            return Refusal(
                .wrongNode,
                "node \(hello.node) looks for node \(hello.target) here, but this is node \(node); correct the address"
                    + " of node \(hello.target) in the configuration of node \(hello.node)")
        }
        guard dialled == nil || hello.node == dialled else {
            return Refusal(
                .wrongNode,
                "node \(node) looks for node \(dialled!) at this address, but this is node \(hello.node); correct the"
                    + " address of node \(dialled!) in the configuration of node \(node)")
        }
        guard isMember(hello.node) else {
            return Refusal(
                .unknownNode,
                "node \(hello.node) is not a member of the cluster as node \(node) knows it; add it to the members, or"
                    + " start it with an id that is one")
        }
        return nil
    }

    /// The refusal of a process whose node has been seen as a newer process since.
    package func duplicate(_ other: NodeID) -> Refusal {
        Refusal(
            .duplicateNode,
            "two processes run as node \(other): node \(node) has met a newer one since it last talked to this one;"
                + " stop one of them, or give it an id and a data directory of its own")
    }

    /// The refusal of a connection that lost against another one between the same two processes.
    package func redundant(_ other: NodeID) -> Refusal {
        Refusal(.redundant, "nodes \(node) and \(other) are already connected")
    }
}

import LimiterCore

extension Decision.Cause {
    /// What a client is told that got no decision: why, and what to do.
    var errorText: String {
        switch self {
        case .isolated, .none:
            "CLUSTERDOWN the owner of this key cannot be reached from this node, and the rule says onIsolation: deny; "
                + "retry, ask another node, or look at 'millrace status'"
        case .timeout:
            "CLUSTERDOWN no answer from the owner of this key came in time, and the tokens may have been spent; "
                + "retry with backoff"
        case .overloaded:
            "CLUSTERDOWN too many requests are waiting at this node already; retry with backoff, or spread the clients "
                + "over the nodes"
        case .starting:
            "CLUSTERDOWN the cluster has not been formed yet; start a majority of its nodes, then retry"
        }
    }

    var counter: RESPCounter {
        switch self {
        case .isolated, .none: .isolated
        case .timeout: .timedOut
        case .overloaded: .overloaded
        case .starting: .starting
        }
    }
}

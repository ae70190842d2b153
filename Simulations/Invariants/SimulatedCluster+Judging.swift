extension SimulatedCluster {
    /// Has these judge everything from now on; call it before the cluster is formed. They look every 20 ms until `end`.
    package func judge(by invariants: [Invariant], until end: Int64) {
        self.invariants = invariants
        for i in nodes.indices { for invariant in invariants { invariant.started(i, self) } }
        look(until: end)
    }

    private func look(until end: Int64) {
        after(20_000_000) { cluster in
            for invariant in cluster.invariants { invariant.looked(cluster) }
            if cluster.time < end { cluster.look(until: end) }
        }
    }

    /// After the last event: what was found.
    package func verdict() -> [Invariant.Violation] {
        invariants.flatMap { invariant in
            invariant.ended(self)
            return invariant.violations
        }
    }
}

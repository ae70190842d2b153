/// The arithmetic of majorities over `members` voters. Nothing else in the module counts voters, so that another kind
/// of quorum has one place to go.
package struct Quorum: Sendable {
    package enum Outcome: Equatable, Sendable {
        case won
        case lost
        case open
    }

    private let members: Int

    package init(members: Int) {
        precondition(members > 0, "a cluster has at least one voter")
        self.members = members
    }

    /// The smallest number of voters of which any two sets meet.
    package var size: Int { members / 2 + 1 }

    /// The largest value that a majority has reached. Quadratic in the number of voters, which is small, and free of
    /// allocations, because the leader asks at every acknowledgement.
    package func reached(_ value: (_ member: Int) -> UInt64) -> UInt64 {
        var best: UInt64 = 0
        for candidate in 0..<members {
            let reach = value(candidate)
            guard reach > best else { continue }
            var supporters = 0
            for member in 0..<members where value(member) >= reach { supporters += 1 }
            if supporters >= (isPlanted(.minorityCommits) ? members / 2 : size) { best = reach }
        }
        return best
    }

    /// Whether an election is decided.
    package func outcome(granted: Int, refused: Int) -> Outcome {
        if granted >= (isPlanted(.minorityElects) ? members / 2 : size) { return .won }
        if members - refused < size { return .lost }
        return .open
    }
}

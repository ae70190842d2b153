/// One fault, as data: it can be saved, left out, and played again.
package struct Fault: Codable, Equatable, Sendable {
    package enum Kind: String, Codable, CaseIterable, Sendable {
        /// The process dies at this instant, between whatever it was doing, and starts again after `duration`; `amount` parts of what was
        /// being written happen to be on the disk.
        case crash
        /// Every process dies, and starts again within `duration`.
        case crashEverybody
        /// Stops the process for `duration` while its clock goes on.
        case pause
        /// Cuts the node off from all others for `duration`.
        case isolate
        /// Splits the nodes in two groups for `duration`; `amount` says which are in the first, one bit each.
        case split
        /// Nothing passes from the node to node `amount` for `duration`.
        case oneWay
        /// Cut off from the log, and from nothing else, for `duration`: the zombie.
        case cutFromLog
        /// Everything between the node and the others takes `amount` nanoseconds longer for `duration`.
        case slowLinks
        /// For `duration`, messages are lost, repeated and delayed, `amount` in a thousand each.
        case storm
        /// Writes take `amount` nanoseconds longer for `duration`.
        case slowDisk
        /// A write fails to sync: the process ends, as it must, and starts again after `duration`; nothing of the write is on the disk.
        case failedSync
        /// The disk is full for `duration`: writes that need room fail.
        case fullDisk
        /// One bit of what the disk holds turns over; found at the next start.
        case rot
        /// The next write goes to another place; found at the next start.
        case misdirect
        /// The node is stopped, and as soon as the others are well, after `duration` or later, started with an empty disk.
        case wipe
        /// As `wipe`, with a copy of the disk as it is now; the node goes on for `amount` nanoseconds (0: half a second) before it is stopped.
        case oldDisk
        /// `amount` of the embedded clients die, with what they hold; others start in their places after `duration`.
        case clientCrash
        /// `amount` of the embedded clients stop for `duration` while their clocks go on.
        case clientPause
        /// From now on the disk says that it has synced and has not. Outside the promise.
        case lie
        /// From now on the clock runs `amount` parts in 10^9 faster than true time (slower, if negative).
        case drift
        /// The clock jumps by `amount` nanoseconds, and nobody notices. Outside the promise.
        case step
        /// The machine is suspended for `duration`, and its clock with it; the driver finds that out when it goes on.
        case suspend
        /// The driver finds that the clock may have stood still.
        case distrust
        /// The node gives its ranges away, stops, and starts again after `duration`.
        case drain
        /// The node campaigns although all is well.
        case campaign
        /// The node stands for election at once, without asking for pre-votes.
        case stand
        /// For `duration`, three in ten of the messages that the node sends are `amount` nanoseconds late: old answers.
        case lag
        /// The clock jumps ahead by `amount` nanoseconds, and the driver finds that out before it does anything else.
        case leap
        /// A rule is applied again with another burst: `amount` in a thousand of the first.
        case changeRule
        /// The driver's sin: for `duration`, what a node has decided is sent only `amount` nanoseconds after the clock was read.
        case stall
    }

    /// Whom it hits.
    package enum Target: Codable, Equatable, Sendable {
        case node(Int)
        case leader
        /// The owner of the first key of this load.
        case owner(load: Int)
        /// The first node that has a write under way, as soon as one has, for half a second: between a write and its sync.
        case writing
        /// The next node that has a vote for another one on its way to its disk; waits half a second for it.
        case voting
        /// The next leader that commits something, at the moment it does; waits half a second for it.
        case committing
        /// The next node that is elected, at the moment it is; waits half a second for it.
        case elected
    }

    /// Nanoseconds after the cluster has formed.
    package var at: Int64
    package var kind: Kind
    package var target: Target
    package var duration: Int64
    package var amount: Int64

    package init(at: Int64, kind: Kind, target: Target = .node(0), duration: Int64 = 0, amount: Int64 = 0) {
        self.at = at
        self.kind = kind
        self.target = target
        self.duration = duration
        self.amount = amount
    }

    /// For people.
    package var text: String {
        let whom =
            switch target {
            case .node(let i): "node \(i + 1)"
            case .leader: "the leader"
            case .owner(let load): "the owner of load \(load)"
            case .writing: "whoever writes"
            case .voting: "whoever votes next"
            case .elected: "whoever is elected next"
            case .committing: "whoever commits next"
            }
        let length = duration > 0 ? " for \(duration / 1_000_000) ms" : ""
        return "\(kind.rawValue) \(whom)\(length)\(amount != 0 ? " (\(amount))" : "")"
    }
}

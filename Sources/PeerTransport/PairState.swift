package import Raft

/// Which connection between two processes this is.
package struct ConnectionIdentity: Equatable, Sendable {
    /// The process at the other end.
    package var incarnation: UInt64
    package var dialler: NodeID
    /// The dialler's count of its dials.
    package var attempt: UInt64

    package init(incarnation: UInt64, dialler: NodeID, attempt: UInt64) {
        self.incarnation = incarnation
        self.dialler = dialler
        self.attempt = attempt
    }
}

/// Decides which of several connections to one peer is kept, so that both ends keep the same one.
///
/// A process that was not met before replaces its predecessor at once, and the predecessor is never let in again: an
/// incarnation that comes back is no restart, but a second process with the same id. Between the same two processes the
/// connection dialled by the higher id wins, and of two by the same dialler its later one. Both ends see the same three
/// numbers, hence agree in whichever order they see the connections.
package struct PairState {
    package enum Verdict: Equatable {
        /// There is no other connection.
        case adopt
        /// It takes the place of the current one.
        case replace
        /// The current one is better.
        case redundant
        /// The process was superseded: two processes run with this id.
        case duplicate
    }

    /// The connection that counts.
    package private(set) var current: ConnectionIdentity?
    /// The newest process of this peer that we were ever connected with.
    private var newest: UInt64?
    /// Those it took over from, oldest first.
    private var superseded: [UInt64] = []

    /// How many superseded processes are remembered.
    package static let maxSuperseded = 64

    package init() {}

    package func judge(_ candidate: ConnectionIdentity) -> Verdict {
        if superseded.contains(candidate.incarnation) { return .duplicate }
        guard let current else { return .adopt }
        guard candidate.incarnation == current.incarnation else { return .replace }
        if candidate.dialler == current.dialler {
            return candidate.attempt > current.attempt ? .replace : .redundant
        }
        return candidate.dialler > current.dialler ? .replace : .redundant
    }

    /// Makes `candidate` the current connection, after ``judge(_:)`` said `adopt` or `replace`.
    package mutating func adopt(_ candidate: ConnectionIdentity) {
        current = candidate
        if let newest, newest != candidate.incarnation {
            if superseded.count == Self.maxSuperseded { superseded.removeFirst() }
            superseded.append(newest)
        }
        newest = candidate.incarnation
    }

    /// The current connection is gone.
    package mutating func lost() { current = nil }
}

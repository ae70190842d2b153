import Coordination
import LimiterCore
import NodeRuntime

/// One thing that has to hold whatever happens. It sees everything, in true time, and takes part in nothing.
package class Invariant {
    package struct Violation: Sendable {
        package var time: Int64
        package var invariant: String
        package var what: String

        package init(time: Int64, invariant: String, what: String) {
            self.time = time
            self.invariant = invariant
            self.what = what
        }
    }

    /// Its name, as in the first word of a violation.
    package let name: String
    package private(set) var violations: [Violation] = []

    /// Whether it wants ``acted(_:_:)``, ``said(_:by:to:_:)`` and the admissions: what is not asked for costs nothing.
    let wantsActions: Bool
    let wantsMessages: Bool
    let wantsAdmissions: Bool

    init(_ name: String, actions: Bool = false, messages: Bool = false, admissions: Bool = false) {
        self.name = name
        wantsActions = actions
        wantsMessages = messages
        wantsAdmissions = admissions
    }

    /// At most so many are kept of one invariant: the first ones matter.
    package static let mostKept = 20

    final func violated(_ what: String, at time: Int64) {
        guard violations.count < Invariant.mostKept else { return }
        violations.append(Violation(time: time, invariant: name, what: what))
    }

    /// A process was started.
    func started(_ node: Int, _ cluster: SimulatedCluster) {}
    /// A dead node has got another disk.
    func replacedDisk(_ node: Int, _ cluster: SimulatedCluster) {}
    /// A node has handled an event, what followed was carried out, and its ``NodeVitals`` are not what they were before.
    func acted(_ node: Int, _ cluster: SimulatedCluster) {}
    /// A node has handed a message to the network.
    func said(_ message: PeerMessage, by node: Int, to: Int, _ cluster: SimulatedCluster) {}
    /// A node has handed a message to the network for an embedded client.
    func said(_ message: ClientMessage, by node: Int, to client: ClientID, _ cluster: SimulatedCluster) {}
    /// A node has taken in an owner's answer.
    func heard(_ answer: Answer, by node: Int, _ cluster: SimulatedCluster) {}
    /// An owner has admitted a request that is due at `time`.
    func ownerAdmitted(_ admission: Owner.Admission, at time: Int64, by node: Int, _ cluster: SimulatedCluster) {}
    /// An owner has lent a span, to another node or to its own.
    func ownerLent(_ loan: Owner.Loan, by node: Int, _ cluster: SimulatedCluster) {}
    /// A holder has admitted `span` virtual nanoseconds from an allowance, now.
    func holderAdmitted(_ bucket: Bucket, _ span: Int64, by node: Int, _ cluster: SimulatedCluster) {}
    /// Every 20 ms: what is too dear to check at every event.
    func looked(_ cluster: SimulatedCluster) {}
    /// After the last event.
    func ended(_ cluster: SimulatedCluster) {}

    /// All of them, for one run.
    ///
    /// Where clocks are worse than promised, by `beyond` parts in 10^9, a weaker bound is asserted: rates and tolerances stretched by four
    /// times as much; and nothing that clocks alone decide.
    package static func all(rho: Int64, beyond: Int64 = 0) -> [Invariant] {
        let clocks: [Invariant] =
            beyond > 0
            ? [Promise(rho: rho + 4 * beyond, stretch: 4 * beyond)]
            : [Promise(rho: rho), AxisContinuity(rho: rho), SpanDisjointness(), Expiry(rho: rho), ZombieMargin()]
        return clocks + [
            LendingDisjointness(), Answers(), CarriedTokens(), ElectionSafety(), StateMachineSafety(), DurableCommit(),
            ReplicaAgreement(),
            Acknowledged(), Monotony(), QueueLimits(), Accounting(), LogRecovery(),
        ]
    }
}

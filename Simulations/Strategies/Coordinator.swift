package import LimiterCore

/// What a caller is told.
package enum Reply: Equatable, Sendable {
    case allowed
    case limited
    /// Nobody who could decide was reached in time.
    case unavailable
}

/// What a machine wants done after an event.
package struct Orders<Message: Sendable>: Sendable {
    /// With the bytes of the message itself, without the network's headers.
    package var sends: [(to: Int, message: Message, bytes: Int)] = []
    /// Answers to requests that were made at this machine.
    package var answers: [(request: Int, answer: Reply)] = []
    /// Tokens spent at this machine's reading of its clock: what the limit is judged by, whatever the caller hears.
    package var spent: [Int64] = []
    /// Numbers of writes to the machine's disk, done one after the other.
    package var writes: [UInt64] = []
}

/// One machine's part in a way to coordinate: the interface that all strategies of the study share.
///
/// All machines share one bucket. A request costs one token; it is answered at once or later, at the machine where it was made,
/// exactly once. Machines are numbered from 0; those that take requests come first, servers after them. `now` is the machine's own
/// clock.
package protocol Coordinator: AnyObject {
    associatedtype Message: Sendable

    func request(_ request: Int, now: ClockTime, _ orders: inout Orders<Message>)
    func receive(_ message: Message, from: Int, now: ClockTime, _ orders: inout Orders<Message>)
    /// Ten milliseconds have passed.
    func tick(now: ClockTime, _ orders: inout Orders<Message>)
    func written(_ number: UInt64, now: ClockTime, _ orders: inout Orders<Message>)

    /// The machine whose loss hurts most.
    static func essential(of machines: [Self]) -> Int
}

extension Coordinator {
    package func tick(now: ClockTime, _ orders: inout Orders<Message>) {}
    package func written(_ number: UInt64, now: ClockTime, _ orders: inout Orders<Message>) {}
    package static func essential(of machines: [Self]) -> Int { 0 }
}

/// A token bucket in one machine's memory, by its own clock: GCRA's one number (docs/proof.md).
struct LocalBucket {
    let limit: Limit
    private(set) var tat: Int64 = .min

    init(_ limit: Limit) { self.limit = limit }

    /// Spends so many tokens if they are there.
    mutating func spend(_ tokens: Int64, now: ClockTime) -> Bool {
        guard let time = limit.time(of: tokens) else { return false }
        let start = max(tat, now.ns)
        guard start + time <= now.ns + limit.tolerance else { return false }
        tat = start + time
        return true
    }

    /// Takes off what others have spent, also where that leaves the bucket in debt.
    mutating func charge(_ tokens: Int64, now: ClockTime) { tat = max(tat, now.ns) + tokens * limit.emissionInterval }

    /// How much is used, in nanoseconds of virtual time, so that a machine with another clock can take it over.
    func used(now: ClockTime) -> Int64 { max(0, tat == .min ? 0 : tat - now.ns) }

    mutating func setUsed(_ used: Int64, now: ClockTime) { tat = now.ns + used }
}

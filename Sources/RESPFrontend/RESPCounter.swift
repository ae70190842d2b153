import Synchronization

/// What a front door counts; each only ever grows, but for ``RESPCounter/openConnections``.
public enum RESPCounter: Int, CaseIterable, Sendable {
    /// Commands of any kind, understood or not.
    case commands
    /// Requests decided at once, from an allowance or a refusal that is sure.
    case decidedHere
    /// Requests that the runtime was asked about.
    case submitted
    case allowed
    case limited
    /// Requests without a decision: nobody to ask, and the rule says deny.
    case isolated
    /// Requests without a decision: no answer in time.
    case timedOut
    /// Requests without a decision: too many were waiting.
    case overloaded
    /// Requests without a decision: the cluster had not been formed.
    case starting
    /// Commands refused for their arguments: wrong number, no integers, an impossible limit.
    case badArguments
    case unknownCommands
    case unknownRules
    /// `MR.ACQUIRE` with a cost above the rule's burst.
    case aboveBurst
    case longKeys
    /// Commands from clients that had to log in first, and failed attempts to do so.
    case notAuthenticated
    /// Connections closed because what they sent was not understood.
    case protocolErrors
    /// Connections closed because nothing came from them for too long.
    case idleConnections
    case acceptedConnections
    /// Connections refused because there were too many.
    case refusedConnections
    case openConnections

    /// As in `INFO` and metrics.
    public var name: String {
        var name = ""
        for character in "\(self)" {
            name += character.isUppercase ? "_" + character.lowercased() : String(character)
        }
        return name
    }
}

/// The counters of a front door at one moment.
public struct RESPStatistics: Sendable, Equatable {
    private var values: [Int]

    init(_ values: [Int]) { self.values = values }

    public subscript(_ counter: RESPCounter) -> Int { values[counter.rawValue] }
}

/// What one connection counted since it last told the server; plain integers, so that a command costs no atomic
/// operation.
package struct LocalCounts {
    fileprivate var values = InlineArray<20, Int>(repeating: 0)

    @inline(__always)
    mutating func add(_ counter: RESPCounter, _ amount: Int = 1) { values[counter.rawValue] &+= amount }

    package subscript(_ counter: RESPCounter) -> Int { values[counter.rawValue] }
}

/// The counters of a whole server, shared by its event loops.
package final class SharedCounts: Sendable {
    private let values = InlineArray<20, Atomic<Int>> { _ in Atomic(0) }

    package init() { precondition(values.count == RESPCounter.allCases.count, "as many cells as counters are needed") }

    /// Adds to one counter and returns its new value.
    @discardableResult
    func add(_ counter: RESPCounter, _ amount: Int = 1) -> Int {
        values[counter.rawValue].add(amount, ordering: .relaxed).newValue
    }

    /// Takes over what a connection counted.
    package func take(_ counts: inout LocalCounts) {
        for i in counts.values.indices where counts.values[i] != 0 {
            values[i].add(counts.values[i], ordering: .relaxed)
            counts.values[i] = 0
        }
    }

    package var snapshot: RESPStatistics {
        RESPStatistics(RESPCounter.allCases.map { values[$0.rawValue].load(ordering: .relaxed) })
    }
}

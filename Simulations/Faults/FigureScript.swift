/// Whoever composes a schedule of figures: faults that belong together, one figure after the other, by the draws of a seed.
protocol FigureScript {
    var draws: Draws { get set }
    var nodes: Int { get }
    var faults: [Fault] { get set }
    /// Where the figure that is being drawn begins, in nanoseconds.
    var at: Int64 { get set }
}

extension FigureScript {
    static var ms: Int64 { 1_000_000 }

    mutating func chance(_ permille: Int) -> Bool { draws.chance(permille: permille, .schedule) }
    mutating func within(_ range: ClosedRange<Int64>) -> Int64 { draws.within(range, .schedule) }
    mutating func anybody() -> Int { draws.below(nodes, .schedule) }
    mutating func one<Value>(of values: [Value]) -> Value { values[draws.below(values.count, .schedule)] }

    /// Adds a fault, `delay` after the figure's beginning.
    mutating func add(
        _ kind: Fault.Kind, _ target: Fault.Target, in delay: Int64 = 0, for duration: Int64 = 0, _ amount: Int64 = 0
    ) {
        faults.append(Fault(at: at + delay, kind: kind, target: target, duration: duration, amount: amount))
    }

    /// Leaves the faults before `end`, in the order of their times.
    mutating func putInOrder(until end: Int64) {
        faults = faults.filter { $0.at < end }.enumerated().sorted {
            ($0.element.at, $0.offset) < ($1.element.at, $1.offset)
        }
        .map(\.element)
    }
}

extension Draws {
    /// One of the values, each as often as its weight says; nil if there is none.
    mutating func pick<Value>(_ weighted: [(Value, Int)]) -> Value? {
        let total = weighted.reduce(0) { $0 + $1.1 }
        guard total > 0 else { return nil }
        var left = below(total, .schedule)
        for (value, weight) in weighted {
            if left < weight { return value }
            left -= weight
        }
        return nil
    }
}

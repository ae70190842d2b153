/// A run as it is told: what was simulated, what happened, and what went wrong.
package struct Story: Sendable {
    /// The limit that the run's promise is about: `tokens` come back per `periodNs` nanoseconds, and `burst` fit.
    package typealias Key = (key: String, tokens: Int64, periodNs: Int64, burst: Int64)
    package typealias Violation = (time: Int64, what: String)

    package var title: String
    package var seed: UInt64
    package var profile: String
    /// How many nodes, from 1.
    package var nodes: Int
    /// By how much the promise lets the rate be exceeded, as a fraction (0.0005 for 500 ppm): clocks are not perfect.
    package var rho: Double
    package var keys: [Key]
    /// In the order of time; lines out of order are put in order.
    package var lines: [TraceLine]
    package var violations: [Violation]

    package init(
        title: String, seed: UInt64, profile: String, nodes: Int, rho: Double = 0, keys: [Key],
        lines: [TraceLine], violations: [Violation]
    ) {
        self.title = title
        self.seed = seed
        self.profile = profile
        self.nodes = nodes
        self.rho = rho
        self.keys = keys
        self.lines = lines
        self.violations = violations
    }

    /// The violations of the list and of the trace, each once, in the order of time.
    var allViolations: [Violation] {
        var seen: Set<String> = []
        var all: [Violation] = []
        for violation in violations where seen.insert("\(violation.time) \(violation.what)").inserted {
            all.append(violation)
        }
        for line in lines where line.event == "violation" {
            let what = line.text("what") ?? "an invariant does not hold"
            if seen.insert("\(line.time) \(what)").inserted { all.append((line.time, what)) }
        }
        return all.enumerated().sorted { ($0.element.time, $0.offset) < ($1.element.time, $1.offset) }.map(\.element)
    }

    /// The lines in the order of time; lines of the same time stay as they are.
    var ordered: [TraceLine] {
        var isOrdered = true
        for i in lines.indices.dropFirst() where lines[i].time < lines[i - 1].time {
            isOrdered = false
            break
        }
        if isOrdered { return lines }
        return lines.enumerated().sorted { ($0.element.time, $0.offset) < ($1.element.time, $1.offset) }.map(\.element)
    }
}

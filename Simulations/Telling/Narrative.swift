/// The run as plain text for a terminal: a heading, then a line for each event that matters with its time in
/// milliseconds, its node and what happened, then how the requests fared.
///
/// At most `most` events: where there are more, the beginning and what led to the first violation (without one: the
/// end), and a line says how many were left out. Control characters become U+FFFD, so that a trace cannot steer the
/// terminal.
package func narrative(_ story: Story, most: Int) -> String {
    let moments = Moments.all(of: story)
    var lines = [story.title, "\(story.facts): \(story.verdict)"].filter { !$0.isEmpty }
    let width = (moments.map { Figures.ms($0.time).utf8.count }.max() ?? 0)
    let room = String(repeating: " ", count: width)
    var told = 0
    func skip(to index: Int) {
        if index > told { lines.append("\(room)             … \(Figures.count(index - told, "event")) left out") }
    }
    for range in Moments.chosen(moments, most: most) {
        skip(to: range.lowerBound)
        for moment in moments[range] {
            let time = Figures.ms(moment.time)
            let padded = String(repeating: " ", count: width - time.utf8.count) + time
            let node = moment.node.map { "node \($0)" } ?? ""
            let gap = String(repeating: " ", count: max(0, 6 - node.utf8.count) + 2)
            lines.append("\(padded) ms  \(node)\(gap)\(moment.text)")
        }
        told = range.upperBound
    }
    skip(to: moments.count)
    lines.append(Tally(story.lines).sentence)
    return lines.map(printable).joined(separator: "\n") + "\n"
}

/// One line without anything that steers a terminal.
private func printable(_ line: String) -> String {
    var result = ""
    for scalar in line.unicodeScalars {
        result.unicodeScalars.append(scalar.properties.generalCategory == .control ? "\u{FFFD}" : scalar)
    }
    return result
}

extension Story {
    /// What was simulated.
    var facts: String {
        "seed \(seed), profile \(profile), \(Figures.count(nodes, "node")), \(Figures.span(end))"
    }

    /// How it ended, in a word or two.
    var verdict: String {
        let count = allViolations.count
        return count == 0 ? "no violation" : Figures.count(count, "violation")
    }

    /// The time of the last thing that happened, in nanoseconds; 1 at least.
    var end: Int64 {
        max(1, lines.map(\.time).max() ?? 0, violations.map(\.time).max() ?? 0)
    }
}

/// How many requests ended how.
struct Tally {
    var admitted = 0
    var refused = 0
    var unavailable = 0

    init(_ lines: [TraceLine]) {
        for line in lines {
            switch line.event {
            case "admit": admitted += 1
            case "refuse": refused += 1
            case "unavailable": unavailable += 1
            default: break
            }
        }
    }

    var sentence: String {
        "\(Figures.count(admitted + refused + unavailable, "request")): \(Figures.grouped(Int64(admitted))) admitted, "
            + "\(Figures.grouped(Int64(refused))) refused, \(Figures.grouped(Int64(unavailable))) without an answer"
    }
}

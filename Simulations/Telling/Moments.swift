/// One thing that happened, in words.
struct Moment {
    var time: Int64
    var node: Int?
    var event: String
    var text: String
}

/// What of a run is worth telling, and the words for it.
enum Moments {
    /// Too many and too small to be told one by one: requests are drawn and counted, the log's work is left out.
    static func isMinor(_ event: String) -> Bool {
        switch event {
        case "admit", "refuse", "unavailable", "proposal", "commit": true
        default: false
        }
    }

    /// All of the run's moments, violations among them, in the order of time.
    static func all(of story: Story) -> [Moment] {
        var moments: [Moment] = []
        for line in story.ordered where !isMinor(line.event) && line.event != "violation" {
            moments.append(Moment(time: line.time, node: line.node, event: line.event, text: sentence(line)))
        }
        // A violation comes after what happened at the same time, which may have caused it.
        var merged: [Moment] = []
        merged.reserveCapacity(moments.count)
        var rest = moments[...]
        for violation in story.allViolations {
            while let next = rest.first, next.time <= violation.time {
                merged.append(next)
                rest.removeFirst()
            }
            merged.append(
                Moment(time: violation.time, node: nil, event: "violation", text: "VIOLATION: \(violation.what)"))
        }
        merged.append(contentsOf: rest)
        return merged
    }

    /// At most `most` of the moments as ranges of their indices: all if they fit, else the beginning and either what
    /// led to the first violation or, without one, the end.
    static func chosen(_ moments: [Moment], most: Int) -> [Range<Int>] {
        guard most > 0, !moments.isEmpty else { return [] }
        guard moments.count > most else { return [0..<moments.count] }
        var middle: Range<Int>
        if let violation = moments.firstIndex(where: { $0.event == "violation" }) {
            let end = min(moments.count, violation + 1 + most / 6)
            middle = max(0, min(violation, end - (most - most / 4)))..<end
        } else {
            middle = (moments.count - (most - most / 2))..<moments.count
        }
        let first = 0..<min(middle.lowerBound, most - middle.count)
        // A violation near the beginning leaves room for what came after it.
        middle = middle.lowerBound..<min(moments.count, middle.lowerBound + most - first.count)
        if first.upperBound == middle.lowerBound { return [0..<middle.upperBound] }
        return [first, middle].filter { !$0.isEmpty }
    }

    /// What a line of a trace says.
    static func sentence(_ line: TraceLine) -> String {
        switch line.event {
        case "start":
            return line.int("incarnation").map { $0 > 1 ? "started again (incarnation \($0))" : "started" } ?? "started"
        case "crash": return "crashed"
        case "pause": return line.int("for").map { "stands still for \(Figures.span($0))" } ?? "stands still"
        case "resume": return "goes on"
        case "cut": return "link cut: node \(line.text("from") ?? "?") no longer reaches node \(line.text("to") ?? "?")"
        case "partition": return line.text("groups").map { "network split: \($0)" } ?? "network split"
        case "heal": return "network whole again"
        case "drift":
            guard let ppb = line.int("ppb") else { return "clock drifts" }
            guard ppb != 0 else { return "clock runs true" }
            return "clock runs \(Figures.tokens(Double(ppb.magnitude) / 1000)) ppm \(ppb > 0 ? "fast" : "slow")"
        case "step":
            return line.int("ns").map { "clock jumps by \($0 > 0 ? "+" : "")\(Figures.span($0))" } ?? "clock jumps"
        case "disk": return "disk: \(line.text("what") ?? "fault")"
        case "leader": return line.int("term").map { "is leader, term \($0)" } ?? "is leader"
        case "lost-leader": return "is leader no more"
        case "takeover":
            return "takes over \(ranges(line))" + (line.int("epoch").map { ", epoch \($0)" } ?? "")
        case "gave-up": return "gives up \(ranges(line))"
        case "fault":
            return "fault" + (line.text("number").map { " \($0)" } ?? "") + (line.text("what").map { ": \($0)" } ?? "")
        case "phase": return "phase: \(line.text("what") ?? "next")"
        case "violation": return "VIOLATION: \(line.text("what") ?? "an invariant does not hold")"
        default:
            let fields = line.fields.map { "\($0.name) \(line.text($0.name) ?? "")" }
            return line.event + (fields.isEmpty ? "" : ": " + fields.joined(separator: ", "))
        }
    }

    private static func ranges(_ line: TraceLine) -> String {
        guard let count = line.int("ranges") else { return line.text("ranges").map { "ranges \($0)" } ?? "ranges" }
        return Figures.count(Int(count), "range")
    }
}

/// What one node was doing over time.
struct NodeLane {
    struct Stretch: Equatable {
        enum Kind: Equatable {
            case down
            case up
            case paused
            case leader
        }

        var kind: Kind
        var from: Int64
        var to: Int64
        var text: String
    }

    let node: Int
    /// In the order of their ends.
    private(set) var stretches: [Stretch] = []

    private var upSince: Int64?
    private var downSince: Int64? = 0
    private var incarnation = ""
    private var pausedSince: Int64?
    private var leader: (since: Int64, text: String)?
    private var isKnown = false

    private init(node: Int) { self.node = node }

    /// The lanes of all nodes; what is not at an end when the run is, ends with it.
    static func lanes(of story: Story) -> [NodeLane] {
        var lanes = (0..<max(0, story.nodes)).map { NodeLane(node: $0 + 1) }
        for line in story.ordered {
            if let node = line.node, lanes.indices.contains(node - 1) { lanes[node - 1].add(line) }
        }
        let end = story.end
        for i in lanes.indices {
            // A node of which nothing is said was there all the time.
            if !lanes[i].isKnown { lanes[i].start(at: 0) }
            lanes[i].stop(at: end)
            lanes[i].endDown(at: end)
        }
        return lanes
    }

    private mutating func add(_ line: TraceLine) {
        if !isKnown {
            isKnown = true
            if line.event != "start" { start(at: 0) }
        }
        switch line.event {
        case "start":
            stop(at: line.time)
            start(at: line.time)
            incarnation = line.int("incarnation").map { ", incarnation \($0)" } ?? ""
        case "crash": stop(at: line.time)
        case "pause":
            endPause(at: line.time)
            pausedSince = line.time
        case "resume": endPause(at: line.time)
        case "leader":
            endLeader(at: line.time)
            leader = (line.time, line.int("term").map { "term \($0)" } ?? "leader")
        case "lost-leader": endLeader(at: line.time)
        default: break
        }
    }

    private mutating func start(at time: Int64) {
        endDown(at: time)
        upSince = time
    }

    private mutating func endDown(at time: Int64) {
        if let from = downSince, from < time {
            stretches.append(Stretch(kind: .down, from: from, to: time, text: "down"))
        }
        downSince = nil
    }

    private mutating func stop(at time: Int64) {
        if let from = upSince {
            stretches.append(Stretch(kind: .up, from: from, to: time, text: "up\(incarnation)"))
        }
        upSince = nil
        downSince = downSince ?? time
        endPause(at: time)
        endLeader(at: time)
    }

    private mutating func endPause(at time: Int64) {
        if let from = pausedSince { stretches.append(Stretch(kind: .paused, from: from, to: time, text: "paused")) }
        pausedSince = nil
    }

    private mutating func endLeader(at time: Int64) {
        if let (from, text) = leader { stretches.append(Stretch(kind: .leader, from: from, to: time, text: text)) }
        leader = nil
    }
}

/// A time in which the network was not whole.
struct NetworkBand: Equatable {
    enum Kind: Equatable {
        case partition
        case cut
    }

    var kind: Kind
    var from: Int64
    var to: Int64
    var text: String

    /// A partition ends with the next one or when the network heals, a cut when it heals.
    static func bands(of story: Story) -> [NetworkBand] {
        var done: [NetworkBand] = []
        var partition: NetworkBand?
        var cuts: [NetworkBand] = []
        func close(_ band: NetworkBand, at time: Int64) {
            var band = band
            band.to = time
            done.append(band)
        }
        for line in story.ordered {
            switch line.event {
            case "partition":
                if let partition { close(partition, at: line.time) }
                partition = NetworkBand(
                    kind: .partition, from: line.time, to: line.time, text: line.text("groups") ?? "split")
            case "cut":
                let text = "\(line.text("from") ?? "?") → \(line.text("to") ?? "?")"
                if !cuts.contains(where: { $0.text == text }) {
                    cuts.append(NetworkBand(kind: .cut, from: line.time, to: line.time, text: text))
                }
            case "heal":
                if let partition { close(partition, at: line.time) }
                partition = nil
                for cut in cuts { close(cut, at: line.time) }
                cuts = []
            default: break
            }
        }
        if let partition { close(partition, at: story.end) }
        for cut in cuts { close(cut, at: story.end) }
        return done
    }
}

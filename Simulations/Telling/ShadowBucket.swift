/// An ideal bucket that is fed with everything that was admitted: what is left in it of the rule's promise.
///
/// It refills in true time, `rho` faster than the rule says, which is what the promise allows for clocks. Below zero
/// more was admitted than the rule lets through. Numbers are floating-point: this draws, the simulator's own check
/// decides.
struct ShadowBucket {
    let burst: Double
    /// Tokens per nanosecond.
    let rate: Double
    private(set) var level: Double
    private(set) var time: Int64 = 0

    init(_ key: Story.Key, rho: Double) {
        burst = Double(max(1, key.burst))
        rate = Double(max(0, key.tokens)) / Double(max(1, key.periodNs)) * (1 + rho)
        level = burst
    }

    /// Lets time pass; returns when the bucket was full, if it became full on the way.
    mutating func advance(to now: Int64) -> Int64? {
        guard now > time else { return nil }
        let missing = burst - level
        let refilled = rate * Double(now - time)
        defer { time = now }
        if refilled < missing {
            level += refilled
            return nil
        }
        let full = missing > 0 ? time + Int64(missing / rate) : nil
        level = burst
        return full
    }

    mutating func admit(_ cost: Int64) { level -= Double(cost) }
}

/// What happened to one key, ready to be drawn.
struct KeyStory {
    struct Point {
        var time: Int64
        var level: Double
    }

    let key: Story.Key
    /// The level's corners, thinned to what can be seen; the deepest point of every stretch is kept.
    private(set) var points: [Point]
    /// The columns of the chart with an admission, by node; from 1.
    private(set) var admitted: [[Int]]
    /// The columns with a request that was refused or got no answer.
    private(set) var refused: [Int] = []
    private(set) var admittedCount = 0
    private(set) var refusedCount = 0
    private(set) var unavailableCount = 0
    /// The lowest level, and when.
    private(set) var lowest: Point

    /// Beyond rounding.
    static let zero = -1e-6

    private let columns: Int
    private let columnNs: Double
    private var bucket: ShadowBucket
    private var column = -1
    /// The deepest and the last point of the column being filled.
    private var deepest: Point?
    private var last: Point?

    /// `end` is the run's length in nanoseconds, `columns` how many steps of it can be told apart.
    init(_ key: Story.Key, rho: Double, nodes: Int, end: Int64, columns: Int) {
        self.key = key
        self.columns = columns
        columnNs = Double(end) / Double(columns)
        bucket = ShadowBucket(key, rho: rho)
        points = [Point(time: 0, level: bucket.burst)]
        admitted = Array(repeating: [], count: nodes)
        lowest = Point(time: 0, level: bucket.burst)
    }

    var isBroken: Bool { lowest.level < KeyStory.zero }
    /// How near the promise came to being broken, or how far beyond: 0 untouched, 1 used up.
    var strain: Double { 1 - lowest.level / bucket.burst }
    var requests: Int { admittedCount + refusedCount + unavailableCount }

    mutating func add(_ line: TraceLine) {
        let at = min(columns - 1, max(0, Int(Double(line.time) / columnNs)))
        switch line.event {
        case "admit":
            admittedCount += 1
            if let node = line.node, admitted.indices.contains(node - 1), admitted[node - 1].last != at {
                admitted[node - 1].append(at)
            }
            admit(line.int("cost") ?? 1, time: line.time, column: at)
        case "refuse":
            refusedCount += 1
            if refused.last != at { refused.append(at) }
        default:
            unavailableCount += 1
            if refused.last != at { refused.append(at) }
        }
    }

    private mutating func admit(_ cost: Int64, time: Int64, column at: Int) {
        let isNew = at != column
        if isNew { closeColumn() }
        let full = bucket.advance(to: time)
        let before = Point(time: time, level: bucket.level)
        bucket.admit(cost)
        let after = Point(time: time, level: bucket.level)
        if isNew {
            if let full { points.append(Point(time: full, level: bucket.burst)) }
            points.append(before)
            column = at
        }
        if after.level < deepest?.level ?? .infinity { deepest = after }
        last = after
        if after.level < lowest.level { lowest = after }
    }

    private mutating func closeColumn() {
        if let deepest { points.append(deepest) }
        if let last, last.time != deepest?.time || last.level != deepest?.level { points.append(last) }
        deepest = nil
        last = nil
    }

    /// Draws the level on to the run's end.
    mutating func finish(at end: Int64) {
        closeColumn()
        if let full = bucket.advance(to: end) { points.append(Point(time: full, level: bucket.burst)) }
        points.append(Point(time: end, level: bucket.level))
    }

    /// The keys with the most to tell, at most `most`: those whose promise was broken first, then those most strained,
    /// then those with the most requests.
    static func chosen(from story: Story, end: Int64, columns: Int, most: Int) -> [KeyStory] {
        var keys: [KeyStory] = []
        var numbers: [String: Int] = [:]
        for key in story.keys where numbers[key.key] == nil {
            numbers[key.key] = keys.count
            keys.append(KeyStory(key, rho: story.rho, nodes: story.nodes, end: end, columns: columns))
        }
        for line in story.ordered {
            switch line.event {
            case "admit", "refuse", "unavailable":
                if case .text(let name) = line.value("key"), let number = numbers[name] { keys[number].add(line) }
            default: break
            }
        }
        let order = keys.indices.sorted { a, b in
            if keys[a].isBroken != keys[b].isBroken { return keys[a].isBroken }
            // Fully strained keys are many in a run under load: among those the busiest come first.
            let (x, y) = keys[a].isBroken ? (keys[a].strain, keys[b].strain) : (near(keys[a]), near(keys[b]))
            if x != y { return x > y }
            return keys[a].requests != keys[b].requests ? keys[a].requests > keys[b].requests : a < b
        }
        return order.prefix(most).filter { keys[$0].requests > 0 }.map {
            var key = keys[$0]
            key.finish(at: end)
            return key
        }
    }

    /// The strain in tenths, so that what hardly differs is told apart by the number of requests.
    private static func near(_ key: KeyStory) -> Double { (key.strain * 10).rounded() }
}

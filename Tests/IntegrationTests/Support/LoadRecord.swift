/// What a load met with, and what that says of the promise, of its use, and of pauses.
struct LoadRecord {
    let streams: [Stream]
    /// By the time at which each was known.
    let outcomes: [Outcome]
    /// Error replies, and how often each came.
    let errors: [String: Int]

    /// How long a stream's requests of a stretch of time took: half of them no longer than the first, 99 of 100 no longer than the second.
    func latency(of stream: Int, in phase: Range<Int64>) -> (median: Int64, p99: Int64) {
        let times = outcomes.filter { $0.stream == stream && phase.contains($0.sent) && $0.kind != .lost }
            .map { $0.answered - $0.sent }.sorted()
        return times.isEmpty ? (0, 0) : (times[times.count / 2], times[times.count * 99 / 100])
    }

    func count(_ kind: Outcome.Kind) -> Int { outcomes.count { $0.kind == kind } }

    // MARK: The promise, from outside

    /// Buckets that, by what clients saw alone, admitted more than their limit; for people, empty if there are none.
    var violations: [String] {
        var found: [String] = []
        for (i, stream) in streams.enumerated() {
            let admitted = outcomes.filter { $0.stream == i && $0.kind == .admitted }
            for (key, group) in Dictionary(grouping: admitted, by: \.key).sorted(by: { $0.key < $1.key }) {
                let excess = PromiseChecker.worstExcess(
                    observed: group.map { ($0.sent, $0.answered, stream.cost * stream.emissionInterval) },
                    tolerance: stream.tolerance)
                if excess > 2 {
                    let tokens = Double(excess) / Double(stream.emissionInterval)
                    found.append("\(stream.name) \(key): clients saw \(tokens) tokens too many")
                }
            }
        }
        return found
    }

    /// What clients were admitted, in virtual time, by (interval, tolerance); never more than the nodes noted.
    func admittedTime() -> [Terms: Int64] {
        var sums: [Terms: Int64] = [:]
        for outcome in outcomes where outcome.kind == .admitted {
            let stream = streams[outcome.stream]
            let terms = Terms(emissionInterval: stream.emissionInterval, tolerance: stream.tolerance)
            sums[terms, default: 0] += stream.cost * stream.emissionInterval
        }
        return sums
    }

    struct Terms: Hashable {
        var emissionInterval: Int64
        var tolerance: Int64
    }

    // MARK: Use

    /// Tokens that clients were granted, and what one ideal bucket would have granted of the same requests.
    struct Use {
        var granted: Int64
        /// Had it decided each request when it was sent.
        var idealAtSending: Int64
        /// Had it decided each request when the answer came.
        var idealAtAnswer: Int64
        /// The two differ by what this machine did to the requests' spacing on the way.
        var ideal: Int64 { min(idealAtSending, idealAtAnswer) }
        var ratio: Double { idealAtSending == 0 ? 1 : Double(granted) / Double(idealAtSending) }
    }

    /// The use of a stream's one bucket by the requests of a stretch of time; the ideal bucket starts full or empty.
    func use(of stream: Int, from: Int64, to: Int64, startsFull: Bool) -> Use {
        let terms = streams[stream]
        let requests = outcomes.filter { $0.stream == stream && $0.sent >= from && $0.sent < to && $0.kind != .lost }
        func ideal(_ times: [Int64]) -> Int64 {
            var tat = startsFull ? Int64.min : from + terms.tolerance
            var granted: Int64 = 0
            let span = terms.cost * terms.emissionInterval
            for time in times.sorted() {
                let begin = max(tat, time)
                guard begin + span <= time + terms.tolerance else { continue }
                tat = begin + span
                granted += terms.cost
            }
            return granted
        }
        return Use(
            granted: Int64(requests.count { $0.kind == .admitted }) * terms.cost,
            idealAtSending: ideal(requests.map(\.sent)), idealAtAnswer: ideal(requests.map(\.answered)))
    }

    // MARK: Pauses

    /// How long after `instant` a stream's first admission came that was asked for after it.
    func firstAdmission(of stream: Int, after instant: Int64) -> Int64? {
        outcomes.first { $0.stream == stream && $0.kind == .admitted && $0.sent > instant }
            .map { $0.answered - instant }
    }

    /// The longest time without an admission of a stream.
    func longestPause(of stream: Int, from: Int64, to: Int64) -> Int64 {
        var last = from
        var longest: Int64 = 0
        for outcome in outcomes
        where outcome.stream == stream && outcome.kind == .admitted && outcome.answered > from && outcome.answered < to
        {
            longest = max(longest, outcome.answered - last)
            last = outcome.answered
        }
        return max(longest, to - last)
    }
}

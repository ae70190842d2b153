/// Judges the promise: no window of any bucket admits more than `C + r * (t2 - t1) * (1 + rho)` (design, section 1).
///
/// All in nanoseconds of virtual time, where it reads: the spans admitted in `(t1, t2]` add up to no more than
/// `tau + (t2 - t1) * (1 + rho)`.
enum PromiseChecker {
    /// How far clocks' rates may be apart, in parts per billion.
    private static let rho: Int64 = 500_000

    /// The most that any window admits beyond the promise: at most 0 where it was kept. One pass, after sorting.
    ///
    /// A window that ends with admission k begins best just before an earlier one j, so the excess is the greatest
    /// `sum(j...k) - (t_k - t_j) * (1 + rho) - tau`: a running minimum of what stands before j will do.
    static func worstExcess(_ admissions: [(at: Int64, time: Int64)], tolerance: Int64) -> Int64 {
        let sorted = admissions.sorted { $0.at < $1.at }
        guard let first = sorted.first else { return -tolerance }
        var sum: Int64 = 0
        var least = Int64.max
        var worst = Int64.min
        for admission in sorted {
            let passed = stretched(admission.at - first.at)
            least = min(least, sum - passed)
            sum += admission.time
            worst = max(worst, sum - passed - least - tolerance)
        }
        return worst
    }

    /// The same from outside: a request counts only in windows that hold all of it, from when it was sent until it was answered.
    ///
    /// Windows worth a look begin where a request is sent and end where one is answered. Going through the ends in order, a tree
    /// over the beginnings knows the greatest `sum + t1 * (1 + rho)`.
    static func worstExcess(
        observed requests: [(sent: Int64, answered: Int64, time: Int64)], tolerance: Int64
    ) -> Int64 {
        let bySent = requests.sorted { $0.sent < $1.sent }
        guard let first = bySent.first?.sent else { return -tolerance }
        // A beginning counts only once its own request is in: one that lies after the end makes no window.
        let unused = Int64(1) << 60
        var tree = MaximumTree(bySent.map { stretched($0.sent - first) - unused })
        var worst = -tolerance
        for i in bySent.indices.sorted(by: { bySent[$0].answered < bySent[$1].answered }) {
            let request = bySent[i]
            // All beginnings up to where it was sent have it in their windows, those at the very same instant included.
            var (low, high) = (i + 1, bySent.count)
            while low < high {
                let middle = (low + high) / 2
                if bySent[middle].sent <= request.sent { low = middle + 1 } else { high = middle }
            }
            tree.add(unused, to: i..<i + 1)
            tree.add(request.time, to: 0..<low)
            worst = max(worst, tree.maximum - stretched(request.answered - first) - tolerance)
        }
        return worst
    }

    /// `t * (1 + rho)`, rounded up.
    private static func stretched(_ t: Int64) -> Int64 {
        t + Int64((Int128(t) * Int128(rho) + 999_999_999) / 1_000_000_000)
    }

    /// What was found wrong, for people; empty where the promise was kept. Rounding is worth two nanoseconds.
    static func violations(_ admissions: [Admission]) -> [String] {
        var found: [String] = []
        for (bucket, group) in Dictionary(grouping: admissions, by: \.bucket) {
            let terms = group[0]
            guard group.allSatisfy({ $0.tolerance == terms.tolerance && $0.emissionInterval == terms.emissionInterval })
            else {
                found.append("bucket \(bucket) changed its limit")
                continue
            }
            let excess = worstExcess(group.map { ($0.at, $0.time) }, tolerance: terms.tolerance)
            if excess > 2 {
                found.append(
                    "a bucket of \(terms.tolerance / terms.emissionInterval) tokens, one each \(terms.emissionInterval) ns, admitted "
                        + "\(Double(excess) / Double(terms.emissionInterval)) tokens too many in \(group.count) admissions"
                )
            }
        }
        return found
    }
}

/// Numbers in a row: adds to a stretch of them, and knows the greatest of all.
private struct MaximumTree {
    private let leaves: Int
    /// The greatest below each place, with what was added there but not what was added above.
    private var greatest: [Int64]
    private var added: [Int64]

    init(_ values: [Int64]) {
        var leaves = 1
        while leaves < values.count { leaves *= 2 }
        self.leaves = leaves
        added = Array(repeating: 0, count: 2 * leaves)
        // Far below everything, and far from the edge.
        greatest = Array(repeating: Int64.min / 4, count: 2 * leaves)
        for (i, value) in values.enumerated() { greatest[leaves + i] = value }
        for i in stride(from: leaves - 1, to: 0, by: -1) { greatest[i] = max(greatest[2 * i], greatest[2 * i + 1]) }
    }

    var maximum: Int64 { greatest[1] }

    mutating func add(_ value: Int64, to range: Range<Int>) { add(value, to: range, node: 1, first: 0, width: leaves) }

    private mutating func add(_ value: Int64, to range: Range<Int>, node: Int, first: Int, width: Int) {
        if range.upperBound <= first || range.lowerBound >= first + width { return }
        if range.lowerBound <= first, first + width <= range.upperBound {
            greatest[node] += value
            added[node] += value
            return
        }
        add(value, to: range, node: 2 * node, first: first, width: width / 2)
        add(value, to: range, node: 2 * node + 1, first: first + width / 2, width: width / 2)
        greatest[node] = max(greatest[2 * node], greatest[2 * node + 1]) + added[node]
    }
}

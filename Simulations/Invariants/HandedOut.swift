/// The spans of a bucket, in order and joined where they touch.
struct HandedOut {
    var parts: [(start: Int64, end: Int64)] = []

    /// Adds a span; returns how much of it was there already.
    mutating func add(_ start: Int64, _ end: Int64) -> Int64 {
        // Nearly always at the end.
        var from = parts.count
        while from > 0, parts[from - 1].end >= start { from -= 1 }
        var to = from
        var (low, high, common) = (start, end, Int64(0))
        while to < parts.count, parts[to].start <= end {
            common += max(0, min(parts[to].end, end) - max(parts[to].start, start))
            low = min(low, parts[to].start)
            high = max(high, parts[to].end)
            to += 1
        }
        parts.replaceSubrange(from..<to, with: CollectionOfOne((start: low, end: high)))
        // What lies far behind cannot come again without breaking the axis, too: see AxisContinuity.
        if parts.count > 4_096 { parts.removeFirst(1_024) }
        return common
    }
}

import LimiterCore

/// Up to where each bucket of a range may have been handed out, with a limit on how many are remembered.
///
/// When it is full, it forgets the buckets whose bounds are the least part of their burst ahead, by raising a floor for their tolerance
/// class to them: from then on every bucket of that class that is not in the table counts as having been handed out up to the floor. Forgetting
/// never refills. What is forgotten depends on the contents only, not on the table's layout, so all replicas agree.
struct BoundTable: ~Copyable {
    private var table: KeyedTable<Int64>
    /// By tolerance class.
    private(set) var floors: [AxisTime]

    init(capacity: Int) {
        table = KeyedTable(capacity: capacity)
        floors = Array(repeating: .never, count: BucketID.classes)
    }

    var count: Int { table.count }

    /// The bound of a bucket; that of its class's floor if it is not in the table.
    func bound(_ id: BucketID) -> AxisTime {
        let floor = floors[id.toleranceClass]
        guard let at = table.find(id) else { return floor }
        return max(AxisTime(ns: table[at]), floor)
    }

    /// Raises a bucket's bound; `axis` tells which bounds say nothing any more.
    mutating func raise(_ id: BucketID, to time: AxisTime, axis: AxisTime) {
        if let at = table.find(id) {
            table[at] = isPlanted(.boundsFall) ? time.ns : max(table[at], time.ns)
            return
        }
        guard time > axis else { return }  // an absent bucket is full at the axis anyway
        if table.isFull { makeRoom(axis: axis) }
        let position = table.insert(id, time.ns)
        precondition(position != nil, "no room for a bound after making room")
    }

    /// Drops the bounds that the axis has passed, and if that is not enough the quarter of the rest that costs least: absent buckets of the
    /// class then count as used up to there. Least in time would be wrong: fast buckets are always nearest, and would never be kept.
    private mutating func makeRoom(axis: AxisTime) {
        dropPassed(axis)
        guard table.count > table.capacity / 8 * 7 else { return }
        var all: [(part: Int64, bound: Bound)] = []
        table.forEach { id, time in
            let (ahead, overflow) = time.subtractingReportingOverflow(axis.ns)
            all.append((id.part(of: overflow ? .max : ahead), Bound(id: id, time: AxisTime(ns: time))))
        }
        all.sort { ($0.part, $0.bound.time, $0.bound.id) < ($1.part, $1.bound.time, $1.bound.id) }
        for (_, bound) in all.prefix(max(1, table.capacity / 4)) {
            let kind = bound.id.toleranceClass
            if !isPlanted(.forgettingBoundsRefills) { floors[kind] = max(floors[kind], bound.time) }
            if let at = table.find(bound.id) { table.remove(at: at) }
        }
    }

    /// Drops the bounds that the axis has passed: they say nothing any more.
    mutating func dropPassed(_ axis: AxisTime) {
        _ = table.sweep(.max) { _, time in time <= axis.ns }
    }

    /// All bounds after `axis`, by identity.
    func sorted(after axis: AxisTime) -> [Bound] {
        var all: [Bound] = []
        table.forEach { id, time in if time > axis.ns { all.append(Bound(id: id, time: AxisTime(ns: time))) } }
        all.sort { $0.id < $1.id }
        return all
    }

    /// Replaces everything. No floors are the same as floors that all say nothing.
    mutating func replace(bounds: [Bound], floors: [AxisTime], axis: AxisTime) {
        table.removeAll()
        self.floors = floors.isEmpty ? Array(repeating: .never, count: BucketID.classes) : floors
        for bound in bounds { raise(bound.id, to: bound.time, axis: axis) }
    }
}

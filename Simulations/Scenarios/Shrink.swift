/// Delta debugging (Zeller and Hildebrandt, 2002) on a schedule's faults: the smallest part of them that still fails.
package struct Shrink {
    package struct Progress: Sendable {
        package var tries: Int
        package var faults: Int
    }

    /// The most runs that are spent on it.
    package static let mostTries = 2_000

    /// A schedule that fails like `schedule` (with a violation of the same invariant) and from which no single fault can be left out; then with
    /// better weather and a shorter time, if that fails, too. Returns the schedule itself if it does not fail.
    package static func smallest(
        of schedule: Schedule, told: (Progress) -> Void = { _ in }
    ) throws -> (schedule: Schedule, tries: Int) {
        var tries = 0
        let first = try Run.run(schedule)
        guard let wanted = first.violations.first?.invariant else { return (schedule, 1) }
        func fails(_ candidate: Schedule) throws -> Bool {
            tries += 1
            guard tries < mostTries else { return false }
            return try Run.run(candidate).violations.contains { $0.invariant == wanted }
        }
        var best = schedule
        var parts = 2
        while !best.faults.isEmpty {
            var isSmaller = false
            let size = max(1, (best.faults.count + parts - 1) / parts)
            for start in stride(from: 0, to: best.faults.count, by: size) {
                var candidate = best
                candidate.faults.removeSubrange(start..<min(start + size, best.faults.count))
                if try fails(candidate) {
                    best = candidate
                    isSmaller = true
                    told(Progress(tries: tries, faults: best.faults.count))
                    break
                }
            }
            if isSmaller {
                parts = max(2, parts - 1)
            } else if size == 1 {
                break
            } else {
                parts = min(best.faults.count, parts * 2)
            }
        }
        for change in Shrink.simplifications {
            var candidate = best
            change(&candidate)
            if candidate != best, try fails(candidate) { best = candidate }
        }
        // One load less at a time.
        var load = best.workload.loads.count - 1
        while load >= 0, best.workload.loads.count > 1 {
            var candidate = best
            candidate.workload.loads.remove(at: load)
            if try fails(candidate) {
                best = candidate
                told(Progress(tries: tries, faults: best.faults.count))
            }
            load -= 1
        }
        return (best, tries)
    }

    private static let simplifications: [@Sendable (inout Schedule) -> Void] = [
        { $0.conditions.lossPermille = 0 }, { $0.conditions.duplicatePermille = 0 }, { $0.conditions.latePermille = 0 },
        { $0.conditions.drift = 0 }, { $0.conditions.compactAfterEntries = 50_000 },
        { $0.conditions.syncNanoseconds = 1_000_000 }, { $0.conditions.tableCapacity = 4_096 },
        { schedule in
            let last = schedule.faults.map { $0.at + $0.duration }.max() ?? 0
            schedule.faultTime = min(schedule.faultTime, last + 1_000_000_000)
        },
    ]
}

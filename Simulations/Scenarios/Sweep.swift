/// Many seeds of one profile, and what they came to.
package struct Sweep: Sendable {
    package struct Summary: Sendable {
        package var runs = 0
        package var failed: [(seed: UInt64, violation: Invariant.Violation)] = []
        package var simulatedSeconds = 0.0
        package var events = 0
        package var marks = Marks()

        package init() {}

        package mutating func add(_ result: Run.Result) {
            runs += 1
            if let first = result.violations.first { failed.append((result.schedule.seed, first)) }
            simulatedSeconds += Double(result.simulatedNanoseconds) / 1e9
            events += result.events
            marks.add(result.marks)
        }

        package mutating func add(_ other: Summary) {
            runs += other.runs
            failed += other.failed
            simulatedSeconds += other.simulatedSeconds
            events += other.events
            marks.add(other.marks)
        }
    }

    /// What every sweep of this profile has to come along, if it is long enough to ask.
    package static func required(_ profile: Profile) -> [Marks.Mark] {
        switch profile {
        case .calm: [.election, .takeover]
        case .lossy: [.election, .takeover, .repeatedReport]
        case .split: [.election, .takeover, .zombie, .denied]
        case .disk:
            [
                .election, .takeover, .compaction, .snapshotAdopted, .crashOfLeader, .crashDuringWrite, .tornWrite,
                .crashWithCoversInFlight,
            ]
        case .clock: [.election, .takeover, .zombie]
        case .raft:
            [.election, .compaction, .snapshotAdopted, .crashOfLeader, .crashDuringWrite, .tornWrite, .ruleChange]
        case .elections:
            [.election, .compaction, .snapshotAdopted, .crashOfLeader, .crashDuringWrite, .tornWrite, .ruleChange]
        case .takeovers:
            [
                .election, .takeover, .compaction, .snapshotAdopted, .zombie, .handOver, .ruleChange, .forgotten,
                .repeatedReport,
            ]
        case .clients: [.election, .takeover, .clientCrash]
        case .all:
            [
                .election, .takeover, .compaction, .snapshotAdopted, .crashOfLeader, .crashDuringWrite, .tornWrite,
                .crashWithCoversInFlight, .crashWithWaitersAtOwner, .zombie, .handOver, .ruleChange, .denied, .delayed,
                .forgotten, .allowanceLost, .repeatedReport,
            ]
        case .beyond: []
        }
    }

    /// From so many seeds on the required marks are asked for.
    package static let enoughForMarks = 200
}

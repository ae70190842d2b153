import Raft
import Testing
import WriteAheadLog

/// A log that is an array, and remembers every state that a crash may bring back.
struct LogTwin {
    private(set) var states: [PersistedState]
    /// The first of ``states`` that a crash may bring back.
    private(set) var durable = 0

    init(_ state: PersistedState) { states = [state] }

    var state: PersistedState { states.last! }

    mutating func apply(_ batch: LogBatch) {
        if let hardState = batch.hardState { change { $0.hardState = hardState } }
        if let snapshot = batch.snapshot {
            change { state in
                state.snapshot = snapshot
                state.entries = batch.entriesKeptAfterSnapshot ? state.entries.filter { $0.index > snapshot.index } : []
            }
        }
        for entry in batch.entries {
            change { state in
                state.entries.removeAll { $0.index >= entry.index }
                state.entries.append(entry)
            }
        }
    }

    mutating func saved(_ snapshot: Snapshot) {
        change { state in
            state.snapshot = snapshot
            state.entries.removeAll { $0.index <= snapshot.index }
        }
    }

    mutating func synced() { durable = states.count - 1 }

    mutating func restarted(at state: PersistedState) {
        states = [state]
        durable = 0
    }

    private mutating func change(_ body: (inout PersistedState) -> Void) {
        var next = state
        body(&next)
        states.append(next)
    }

    /// What a restart makes of a state.
    static func restored(_ state: PersistedState) -> PersistedState {
        var state = state
        let base = state.snapshot?.index ?? 0
        let last = state.entries.last?.index ?? base
        state.hardState.commit = max(base, min(last, state.hardState.commit))
        return state
    }

    var brief: [String] { states[durable...].map { Self.brief(Self.restored($0)) } }

    static func brief(_ state: PersistedState) -> String {
        let entries = state.entries.map { "\($0.index):\($0.term)" }.joined(separator: " ")
        let hardState = state.hardState
        return "T\(hardState.term) V\(hardState.vote?.rawValue ?? 0) C\(hardState.commit) "
            + "S\(state.snapshot?.index ?? 0) [\(entries)]"
    }

    func mayRestore(_ restored: PersistedState) -> Bool {
        states[durable...].contains { Self.restored($0) == restored }
    }
}

/// Long random lives of a log, side by side with its twin.
@Suite struct TwinTests {
    /// Makes up what Raft would ask for next: terms grow, nothing committed is replaced.
    struct Workload {
        var generator: SplitMix64
        var number: UInt64 = 0
        var term: Term = 1
        var commit: LogIndex = 0

        mutating func batch(after state: PersistedState) -> LogBatch {
            number += 1
            var batch = LogBatch(number: number, mustSync: true)
            let base = state.snapshot?.index ?? 0
            var last = state.entries.last?.index ?? base
            if generator.chance(10) { term += 1 }
            commit = max(commit, base)
            if generator.chance(4) {
                let index = commit + 1 + LogIndex(generator.below(20))
                batch.snapshot = snapshot(index, term: term, bytes: generator.below(300))
                batch.entriesKeptAfterSnapshot = index <= last && generator.chance(50)
                commit = index
                if !batch.entriesKeptAfterSnapshot { last = index }
                batch.entries = entries(after: last)
            } else if generator.chance(70) {
                let from = generator.chance(20) ? commit + LogIndex(generator.below(Int(last - commit) + 1)) : last
                batch.entries = entries(after: from)
            }
            let end = batch.entries.last?.index ?? last
            if generator.chance(50) { commit += LogIndex(generator.below(Int(end - commit) + 1)) }
            if batch.snapshot != nil || generator.chance(40) {
                let vote = generator.chance(50) ? NodeID(UInt32(1 + generator.below(3))) : nil
                batch.hardState = HardState(term: term, vote: vote, commit: commit)
            }
            return batch
        }

        private mutating func entries(after index: LogIndex) -> [Entry] {
            (0..<generator.below(6)).map {
                Entry(
                    index: index + LogIndex($0) + 1, term: term, kind: generator.chance(10) ? .noop : .command,
                    payload: (0..<generator.below(90)).map { _ in UInt8(truncatingIfNeeded: generator.next()) })
            }
        }
    }

    @Test(arguments: 0..<150) func aRandomLifeIsAsItsTwinSays(seed: Int) throws {
        var workload = Workload(generator: SplitMix64(seed: UInt64(seed)))
        var generator = SplitMix64(seed: UInt64(seed) ^ 0xD15C)
        let options = LogOptions(
            segmentBytes: [512, 1024, 4096][seed % 3], stepBytes: 64 + generator.below(1000))
        var disk = MemoryDisk()
        var (store, restored) = try openStore(disk, options: options)
        var twin = LogTwin(restored)
        var crashes = 0
        for _ in 0..<150 {
            switch generator.below(100) {
            case ..<60:
                let group = (0...generator.below(3)).map { _ in
                    let batch = workload.batch(after: twin.state)
                    twin.apply(batch)
                    return batch
                }
                try store.write(group)
                if generator.chance(70) {
                    try store.sync()
                    twin.synced()
                }
            case ..<75:
                if generator.chance(50) { try store.settle() } else if store.hasHousekeeping { try store.housekeep() }
            // A saved snapshot counts once its file and its record are there; saving is only ever begun below.
            case ..<82:
                let base = twin.state.snapshot?.index ?? 0
                let last = twin.state.entries.last?.index ?? base
                guard last > base else { continue }
                let mark = base + 1 + LogIndex(generator.below(Int(last - base)))
                workload.commit = max(workload.commit, mark)
                let new = snapshot(mark, bytes: generator.below(2000))
                try store.save(new)
                twin.saved(new)
                // With the snapshot, all that was written before it is durable.
                try store.settle()
                twin.synced()
            default:
                crashes += 1
                switch generator.below(4) {
                case 0:
                    disk = disk.crashed(losing: .everything)
                case 1:
                    disk = disk.crashed(losing: .blocks(8 << generator.below(4), seed: generator.next()))
                case 2:
                    disk = disk.killed()
                    twin.restarted(at: twin.state)
                default:
                    try store.close()
                    disk = disk.killed()
                    twin.restarted(at: twin.state)
                }
                (store, restored) = try openStore(disk, options: options)
                let isOne = twin.mayRestore(restored)
                try #require(
                    isOne,
                    "seed \(seed), crash \(crashes): \(LogTwin.brief(restored)), not one of \(twin.brief)")
                twin.restarted(at: restored)
                workload.commit = max(restored.hardState.commit, restored.snapshot?.index ?? 0)
            }
        }
        #expect(crashes > 5)
    }

    @Test(arguments: 0..<40) func aRandomLogWithOneFlippedBitIsWholeOrRefused(seed: Int) throws {
        var workload = Workload(generator: SplitMix64(seed: UInt64(seed) ^ 0xF11B))
        var generator = SplitMix64(seed: UInt64(seed))
        let disk = MemoryDisk()
        var (store, restored) = try openStore(disk)
        var twin = LogTwin(restored)
        for _ in 0..<12 {
            let batch = workload.batch(after: twin.state)
            twin.apply(batch)
            try store.write([batch])
            if generator.chance(60) { try store.sync() }
        }
        try store.sync()
        try store.settle()
        let state = LogTwin.restored(twin.state)
        for _ in 0..<60 {
            let damaged = disk.killed()
            let files = damaged.fileNames
            let file = files[generator.below(files.count)]
            damaged[file]![generator.below(damaged[file]!.count)] ^= 1 << UInt8(generator.below(8))
            CorruptionTests.check(damaged, is: state, "seed \(seed), \(file)")
        }
    }
}

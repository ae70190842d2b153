import Glibc
import Raft
import Synchronization
import Testing
import WriteAheadLog

/// Collects what a log reports from its thread, and lets the test wait for it.
final class Reports: Sendable {
    struct State {
        var durable: [UInt64] = []
        var fatal: [WALError] = []
    }

    private let state = Mutex(State())

    var durable: [UInt64] { state.withLock { $0.durable } }

    var fatal: [WALError] { state.withLock { $0.fatal } }

    func start(_ log: WriteAheadLog) {
        log.start(
            onDurable: { number in self.state.withLock { $0.durable.append(number) } },
            onFatal: { error in self.state.withLock { $0.fatal.append(error) } })
    }

    /// Waits until `condition` holds; fails the test if that takes absurdly long.
    func wait(_ condition: (State) -> Bool) throws { try waitUntil { state.withLock { condition($0) } } }
}

func waitUntil(_ condition: () -> Bool) throws {
    for _ in 0..<60_000 {
        if condition() { return }
        usleep(1000)
    }
    try #require(Bool(false), "waited for a minute")
}

/// Holds the disk's sync until the test lets it go.
final class Gate: Sendable {
    private let state = Mutex((isShut: false, waiting: 0))

    var waiting: Int { state.withLock { $0.waiting } }

    func shut() { state.withLock { $0.isShut = true } }

    func open() { state.withLock { $0.isShut = false } }

    func pass() {
        state.withLock { $0.waiting += 1 }
        while state.withLock({ $0.isShut }) { usleep(200) }
        state.withLock { $0.waiting -= 1 }
    }
}

@Suite struct WriteAheadLogTests {
    static func open(
        _ disk: MemoryDisk, options: LogOptions = LogOptions(segmentBytes: 8192)
    ) throws -> (log: WriteAheadLog, restored: PersistedState) {
        try WriteAheadLog.open(disk: disk, identity: identity, options: options, notice: { _ in })
    }

    static func batch(_ number: UInt64, bytes: Int = 10) -> LogBatch {
        LogBatch(number: number, entries: [entry(number, bytes: bytes)])
    }

    @Test func whatIsReportedDurableSurvivesTheMachine() throws {
        let disk = MemoryDisk()
        let (log, _) = try Self.open(disk)
        let reports = Reports()
        reports.start(log)
        for number in UInt64(1)...50 { try log.submit(Self.batch(number)) }
        try reports.wait { $0.durable.last == 50 }
        #expect(reports.durable == reports.durable.sorted())
        #expect(try openStore(disk.crashed(losing: .everything)).restored.entries == entries(1...50))
        log.close()
        #expect(reports.fatal.isEmpty)
    }

    @Test func allThatWaitShareOneSync() throws {
        let disk = MemoryDisk()
        let gate = Gate()
        let (log, _) = try Self.open(disk)
        // Let the housekeeping of the start pass first.
        let reports = Reports()
        reports.start(log)
        try waitUntil { disk.fileNames.contains("segment-00000002") }
        disk.with { $0.whenSyncing = { _ in gate.pass() } }
        gate.shut()
        try log.submit(Self.batch(1))
        try waitUntil { gate.waiting == 1 }
        for number in UInt64(2)...40 { try log.submit(Self.batch(number)) }
        #expect(log.statistics.queuedBatches == 39)
        #expect(reports.durable.isEmpty)
        gate.open()
        try reports.wait { $0.durable.last == 40 }
        #expect(reports.durable == [1, 40])
        log.close()
        let statistics = log.statistics
        #expect(statistics.syncs == 2)
        #expect(statistics.groups == 2)
        #expect(statistics.batches == 40)
        #expect(statistics.queuedBatches == 0)
        #expect(statistics.meanSyncNanoseconds <= statistics.totalSyncNanoseconds)
    }

    @Test func aBatchThatNeedsNoSyncGetsNone() throws {
        let disk = MemoryDisk()
        let (log, _) = try Self.open(disk)
        let reports = Reports()
        reports.start(log)
        try log.submit(Self.batch(1))
        try log.submit(LogBatch(number: 2, hardState: HardState(term: 0, vote: nil, commit: 1), mustSync: false))
        try reports.wait { $0.durable.last == 2 }
        try log.submit(LogBatch(number: 3, hardState: HardState(term: 0, vote: nil, commit: 1), mustSync: false))
        try reports.wait { $0.durable.last == 3 }
        log.close()
        #expect(log.statistics.syncs == 1)
        #expect(try Self.open(disk.killed()).restored.hardState.commit == 1)
    }

    @Test func aFailedSyncIsFatalOnceAndNothingIsReportedAnyMore() throws {
        let disk = MemoryDisk()
        let (log, _) = try Self.open(disk)
        let reports = Reports()
        reports.start(log)
        try waitUntil { disk.fileNames.contains("segment-00000002") }
        try log.submit(Self.batch(1))
        try reports.wait { $0.durable.last == 1 }
        let error = MemoryDisk.error("syncing")
        disk.with { $0.syncError = error }
        try log.submit(Self.batch(2))
        try reports.wait { !$0.fatal.isEmpty }
        for number in UInt64(3)...9 { try log.submit(Self.batch(number)) }
        log.saveSnapshot(snapshot(1))
        log.close()
        #expect(reports.durable == [1])
        #expect(reports.fatal == [.disk(error)])
        #expect(disk.with { $0.isClosed })
    }

    @Test func theQueueHasRoomForSoManyBatchesAndNotOneMore() throws {
        let disk = MemoryDisk()
        let (log, _) = try Self.open(disk, options: LogOptions(segmentBytes: 8192, queueBatchLimit: 5))
        for number in UInt64(1)...5 { try log.submit(Self.batch(number)) }
        #expect(throws: WALError.queueFull("queueBatchLimit, 5 batches")) { try log.submit(Self.batch(6)) }
        // Nothing of it was taken: it may come again once there is room.
        let reports = Reports()
        reports.start(log)
        try reports.wait { $0.durable.last == 5 }
        try log.submit(Self.batch(6))
        try reports.wait { $0.durable.last == 6 }
        log.close()
        #expect(try openStore(disk.killed()).restored.entries == entries(1...6))
    }

    @Test func theQueueHasRoomForSoManyBytesAndNotOneMore() throws {
        // A batch weighs 48 bytes, and so does each of its entries beside its payload.
        let weight = 48 + 48 + 104
        let options = LogOptions(segmentBytes: 8192, queueByteLimit: 3 * weight)
        let (log, _) = try Self.open(MemoryDisk(), options: options)
        for number in UInt64(1)...2 { try log.submit(Self.batch(number, bytes: 104)) }
        #expect(throws: WALError.queueFull("queueByteLimit, 600 bytes")) { try log.submit(Self.batch(3, bytes: 105)) }
        try log.submit(Self.batch(3, bytes: 104))
        log.close()
        // One batch may always wait, however large.
        let (other, _) = try Self.open(MemoryDisk(), options: LogOptions(segmentBytes: 8192, queueByteLimit: 1))
        try other.submit(Self.batch(1))
        #expect(throws: WALError.self) { try other.submit(Self.batch(2)) }
        other.close()
    }

    @Test func anEntryThatFitsNoSegmentIsRefusedBeforeItIsQueued() throws {
        let options = LogOptions(segmentBytes: 1024)
        let (log, _) = try Self.open(MemoryDisk(), options: options)
        let limit = options.entryByteLimit
        let reports = Reports()
        reports.start(log)
        #expect(throws: WALError.entryTooLarge(bytes: limit + 1, limit: limit)) {
            try log.submit(Self.batch(1, bytes: limit + 1))
        }
        try log.submit(Self.batch(1, bytes: limit))
        try reports.wait { $0.durable == [1] }
        log.close()
    }

    @Test func closingWritesWhatIsQueued() throws {
        let disk = MemoryDisk()
        let (log, _) = try Self.open(disk)
        let reports = Reports()
        reports.start(log)
        for number in UInt64(1)...30 { try log.submit(Self.batch(number)) }
        log.close()
        log.close()
        #expect(reports.durable.last == 30)
        #expect(disk.with { $0.isClosed })
        var notices: [String] = []
        let (_, restored) = try openStore(disk.crashed(losing: .everything), notice: { notices.append($0) })
        #expect(restored.entries == entries(1...30))
        #expect(notices.isEmpty)
        // Nothing is taken any more, and nothing goes wrong.
        try log.submit(Self.batch(31))
        log.saveSnapshot(snapshot(3))
    }

    @Test func aLogMayBeClosedByItsOwnCallbackOrBeForgotten() throws {
        let disk = MemoryDisk()
        do {
            let (log, _) = try Self.open(disk)
            let holder = Mutex<WriteAheadLog?>(log)
            log.start(
                onDurable: { _ in holder.withLock { $0?.close() } }, onFatal: { _ in Issue.record("a healthy disk") })
            try log.submit(Self.batch(1))
            try waitUntil { disk.with { $0.isClosed } }
            holder.withLock { $0 = nil }
        }
        let forgotten = MemoryDisk()
        do {
            let (log, _) = try Self.open(forgotten)
            Reports().start(log)
        }
        try waitUntil { forgotten.with { $0.isClosed } }
        let unstarted = MemoryDisk()
        try Self.open(unstarted).log.close()
        #expect(unstarted.with { $0.isClosed })
    }

    @Test func aSnapshotIsSavedBesideTheBatches() throws {
        let disk = MemoryDisk()
        let (log, _) = try Self.open(disk, options: LogOptions(segmentBytes: 1024, stepBytes: 100))
        let reports = Reports()
        reports.start(log)
        for number in UInt64(1)...200 {
            try log.submit(Self.batch(number))
            if number % 50 == 0 { log.saveSnapshot(snapshot(number, bytes: 700)) }
        }
        try reports.wait { $0.durable.last == 200 }
        try waitUntil { disk.fileNames.contains(FileName.snapshot(SnapshotMark(index: 200, term: 1))) }
        log.close()
        let (_, restored) = try openStore(disk.crashed(losing: .everything))
        #expect(
            restored
                == PersistedState(
                    hardState: HardState(term: 0, vote: nil, commit: 200), snapshot: snapshot(200, bytes: 700)))
        #expect(reports.fatal.isEmpty)
    }
}

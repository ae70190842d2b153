import Glibc
public import Raft

/// The log of one node: batches in, from any thread; a report of what is durable out, from the log's own thread.
///
/// All batches that wait are written together and become durable with one sync (group commit). After an error of the
/// disk nothing is ever reported durable again: the process should end.
public final class WriteAheadLog: Sendable {
    public typealias Options = LogOptions

    private struct State {
        /// The log itself, while it is not in the thread's hands.
        var store: LogStore?
        var thread: WorkerThread?
        var queue: [LogBatch] = []
        var queuedBytes = 0
        var lastNumber: UInt64 = 0
        var snapshot: Snapshot?
        var isClosing = false
        var hasFailed = false
        var statistics = LogStatistics()
    }

    private let monitor: Monitor<State>
    private let options: Options
    /// A random number drawn when the data folder was made: a wiped folder gets another one.
    public let folderID: UInt64

    // MARK: - Opening and closing

    /// Opens the log in the folder `directory`, which is made if it does not exist. Reads all of it; may take seconds.
    ///
    /// - Parameter notice: told, in sentences for the operator, about everything that was repaired.
    /// - Throws: ``WALError/identity(_:)``, ``WALError/corrupted(_:)``, ``WALError/disk(_:)``.
    public static func open(
        directory: String, identity: DataIdentity, options: Options = Options(), notice: (String) -> Void
    ) throws(WALError) -> (log: WriteAheadLog, restored: PersistedState) {
        let disk: FileDisk
        do {
            disk = try FileDisk(path: directory)
        } catch {
            throw .disk(error)
        }
        return try open(disk: disk, identity: identity, options: options, notice: notice)
    }

    /// As ``open(directory:identity:options:notice:)``, on any disk. The disk is closed if opening fails.
    public static func open(
        disk: any Disk, identity: DataIdentity, options: Options = Options(), notice: (String) -> Void
    ) throws(WALError) -> (log: WriteAheadLog, restored: PersistedState) {
        do {
            let (store, restored) = try LogStore.open(
                disk: disk, identity: identity, newFolderID: UInt64.random(in: 1 ... .max), options: options,
                notice: notice)
            return (WriteAheadLog(store: store, options: options), restored)
        } catch {
            disk.close()
            throw error
        }
    }

    private init(store: LogStore, options: Options) {
        self.options = options
        folderID = store.folderID
        monitor = Monitor(State(store: store))
    }

    deinit {
        // Without `close()`, the thread ends on its own once the queue is written.
        monitor.withLock { state in
            state.isClosing = true
            state.thread?.detach()
        }
    }

    /// Starts the thread. What was submitted before is written now. To be called once.
    ///
    /// - Parameters:
    ///   - onDurable: gets the highest batch number that is durable, with all before it; called on the log's thread, and
    ///     must not block. A batch that needs no sync counts as soon as it is written.
    ///   - onFatal: gets the error after which nothing is durable any more, once; called on the log's thread.
    public func start(
        onDurable: @escaping @Sendable (UInt64) -> Void, onFatal: @escaping @Sendable (WALError) -> Void
    ) {
        let monitor = monitor
        monitor.withLock { state in
            guard let store = state.store, state.thread == nil else {
                preconditionFailure("a log is started once, before it is closed")
            }
            state.store = nil
            state.thread = WorkerThread(name: "millrace-log") {
                Self.run(store, monitor, onDurable: onDurable, onFatal: onFatal)
            }
        }
    }

    /// Writes what is queued and that the process ended in good order, ends the thread, and gives the folder back.
    /// Blocks until that is done. Further calls do nothing.
    public func close() {
        let (thread, unstarted) = monitor.withLock { state in
            let taken = (state.thread, state.store)
            state.isClosing = true
            state.thread = nil
            state.store = nil
            return taken
        }
        if let thread {
            // From a callback: the thread ends when the callback returns.
            if thread.isCurrent { thread.detach() } else { thread.join() }
        }
        if var unstarted { try? unstarted.close() }
    }

    // MARK: - Submitting

    /// Queues a batch. Blocks for no longer than it takes to append it to the queue.
    ///
    /// - Throws: ``WALError/queueFull(_:)`` or ``WALError/entryTooLarge(bytes:limit:)``: the batch was not taken. After
    ///   `queueFull`, ask the consensus core for nothing more before the next `onDurable`, then submit it again.
    public func submit(_ batch: LogBatch) throws(WALError) {
        try batch.check(entryByteLimit: options.entryByteLimit)
        let refusal = monitor.withLock { state -> WALError? in
            precondition(batch.number > state.lastNumber, "batch \(batch.number) after batch \(state.lastNumber)")
            // Expected between an error and the end of the process: nobody will be told that the batch is durable.
            guard !state.hasFailed, !state.isClosing else { return nil }
            let weight = batch.weight
            if state.queue.count >= options.queueBatchLimit {
                return .queueFull("queueBatchLimit, \(options.queueBatchLimit) batches")
            }
            if !state.queue.isEmpty, state.queuedBytes + weight > options.queueByteLimit {
                return .queueFull("queueByteLimit, \(options.queueByteLimit) bytes")
            }
            state.lastNumber = batch.number
            state.queue.append(batch)
            state.queuedBytes += weight
            return nil
        }
        if let refusal { throw refusal }
    }

    /// Saves a snapshot made from the log, on the log's thread and piece by piece between batches; then whole segments
    /// and snapshots that are no longer needed are deleted. The two newest snapshots stay, and the entries after the
    /// older one. The snapshot's index must not be beyond what was submitted. A newer snapshot replaces one that waits.
    public func saveSnapshot(_ snapshot: Snapshot) {
        monitor.withLock { state in
            guard !state.hasFailed, !state.isClosing else { return }
            state.snapshot = snapshot
        }
    }

    public var statistics: LogStatistics {
        monitor.withLock { state in
            var statistics = state.statistics
            statistics.queuedBatches = state.queue.count
            return statistics
        }
    }

    // MARK: - The thread

    /// What there is to do next.
    private enum Work {
        case group([LogBatch], Snapshot?)
        case housekeeping
        case close
    }

    private static func run(
        _ opened: LogStore, _ monitor: Monitor<State>, onDurable: (UInt64) -> Void, onFatal: (WALError) -> Void
    ) {
        var store = opened
        do throws(WALError) {
            while true {
                let isIdle = !store.hasHousekeeping
                switch monitor.wait({ state in nextWork(&state, canWait: isIdle) }) {
                case .group(let batches, let snapshot):
                    try write(batches, to: &store, monitor, onDurable: onDurable)
                    if let snapshot { try store.save(snapshot) }
                    if store.isHousekeepingUrgent { try store.housekeep() }
                case .housekeeping:
                    try store.housekeep()
                case .close:
                    try store.close()
                    return
                }
            }
        } catch {
            monitor.withLock { state in
                state.hasFailed = true
                state.queue = []
                state.queuedBytes = 0
                state.snapshot = nil
            }
            onFatal(error)
            store.abandon()
        }
    }

    private static func nextWork(_ state: inout State, canWait: Bool) -> Work? {
        if !state.queue.isEmpty || state.snapshot != nil {
            let work = Work.group(state.queue, state.snapshot)
            state.queue = []
            state.queuedBytes = 0
            state.snapshot = nil
            return work
        }
        if state.isClosing { return .close }
        return canWait ? nil : .housekeeping
    }

    private static func write(
        _ batches: [LogBatch], to store: inout LogStore, _ monitor: Monitor<State>, onDurable: (UInt64) -> Void
    ) throws(WALError) {
        guard let last = batches.last else { return }
        try store.write(batches)
        var syncTime: UInt64?
        if batches.contains(where: \.mustSync) {
            let start = now()
            try store.sync()
            syncTime = now() - start
        }
        onDurable(last.number)
        let (bytes, segments) = (store.bytesWritten, store.segmentCount)
        monitor.withLock { state in
            state.statistics.batches += UInt64(batches.count)
            state.statistics.groups += 1
            state.statistics.bytes = bytes
            state.statistics.segments = segments
            if let syncTime {
                state.statistics.syncs += 1
                state.statistics.lastSyncNanoseconds = syncTime
                state.statistics.totalSyncNanoseconds += syncTime
            }
        }
    }

    private static func now() -> UInt64 {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
    }
}

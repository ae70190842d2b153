public import Raft

/// The log in a data folder: everything but the thread and the queue, which ``WriteAheadLog`` adds. It waits for nothing
/// but its ``Disk``, so a simulation can run it on a simulated one.
///
/// Use: ``write(_:)``, then ``sync()`` if any batch asked for it, then tell those who wait. In between, whenever there is
/// time, ``housekeep()``. After an error of the disk nothing is written any more and every call throws that same error:
/// a disk that failed to write may say later that all is well, with the data gone (Rebello et al., "Can applications
/// recover from fsync failures?", ATC 2020).
public struct LogStore: Sendable {
    let disk: any Disk
    let options: LogOptions
    /// A random number drawn when the data folder was made: a wiped folder gets another one.
    public let folderID: UInt64

    var appender: LogAppender
    var spare: SpareSegment
    var saving: SnapshotSaving?
    /// The snapshots whose files are in the folder.
    var snapshotFiles: [SnapshotMark]
    /// Whether every snapshot record is durable: before that, the files that the older ones speak of are needed.
    private var snapshotsAreDurable = true
    /// Whether something was written that no sync covers.
    private var needsSync = false
    /// The error after which nothing is written any more.
    public private(set) var failure: DiskError?

    /// Bytes written to segments since the store was opened.
    public private(set) var bytesWritten: UInt64 = 0
    /// Syncs of segments since the store was opened.
    public private(set) var syncs: UInt64 = 0

    init(
        disk: any Disk, options: LogOptions, folderID: UInt64, appender: LogAppender, spare: SpareSegment.State,
        snapshotFiles: [SnapshotMark]
    ) {
        self.disk = disk
        self.options = options
        self.folderID = folderID
        self.appender = appender
        self.spare = SpareSegment(state: spare)
        self.snapshotFiles = snapshotFiles
    }

    /// How many segments hold records.
    public var segmentCount: Int { appender.outline.segments.count }

    /// Where the next record goes.
    public var end: LogPosition { appender.end }

    // MARK: - Writing

    /// Writes the batches in their order: one write for each segment they touch. Nothing is durable before ``sync()``.
    ///
    /// - Throws: ``WALError/entryTooLarge(bytes:limit:)`` if any entry is; then nothing was written. ``WALError/disk(_:)``.
    public mutating func write(_ batches: [LogBatch]) throws(WALError) {
        for batch in batches { try batch.check(entryByteLimit: options.entryByteLimit) }
        try latching { store throws(DiskError) in
            for batch in batches {
                if let snapshot = batch.snapshot { try store.install(snapshot) }
                // The hard state comes first: no entry may be durable before its term.
                if let hardState = batch.hardState { try store.append(.hardState(hardState)) }
                if let snapshot = batch.snapshot {
                    let discards = !batch.entriesKeptAfterSnapshot
                    try store.append(.snapshot(SnapshotMark(snapshot), discardsLog: discards))
                }
                for entry in batch.entries { try store.append(.entry(entry)) }
            }
            try store.flush()
        }
    }

    /// Makes everything written so far durable. Does nothing if it is.
    public mutating func sync() throws(WALError) {
        try latching { store throws(DiskError) in try store.syncSegment() }
    }

    /// Writes that the process ended in good order, and gives the folder back. The store is of no use afterwards.
    public mutating func close() throws(WALError) {
        defer { disk.close() }
        try latching { store throws(DiskError) in
            try store.syncSegment()
            // Not worth failing for: without the record the next start only knows less about damage at the end.
            guard store.appender.fits(.closed) || store.spare.state == .ready else { return }
            try store.append(.closed)
            try store.flush()
            try store.syncSegment()
            if store.appender.lacksPredecessorProof { try store.notePredecessorProof() }
        }
    }

    /// Gives the folder back after an error, without another write.
    func abandon() { disk.close() }

    private mutating func append(_ record: LogRecord) throws(DiskError) {
        if case .entry(let entry) = record {
            precondition(
                entry.index > 0 && entry.index <= appender.outline.lastIndex + 1,
                "entry \(entry.index) would leave a gap after entry \(appender.outline.lastIndex)")
        }
        if !appender.fits(record) { try roll() }
        if case .snapshot = record { snapshotsAreDurable = false }
        appender.append(record)
    }

    /// Goes on in the next segment. What is in the old one becomes durable first.
    private mutating func roll() throws(DiskError) {
        try flush()
        try syncSegment()
        let next = appender.end.segment + 1
        while spare.state != .ready { try spare.step(number: next, on: disk, options: options) }
        spare.state = .absent
        appender.beginSegment(segmentBytes: options.segmentBytes)
    }

    private mutating func flush() throws(DiskError) {
        guard let piece = appender.takePending() else { return }
        needsSync = true
        let file = FileName.segment(piece.position.segment)
        try disk.write(piece.bytes, to: file, at: Int(piece.position.offset))
        bytesWritten += UInt64(piece.bytes.count)
    }

    private mutating func syncSegment() throws(DiskError) {
        guard needsSync else { return }
        try disk.sync(FileName.segment(appender.end.segment))
        syncs += 1
        needsSync = false
        snapshotsAreDurable = true
        appender.synced()
    }

    private mutating func latching(_ body: (inout LogStore) throws(DiskError) -> Void) throws(WALError) {
        if let failure { throw .disk(failure) }
        do {
            try body(&self)
        } catch {
            failure = error
            throw .disk(error)
        }
    }

    // MARK: - Snapshots

    /// A received snapshot's file is durable before any record speaks of it.
    private mutating func install(_ snapshot: Snapshot) throws(DiskError) {
        precondition(snapshot.index > 0, "the snapshot of index 0 is nothing at all")
        try saving?.cancel(on: disk)
        saving = nil
        let mark = SnapshotMark(snapshot)
        try disk.writeWhole(SnapshotFile.encode(snapshot, folder: folderID), to: FileName.snapshot(mark))
        if !snapshotFiles.contains(mark) { snapshotFiles.append(mark) }
    }

    /// Begins to save a snapshot made from the log, which lets older entries go; ``housekeep()`` does the work. One that
    /// is still being saved is given up for the newer one.
    public mutating func save(_ snapshot: Snapshot) throws(WALError) {
        // Overtaken by one that the leader sent: expected, nothing to do.
        guard snapshot.index > appender.outline.bases.last!.index, snapshot.index > saving?.mark.index ?? 0 else {
            return
        }
        precondition(
            snapshot.index <= appender.outline.lastIndex,
            "the snapshot of entry \(snapshot.index) goes beyond the log, which ends with \(appender.outline.lastIndex)"
        )
        try latching { store throws(DiskError) in
            try store.saving?.cancel(on: store.disk)
            store.saving = SnapshotSaving(snapshot, folder: store.folderID)
        }
    }

    // MARK: - Housekeeping

    /// Whether ``housekeep()`` has anything to do.
    public var hasHousekeeping: Bool {
        failure == nil
            && (canProve || appender.lacksPredecessorProof || saving != nil || obsoleteFile != nil || wantsSpare)
    }

    /// Whether some of it should not wait until nothing else is to be done.
    public var isHousekeepingUrgent: Bool {
        failure == nil && (saving != nil || obsoleteFile != nil || isSpareLate || appender.lacksPredecessorProof)
    }

    /// Notes how far the log is durable, and does some of the work that nobody waits for: at most one bounded piece
    /// (``LogOptions/stepBytes``) each of saving a snapshot (or deleting a file that is no longer needed) and of preparing
    /// the next segment, so that neither can keep the other from being done.
    public mutating func housekeep() throws(WALError) {
        try latching { store throws(DiskError) in
            if store.canProve { try store.noteDurableEnd() }
            if store.appender.lacksPredecessorProof { try store.notePredecessorProof() }
            let isSpareLate = store.isSpareLate
            if isSpareLate { try store.stepSpare() }
            if store.saving != nil {
                try store.stepSaving()
            } else if let file = store.obsoleteFile {
                try store.removeObsolete(file)
            } else if !isSpareLate, store.wantsSpare {
                try store.stepSpare()
            }
        }
    }

    /// Whether it can be noted how far the log is durable: where no more records fit, that takes a new segment.
    private var canProve: Bool { appender.lacksProof && (appender.fits(.durable) || spare.state == .ready) }

    /// Writes how far the log is durable, without a sync: from then on damage to what was just synced can be told from a
    /// write that a crash interrupted.
    private mutating func noteDurableEnd() throws(DiskError) {
        // A new segment's first record says it as well.
        if appender.fits(.durable) { appender.append(.durable) } else { try roll() }
        try flush()
    }

    private mutating func notePredecessorProof() throws(DiskError) {
        guard let piece = appender.takePredecessorProof() else { return }
        let file = FileName.segment(piece.position.segment)
        try disk.write(piece.bytes, to: file, at: Int(piece.position.offset))
        try disk.sync(file)
        disk.release(file)
    }

    private var wantsSpare: Bool { spare.state != .ready && spare.state != .postponed }

    /// Whether preparing the next segment lags behind the filling of this one.
    private var isSpareLate: Bool {
        switch spare.state {
        case .absent: true
        case .writing(let written): written < Int(appender.end.offset)
        case .ready, .postponed: false
        }
    }

    private mutating func stepSpare() throws(DiskError) {
        try spare.stepIfRoom(number: appender.end.segment + 1, on: disk, options: options)
    }

    private mutating func stepSaving() throws(DiskError) {
        guard try saving!.step(on: disk, stepBytes: options.stepBytes) else { return }
        let mark = saving!.mark
        saving = nil
        snapshotFiles.append(mark)
        try append(.snapshot(mark, discardsLog: false))
        try flush()
        try syncSegment()
    }

    private enum Obsolete {
        case segment(UInt32)
        case snapshot(SnapshotMark)
    }

    private var obsoleteFile: Obsolete? {
        guard snapshotsAreDurable else { return nil }
        // The oldest segment that stays must be there after a crash: the current one, at worst.
        let isCurrentDurable = appender.durableEnd.segment == appender.end.segment
        if isCurrentDurable, let segment = appender.outline.removableSegment { return .segment(segment) }
        let bases = appender.outline.bases
        return snapshotFiles.first { !bases.contains($0) }.map { .snapshot($0) }
    }

    private mutating func removeObsolete(_ file: Obsolete) throws(DiskError) {
        switch file {
        case .segment(let number):
            try disk.remove(FileName.segment(number))
            appender.removeOldestSegment()
        case .snapshot(let mark):
            try disk.remove(FileName.snapshot(mark))
            snapshotFiles.removeAll { $0 == mark }
        }
        if spare.state == .postponed { spare.state = .absent }
    }
}

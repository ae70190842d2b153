import ByteCoding
package import Raft

/// Reads a log back: segments in, oldest first, then the snapshots; out comes what the process knew, or the reason why
/// that cannot be told. A value without I/O.
///
/// Reading stops at the first record that is not whole. If anything later says that this place had been durable, a
/// record was damaged that somebody may rely on: ``LogCorrupted``. Otherwise it was never acknowledged (a crash may
/// leave any part of what was not synced), and the log is cut there.
package struct LogRecovery: Sendable {
    /// What became of a snapshot's file.
    package enum SnapshotLookup: Sendable {
        case found(Snapshot)
        /// Why the file cannot be used.
        case unusable(String)
    }

    /// A change to a file that must be made, and be durable, before the log is continued.
    package enum Repair: Equatable, Sendable {
        /// Overwrite with zeros: else what is left there could later be taken for a part of the log.
        case zero(segment: UInt32, range: Range<Int>)
        case remove(segment: UInt32)
    }

    package struct Outcome: Sendable {
        package var state: PersistedState
        package var outline: LogOutline
        package var end: LogPosition
        package var segmentBytes: Int
        package var chain: UInt32
        /// Where the segment before the last one ends, if it was read.
        package var predecessorEnd: LogPosition?
        package var repairs: [Repair]
        /// For the operator, one sentence each.
        package var notices: [String]
        /// Whether the last process ended in good order.
        package var wasClosed: Bool
    }

    /// Where and why reading stopped.
    private struct Stop {
        var position: LogPosition
        var reason: String
        var scan: TailScan

        /// Fails if anything says that the log had been durable beyond this place.
        func check(_ provenEnd: LogPosition) throws(LogCorrupted) {
            guard provenEnd > position else { return }
            throw LogCorrupted(
                file: FileName.segment(position.segment), offset: Int(position.offset),
                reason: "\(reason), and a later record proves that the log had been durable up to \(provenEnd)")
        }
    }

    private let folder: UInt64
    private var outline = LogOutline()
    /// Entries after ``base``, without gaps.
    private var entries: [Entry] = []
    private var base: LogIndex = 0
    private var chain: UInt32 = 0
    private var stop: Stop?
    private var predecessorEnd: LogPosition?
    private var segmentBytes = 0
    private var lastNumber: UInt32?
    private var wasClosed = false
    private var repairs: [Repair] = []
    private var notices: [String] = []

    package init(folder: UInt64) { self.folder = folder }

    /// Reads the next segment.
    package mutating func add(segment number: UInt32, _ bytes: [UInt8]) throws(LogCorrupted) {
        if let lastNumber, number != lastNumber + 1 {
            throw LogCorrupted(file: FileName.segment(lastNumber + 1), offset: 0, reason: "the file is missing")
        }
        lastNumber = number
        let place = ChecksumSeed(folder: folder, segment: number)
        if let start = try readStart(segment: number, bytes, place: place) {
            try read(segment: number, bytes, from: start, place: place)
        } else if let stop {
            // Nothing in this file continues the log. It is a spare, or was one when the process ended.
            let scan = TailScan(bytes, from: 0, place: place)
            try stop.check(max(stop.scan.provenEnd, scan.provenEnd))
            if scan.contentEnd > 0 {
                repairs.append(.remove(segment: number))
                notices.append(
                    "\(FileName.segment(number)) was begun but not finished before the crash: removed, "
                        + "\(scan.contentEnd) bytes")
            }
        }
    }

    /// - Returns: where the records after the segment's first one begin; nil if this segment does not continue the log.
    private mutating func readStart(
        segment number: UInt32, _ bytes: [UInt8], place: ChecksumSeed
    ) throws(LogCorrupted) -> Int? {
        func damaged(_ reason: String) -> LogCorrupted {
            LogCorrupted(file: FileName.segment(number), offset: 0, reason: reason)
        }
        guard let header = RecordHeader(bytes, at: 0, place: place), header.bodyIsWhole(in: bytes, at: 0) else {
            // The identity is written only once the first segment's first record is durable.
            if stop == nil { throw damaged("the segment's first record is not readable") }
            return nil
        }
        let record: LogRecord
        do {
            record = try LogRecord(header: header, in: bytes, at: 0)
        } catch {
            throw damaged(error.description)
        }
        guard case .segmentStart(let start) = record else {
            throw damaged("a segment must begin with its start record")
        }
        if let stop {
            guard start.previousEnd == stop.position, header.previous == chain else {
                throw LogCorrupted(
                    file: FileName.segment(stop.position.segment), offset: Int(stop.position.offset),
                    reason: "\(stop.reason), yet the next segment says that the log goes on to \(start.previousEnd)")
            }
            predecessorEnd = stop.position
            self.stop = nil
        } else {
            base = start.lastIndex
        }
        outline.apply(record, segment: number)
        chain = header.checksum
        wasClosed = false
        return header.recordSize
    }

    private mutating func read(
        segment number: UInt32, _ bytes: [UInt8], from start: Int, place: ChecksumSeed
    ) throws(LogCorrupted) {
        segmentBytes = bytes.count & ~(RecordHeader.alignment - 1)
        var offset = start
        var reason = "a record is not readable"
        while let header = RecordHeader(bytes, at: offset, place: place) {
            let position = LogPosition(segment: number, offset: UInt32(offset))
            // A record that knows of later segments is no part of the chain (``LogAppender/takePredecessorProof()``).
            guard header.durableEnd.segment <= number else { break }
            guard header.previous == chain else {
                reason = "a record does not follow the one before it"
                if header.durableEnd >= position {
                    throw LogCorrupted(
                        file: FileName.segment(number), offset: offset, reason: reason + ", which had been durable")
                }
                break
            }
            guard header.bodyIsWhole(in: bytes, at: offset) else {
                reason = "the checksum of a record's body does not match"
                break
            }
            do {
                try apply(try LogRecord(header: header, in: bytes, at: offset), segment: number)
            } catch {
                // Not damage, the checksums are right: cutting this off would lose what was meant to be there.
                throw LogCorrupted(file: FileName.segment(number), offset: offset, reason: error.description)
            }
            chain = header.checksum
            offset += header.recordSize
        }
        let scan = TailScan(bytes, from: offset, place: place)
        let stop = Stop(position: LogPosition(segment: number, offset: UInt32(offset)), reason: reason, scan: scan)
        self.stop = stop
        // That the log goes on in the next segment is for the next segment to show.
        if scan.provenEnd.segment == number { try stop.check(scan.provenEnd) }
    }

    private mutating func apply(_ record: LogRecord, segment number: UInt32) throws(DecodingFailure) {
        switch record {
        case .segmentStart:
            throw DecodingFailure("a segment's start record in the middle of a segment")
        case .entry(let entry):
            guard entry.index > 0, entry.index <= base + LogIndex(entries.count) + 1 else {
                throw DecodingFailure("entry \(entry.index) after entry \(base + LogIndex(entries.count))")
            }
            if entry.index <= base {
                base = entry.index - 1
                entries.removeAll(keepingCapacity: true)
            } else {
                entries.removeLast(entries.count - Int(entry.index - base - 1))
            }
            entries.append(entry)
        case .snapshot(let mark, let discardsLog):
            if discardsLog {
                entries.removeAll()
                base = mark.index
            }
        case .hardState, .durable, .closed:
            break
        }
        outline.apply(record, segment: number)
        if case .closed = record { wasClosed = true } else { wasClosed = false }
        if case .snapshot = record { dropEntries(upTo: outline.bases[0].index) }
    }

    private mutating func dropEntries(upTo index: LogIndex) {
        guard index > base else { return }
        entries.removeFirst(min(entries.count, Int(index - base)))
        base = index
    }

    /// Puts the state together, after the last segment. `lookUp` reads a snapshot's file.
    package consuming func finish(_ lookUp: (SnapshotMark) -> SnapshotLookup) throws(LogCorrupted) -> Outcome {
        guard let stop else {
            throw LogCorrupted(file: FileName.segment(1), offset: 0, reason: "there is no segment at all")
        }
        try stop.check(stop.scan.provenEnd)
        let cut = Int(stop.position.offset)
        if stop.scan.contentEnd > cut {
            repairs.append(.zero(segment: stop.position.segment, range: cut..<stop.scan.contentEnd))
            notices.append(
                "\(stop.position): the last \(stop.scan.contentEnd - cut) bytes were not completely written before the crash "
                    + "(\(stop.reason)): cut off, as nothing says that they had been durable")
            wasClosed = false
        }
        let snapshot = try chooseSnapshot(lookUp)
        if let snapshot { dropEntries(upTo: snapshot.index) }
        var hardState = outline.hardState
        // The commit index is written before the entries it speaks of, and is only a hint: what was cut off is not there.
        let last = max(snapshot?.index ?? 0, base + LogIndex(entries.count))
        hardState.commit = max(min(hardState.commit, last), snapshot?.index ?? 0)
        return Outcome(
            state: PersistedState(hardState: hardState, snapshot: snapshot, entries: entries), outline: outline,
            end: stop.position, segmentBytes: segmentBytes, chain: chain, predecessorEnd: predecessorEnd,
            repairs: repairs, notices: notices, wasClosed: wasClosed)
    }

    /// The newest snapshot that is readable and that the entries lead on from.
    private mutating func chooseSnapshot(
        _ lookUp: (SnapshotMark) -> SnapshotLookup
    ) throws(LogCorrupted) -> Snapshot? {
        var failure: LogCorrupted?
        for mark in outline.bases.reversed() {
            guard mark.index >= base else { break }
            if mark.index == 0 {
                return nil
            }
            switch lookUp(mark) {
            case .found(let snapshot):
                return snapshot
            case .unusable(let reason):
                outline.removeBaseIfNotLast(mark)
                notices.append("\(FileName.snapshot(mark)): \(reason); trying the snapshot before it")
                failure = failure ?? LogCorrupted(file: FileName.snapshot(mark), offset: 0, reason: reason)
            }
        }
        let start = FileName.segment(outline.segments[0].number)
        throw failure.map {
            LogCorrupted(file: $0.file, offset: 0, reason: $0.reason + ", and the log does not reach back far enough")
        } ?? LogCorrupted(file: start, offset: 0, reason: "the log begins after entry \(base): older files are missing")
    }
}

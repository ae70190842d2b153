package import Raft

/// What is known about the log without its entries. Writer and recovery feed the same records to the same value, so they
/// cannot disagree about what may be deleted.
package struct LogOutline: Equatable, Sendable {
    /// How many entries of ``bases`` there are at most: two.
    package static let baseLimit = 2

    package struct Segment: Equatable, Sendable {
        package var number: UInt32
        /// The highest index of an entry in the segment that may still count.
        package var highestIndex: LogIndex
    }

    package private(set) var hardState = HardState()
    package private(set) var lastIndex: LogIndex = 0
    package private(set) var lastTerm: Term = 0

    /// The states that the entries on disk lead on from, oldest first: the newest snapshot and the one before it, which
    /// is there in case the newest turns out damaged. At first it is "nothing" (``SnapshotMark/genesis``).
    package private(set) var bases: [SnapshotMark] = [.genesis]

    /// The segments with records in them, oldest first.
    package private(set) var segments: [Segment] = []

    package init() {}

    /// Takes note of a record in the segment `number`.
    package mutating func apply(_ record: LogRecord, segment number: UInt32) {
        switch record {
        case .segmentStart(let start):
            hardState = start.hardState
            lastIndex = start.lastIndex
            lastTerm = start.lastTerm
            bases = start.bases
            segments.append(Segment(number: number, highestIndex: 0))
        case .hardState(let state):
            hardState = state
        case .entry(let entry):
            lastIndex = entry.index
            lastTerm = entry.term
            let last = segments.count - 1
            segments[last].highestIndex = max(segments[last].highestIndex, entry.index)
        case .snapshot(let mark, let discardsLog):
            if discardsLog {
                lastIndex = mark.index
                lastTerm = mark.term
                bases = [mark]
                for i in segments.indices { segments[i].highestIndex = 0 }
            } else {
                bases = bases.suffix(Self.baseLimit - 1) + [mark]
            }
        case .durable, .closed:
            break
        }
    }

    /// The oldest segment, if the entries in it are all covered by the oldest base; never the last segment.
    package var removableSegment: UInt32? {
        guard segments.count > 1, segments[0].highestIndex <= bases[0].index else { return nil }
        return segments[0].number
    }

    package mutating func removeOldestSegment() {
        precondition(segments.count > 1, "the last segment is never removed")
        segments.removeFirst()
    }

    /// Forgets a base whose snapshot turned out to be damaged.
    package mutating func removeBaseIfNotLast(_ mark: SnapshotMark) {
        if bases.count > 1 { bases.removeAll { $0 == mark } }
    }
}

package import Raft

/// Which entry a snapshot stands for. Index 0 is the state before the first entry, which needs no file.
package struct SnapshotMark: Equatable, Hashable, Sendable {
    package var index: LogIndex
    package var term: Term

    package init(index: LogIndex, term: Term) {
        self.index = index
        self.term = term
    }

    package init(_ snapshot: Snapshot) {
        self.init(index: snapshot.index, term: snapshot.term)
    }

    package static let genesis = SnapshotMark(index: 0, term: 0)
}

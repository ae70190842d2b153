/// The part of a snapshot that has arrived.
struct IncomingSnapshot: Sendable {
    private let index: LogIndex
    private let term: Term
    private let voters: [NodeID]
    private let totalBytes: UInt64
    private let checksum: UInt64
    var data: [UInt8] = []

    init(_ chunk: SnapshotChunk) {
        index = chunk.index
        term = chunk.term
        voters = chunk.voters
        totalBytes = chunk.totalBytes
        checksum = chunk.checksum
    }

    func isSame(as other: IncomingSnapshot) -> Bool {
        index == other.index && term == other.term && voters == other.voters && totalBytes == other.totalBytes
            && checksum == other.checksum
    }
}

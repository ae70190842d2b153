/// A snapshot on its way to a follower, one chunk at a time. It holds on to its snapshot: if every compaction started
/// the transfer again, a slow follower would never see the end of one.
struct SnapshotTransfer: Sendable {
    let snapshot: Snapshot
    let checksum: UInt64
    /// The bytes before it have arrived.
    var offset = 0
    /// The tick at which the chunk at `offset` was sent, or nil if it is to be sent.
    var sentAt: UInt64?

    init(snapshot: Snapshot, checksum: UInt64) {
        self.snapshot = snapshot
        self.checksum = checksum
    }
}

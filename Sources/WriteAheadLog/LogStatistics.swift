/// What a log has done since it was opened, for metrics.
public struct LogStatistics: Equatable, Sendable {
    /// Batches written.
    public var batches: UInt64 = 0
    /// Groups of batches that were written, and synced if need be, together.
    public var groups: UInt64 = 0
    /// Bytes written to segments.
    public var bytes: UInt64 = 0
    /// Syncs that batches waited for.
    public var syncs: UInt64 = 0
    /// How long the last one took, in nanoseconds.
    public var lastSyncNanoseconds: UInt64 = 0
    /// How long all of them took together, in nanoseconds.
    public var totalSyncNanoseconds: UInt64 = 0
    /// How many segments hold records.
    public var segments: Int = 0
    /// Batches waiting to be written.
    public var queuedBatches: Int = 0

    public init() {}

    /// How long a sync took on average, in nanoseconds; 0 before the first.
    public var meanSyncNanoseconds: UInt64 { syncs == 0 ? 0 : totalSyncNanoseconds / syncs }
}

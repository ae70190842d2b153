/// Sizes and limits of a log.
public struct LogOptions: Equatable, Sendable {
    /// The smallest ``segmentBytes`` that makes sense.
    public static let leastSegmentBytes = 512

    /// How large a segment file is created, in bytes; a multiple of 8, at most 1 GiB. May change between starts.
    public var segmentBytes: Int
    /// How many batches may wait for the disk; one more is refused with ``WALError/queueFull(_:)``.
    public var queueBatchLimit: Int
    /// How many bytes may wait for the disk, in batches of together at most this weight (one batch may always wait).
    public var queueByteLimit: Int
    /// How much is written between two looks at the queue when a segment is prepared or a snapshot saved, in bytes:
    /// a batch never waits for more than that.
    public var stepBytes: Int

    public init(
        segmentBytes: Int = 16 << 20, queueBatchLimit: Int = 4096, queueByteLimit: Int = 64 << 20,
        stepBytes: Int = 1 << 20
    ) {
        precondition(
            segmentBytes >= Self.leastSegmentBytes && segmentBytes <= 1 << 30 && segmentBytes % 8 == 0,
            "segmentBytes must be a multiple of 8 from \(Self.leastSegmentBytes) to 1 GiB, not \(segmentBytes)")
        precondition(queueBatchLimit > 0 && queueByteLimit > 0 && stepBytes > 0, "limits must be positive")
        self.segmentBytes = segmentBytes
        self.queueBatchLimit = queueBatchLimit
        self.queueByteLimit = queueByteLimit
        self.stepBytes = stepBytes
    }

    /// The largest payload an entry may have, in bytes: it must fit into one segment.
    public var entryByteLimit: Int { segmentBytes - SegmentStart.maximumRecordSize - 2 * RecordHeader.size }
}

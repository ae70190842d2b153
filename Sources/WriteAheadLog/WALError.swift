/// Why the log cannot be opened or continued.
public enum WALError: Error, Equatable, Sendable, CustomStringConvertible {
    /// The disk failed, is full, or the folder cannot be used.
    case disk(DiskError)
    /// Something durable is damaged or missing.
    case corrupted(LogCorrupted)
    /// The folder belongs to another node or cluster.
    case identity(IdentityMismatch)
    /// An entry's payload is larger than ``LogOptions/entryByteLimit``; the batch was not taken.
    case entryTooLarge(bytes: Int, limit: Int)
    /// ``LogOptions/queueBatchLimit`` or ``LogOptions/queueByteLimit`` is reached, as the text says; the batch was not
    /// taken and may be submitted again after the next report of something durable.
    case queueFull(String)

    public var description: String {
        switch self {
        case .disk(let error): error.description
        case .corrupted(let error): error.description
        case .identity(let error): error.description
        case .entryTooLarge(let bytes, let limit):
            "A log entry of \(bytes) bytes is larger than \(limit), the most that fits into a segment "
                + "(entryByteLimit). Raise segmentBytes on every node, or make the entry smaller."
        case .queueFull(let limit):
            "The log's queue is full (\(limit)): the disk does not keep up."
        }
    }
}

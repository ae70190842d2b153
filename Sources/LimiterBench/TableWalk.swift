internal import CTableWalk
public import LimiterCore

/// The table of allowances in C, as a reference: the same records, probing, locks and spending (`table_walk.h`).
///
/// `@unchecked Sendable`: the C code locks what it touches.
public final class TableWalk: @unchecked Sendable {
    private let table: OpaquePointer

    /// An empty table for so many records, in shards with a lock each (a power of two); nil without memory.
    public init?(capacity: Int, shards: Int) {
        guard let table = table_walk_create(capacity, shards) else { return nil }
        self.table = table
    }

    deinit { table_walk_destroy(table) }

    /// Adds a record that may be spent up to `end`; false if there is no room.
    public func insert(_ id: BucketID, end: Int64) -> Bool { table_walk_insert(table, id.high, id.low, 0, end) }

    /// Spends `time` nanoseconds, one token, at the stretched clock `scaled`; what the record still holds, or -1 if it did not hold
    /// so much.
    @inline(__always)
    public func spend(_ id: BucketID, time: Int64, scaled: Int64) -> Int64 {
        table_walk_spend(table, id.high, id.low, time, 1, scaled)
    }
}

package import LimiterCore

/// A node's allowances in one plain table, without locks.
package final class TableStore: AllowanceStore {
    @exclusivity(unchecked) var table: AllowanceTable

    package init(capacity: Int) { table = AllowanceTable(capacity: capacity) }

    package func withTable<Result>(for id: BucketID, _ body: (inout AllowanceTable) -> Result) -> Result {
        body(&table)
    }

    package func withEachTable(_ body: (inout AllowanceTable) -> Void) { body(&table) }
}

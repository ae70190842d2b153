package import LimiterCore
package import NodeRuntime

/// A machine of a ``SimulatedCluster``: its disk and its clock outlive the process that runs on it.
package final class SimulatedNode {
    /// What is lost when the process dies.
    package final class Process {
        package var runtime: NodeRuntime<TableStore>
        package let store: TableStore
        package let incarnation: UInt64
        package var directory: RuleDirectory?

        init(runtime: consuming NodeRuntime<TableStore>, store: TableStore, incarnation: UInt64) {
            self.runtime = runtime
            self.store = store
            self.incarnation = incarnation
        }
    }

    package let index: Int
    package var process: Process?
    var disk = SimulatedDisk()
    /// The clock reads this at true time 0.
    var clockStart: Int64
    /// How much faster than true time it runs, in parts per billion.
    var drift: Int64
    /// Until then no event reaches the process, while its clock goes on.
    var pausedUntil: Int64 = 0
    /// Cut off from the log, and from nothing else.
    package var isCutFromLog = false
    package private(set) var messagesSent = 0
    package private(set) var coordinationMessagesSent = 0

    init(index: Int, clockStart: Int64, drift: Int64) {
        self.index = index
        self.clockStart = clockStart
        self.drift = drift
    }

    func clock(at time: Int64) -> ClockTime {
        ClockTime(ns: clockStart + time + Int64(Int128(time) * Int128(drift) / 1_000_000_000))
    }

    /// How much true time passes while the clock counts `ns`.
    func trueTime(of ns: Int64) -> Int64 { Int64(Int128(ns) * 1_000_000_000 / Int128(1_000_000_000 + drift)) }

    /// Writes to the disk that had to be synced, since the start.
    package var syncs: Int { disk.syncs }

    func countMessage(isCoordination: Bool) {
        messagesSent += 1
        if isCoordination { coordinationMessagesSent += 1 }
    }
}

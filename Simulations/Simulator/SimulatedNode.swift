package import LimiterCore
package import NodeRuntime

/// A machine of a ``SimulatedCluster``: its disk and its clock outlive the process that runs on it.
package final class SimulatedNode {
    /// What is lost when the process dies.
    package final class Process {
        @exclusivity(unchecked) package var runtime: NodeRuntime<TableStore>
        package let store: TableStore
        package let incarnation: UInt64
        @exclusivity(unchecked) package var directory: RuleDirectory?
        /// As they were after the last event. To ask the runtime for anything computed costs a copy of it, of two kilobytes.
        @exclusivity(unchecked) package internal(set) var vitals = NodeVitals()
        /// What its last event led to; kept for the room in its arrays.
        @exclusivity(unchecked) var outputs = Outputs()
        /// Whether that is being carried out: what follows from an event is another event, and never part of it.
        @exclusivity(unchecked) var isCarryingOut = false

        init(runtime: consuming NodeRuntime<TableStore>, store: TableStore, incarnation: UInt64) {
            self.runtime = runtime
            self.store = store
            self.incarnation = incarnation
        }
    }

    package let index: Int
    @exclusivity(unchecked) package var process: Process?
    @exclusivity(unchecked) package var disk: SimulatedDisk
    /// Something was done to its disk that no crash does.
    package var isDamaged = false
    /// It never comes back.
    package var isLost = false
    /// Its log has refused to start: it waits for an operator.
    package var refusesToStart = false
    @exclusivity(unchecked) private var clock: SimulatedClock
    /// Until then no event reaches the process, while its clock goes on.
    @exclusivity(unchecked) package var pausedUntil: Int64 = 0
    /// Cut off from the log, and from nothing else.
    @exclusivity(unchecked) package var isCutFromLog = false
    /// Added to the delay of whatever comes or goes.
    @exclusivity(unchecked) var extraDelay: Int64 = 0
    /// Added to the delay of three in ten of what it sends.
    @exclusivity(unchecked) var lag: Int64 = 0
    /// Added to the time of each write.
    @exclusivity(unchecked) var extraSync: Int64 = 0
    /// How long after the clock reading what it led to leaves the process.
    @exclusivity(unchecked) var stall: Int64 = 0
    /// How often a process was started here.
    var starts = 0
    @exclusivity(unchecked) package private(set) var messagesSent = 0
    @exclusivity(unchecked) package private(set) var coordinationMessagesSent = 0

    init(index: Int, clock: SimulatedClock, disk: SimulatedDisk) {
        self.index = index
        self.disk = disk
        self.clock = clock
    }

    func clock(at time: Int64) -> ClockTime { clock.reading(at: time) }

    /// How much true time passes while the clock counts `ns`.
    func trueTime(of ns: Int64) -> Int64 { clock.trueTime(of: ns) }

    /// From `time` on the clock runs at another rate, in parts in 10^9 faster than true time.
    func setDrift(_ drift: Int64, at time: Int64) { clock.setDrift(drift, at: time) }

    /// The clock jumps.
    func step(by ns: Int64) { clock.step(by: ns) }

    /// Writes to the disk that had to be synced, since the start.
    package var syncs: Int { disk.syncs }

    func countMessage(isCoordination: Bool) {
        messagesSent += 1
        if isCoordination { coordinationMessagesSent += 1 }
    }
}

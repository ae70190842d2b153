/// Everything that a run depends on. The same schedule gives the same run, event by event, in every process and on every machine.
package struct Schedule: Codable, Equatable, Sendable {
    /// The version of this format; schedules of others are refused.
    package static let version = 1

    /// The weather for the whole run, and the cluster's make.
    package struct Conditions: Codable, Equatable, Sendable {
        package var lossPermille = 0
        package var duplicatePermille = 0
        package var latePermille = 0
        /// The bound on clock rates that the cluster is told, in parts in 10^9.
        package var rho: Int64 = 500_000
        /// How far the clocks' rates are off at the most, in parts in 10^9; the promise covers half of `rho`.
        package var drift: Int64 = 250_000
        package var syncNanoseconds: Int64 = 1_000_000
        /// Buckets that a holder has room for.
        package var tableCapacity = 4_096
        /// How long after its horizon a tenure may hand out what is reserved, in nanoseconds.
        package var grace: Int64 = 10_000_000_000
        /// Live buckets that an owner keeps for each range, and bounds that the log's state keeps; of more, it forgets.
        package var bucketsPerRange = 65_536
        package var boundsPerRange = 65_536
        /// Bytes of entries that a node keeps behind its snapshot for those who lag: with none, they are sent snapshots.
        package var retainedBytes = 1 << 20
        /// Random choices inside our own code: appends of one entry each, and snapshots in tiny pieces.
        package var tinyBatches = false
        /// Disks are files, which the production log writes and recovers; else they are a model of what it does.
        package var logsInFiles = false
        /// Embedded clients, which ask beside the nodes' own callers.
        package var clients = 0
        /// Nodes that stay dead when the others have healed; never a majority.
        package var lost: [Int] = []
        /// Entries after which a node compacts its log.
        package var compactAfterEntries: UInt64 = 50_000
        /// The stretch of virtual time that any bucket may run ahead without a log record, in nanoseconds.
        package var leastSlack: Int64 = 250_000_000
        /// The most bounds in one command.
        package var boundsPerCommand = 8_192
        /// Raft's two switches.
        package var preVote = true
        package var checkQuorum = true
        /// Heartbeats, elections, detection, patience and isolation, in percent of their defaults.
        package var timingPercent: Int64 = 100

        package init() {}

        /// What a schedule of before does not mention is as it was then: its default.
        package init(from decoder: any Decoder) throws {
            let values = try decoder.container(keyedBy: CodingKeys.self)
            lossPermille = try values.decodeIfPresent(forKey: .lossPermille) ?? lossPermille
            duplicatePermille = try values.decodeIfPresent(forKey: .duplicatePermille) ?? duplicatePermille
            latePermille = try values.decodeIfPresent(forKey: .latePermille) ?? latePermille
            rho = try values.decodeIfPresent(forKey: .rho) ?? rho
            drift = try values.decodeIfPresent(forKey: .drift) ?? drift
            syncNanoseconds = try values.decodeIfPresent(forKey: .syncNanoseconds) ?? syncNanoseconds
            tableCapacity = try values.decodeIfPresent(forKey: .tableCapacity) ?? tableCapacity
            grace = try values.decodeIfPresent(forKey: .grace) ?? grace
            bucketsPerRange = try values.decodeIfPresent(forKey: .bucketsPerRange) ?? bucketsPerRange
            boundsPerRange = try values.decodeIfPresent(forKey: .boundsPerRange) ?? boundsPerRange
            retainedBytes = try values.decodeIfPresent(forKey: .retainedBytes) ?? retainedBytes
            tinyBatches = try values.decodeIfPresent(forKey: .tinyBatches) ?? tinyBatches
            logsInFiles = try values.decodeIfPresent(forKey: .logsInFiles) ?? logsInFiles
            clients = try values.decodeIfPresent(forKey: .clients) ?? clients
            lost = try values.decodeIfPresent(forKey: .lost) ?? lost
            compactAfterEntries = try values.decodeIfPresent(forKey: .compactAfterEntries) ?? compactAfterEntries
            leastSlack = try values.decodeIfPresent(forKey: .leastSlack) ?? leastSlack
            boundsPerCommand = try values.decodeIfPresent(forKey: .boundsPerCommand) ?? boundsPerCommand
            preVote = try values.decodeIfPresent(forKey: .preVote) ?? preVote
            checkQuorum = try values.decodeIfPresent(forKey: .checkQuorum) ?? checkQuorum
            timingPercent = try values.decodeIfPresent(forKey: .timingPercent) ?? timingPercent
        }
    }

    package var version = Schedule.version
    package var seed: UInt64
    package var profile: String
    package var nodes: Int
    /// How long faults happen, in nanoseconds.
    package var faultTime: Int64
    package var conditions: Conditions
    package var workload: Workload
    package var faults: [Fault]

    package init(
        seed: UInt64, profile: String, nodes: Int, faultTime: Int64, conditions: Conditions, workload: Workload,
        faults: [Fault]
    ) {
        self.seed = seed
        self.profile = profile
        self.nodes = nodes
        self.faultTime = faultTime
        self.conditions = conditions
        self.workload = workload
        self.faults = faults
    }

    /// Why the promise does not cover what happens here; nil if it does.
    package var label: String? {
        if conditions.drift > conditions.rho / 2 { return "clocks beyond rho / 2" }
        if faults.contains(where: { $0.kind == .step }) { return "clocks that jump" }
        if faults.contains(where: { $0.kind == .lie }) { return "disks that lie about syncs" }
        if faults.contains(where: { $0.kind == .drift && abs($0.amount) > conditions.rho / 2 }) {
            return "clocks beyond rho / 2"
        }
        return nil
    }
}

extension KeyedDecodingContainer {
    fileprivate func decodeIfPresent<Value: Decodable>(forKey key: Key) throws -> Value? {
        try decodeIfPresent(Value.self, forKey: key)
    }
}

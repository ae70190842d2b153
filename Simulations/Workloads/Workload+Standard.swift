extension Workload {
    /// Each kind of bucket that the design treats differently, asked for more than there is.
    package static let standard = Workload(
        name: "standard",
        rules: [
            RuleTerms("fast", 50, burst: 50),
            RuleTerms("hot", 100, burst: 40),
            RuleTerms("tiny", 200, burst: 2),
            RuleTerms("slow", 10, burst: 50),
            RuleTerms("one", 1, burst: 1),
            RuleTerms("whole", 20, burst: 20),
            RuleTerms("daily", 1_000, per: 86_400_000_000_000, burst: 1_000),
            RuleTerms("exact", 20, burst: 20, isExact: true),
            RuleTerms("delayed", 30, burst: 10, delay: 300_000_000),
            RuleTerms("hoard", 50, burst: 500),
            RuleTerms("cold", 5, burst: 5),
            RuleTerms("open", 20, burst: 20, onIsolation: "allow"),
        ],
        loads: [
            Load("fast", perSecond: 20, isOverDemand: true),
            Load("hot", perSecond: 40, isOverDemand: true),
            Load("tiny", perSecond: 20),
            Load("slow", perSecond: 4),
            Load("one", perSecond: 1.5),
            Load("whole", perSecond: 2, cost: 20...20),
            Load("daily", perSecond: 5),
            Load("exact", perSecond: 8),
            Load("delayed", perSecond: 12),
            Load("hoard", perSecond: 0, pattern: .bursts(every: 4_000_000_000, of: 100)),
            Load("cold", keys: 200, perSecond: 8),
            Load("open", perSecond: 3),
        ])

    /// One key that all nodes want at once, much more than there is; a tenth of the requests are critical, and a part is kept for those.
    package static let hotKey = Workload(
        name: "hot",
        rules: [RuleTerms("hot", 200, burst: 200, reserveForCritical: 20), RuleTerms("warm", 100, burst: 50)],
        loads: [
            Load("hot", perSecond: 90, isOverDemand: true, criticalPercent: 10),
            Load("warm", perSecond: 30, cost: 1...3),
        ])

    /// More keys than the tables have room for: forgetting must not refill.
    package static let coldKeys = Workload(
        name: "cold",
        rules: [RuleTerms("cold", 2, per: 60_000_000_000, burst: 4), RuleTerms("fast", 50, burst: 50)],
        loads: [
            Load("cold", keys: 1_500, perSecond: 80), Load("fast", perSecond: 25, isOverDemand: true),
        ])

    /// Idle, then a burst: what a holder keeps for too long shows in buckets that hold little time.
    package static let hoarders = Workload(
        name: "hoarders",
        rules: [
            RuleTerms("spiky", 500, burst: 60), RuleTerms("spike", 2_000, burst: 100),
            RuleTerms("long", 50, burst: 500),
        ],
        loads: [
            Load("spiky", perSecond: 0, pattern: .bursts(every: 400_000_000, of: 30)),
            Load("spike", perSecond: 0, pattern: .bursts(every: 300_000_000, of: 40)),
            Load("spike", perSecond: 20), Load("long", perSecond: 0, pattern: .bursts(every: 3_000_000_000, of: 100)),
        ])

    /// Rules of a day, spent early.
    package static let slowQuotas = Workload(
        name: "slow",
        rules: [
            RuleTerms("daily", 100, per: 86_400_000_000_000, burst: 100),
            RuleTerms("hourly", 60, per: 3_600_000_000_000, burst: 30),
            RuleTerms("yearly", 5, per: 31_536_000_000_000_000, burst: 5),
            RuleTerms("minute", 60, per: 60_000_000_000, burst: 30),
        ],
        loads: [
            Load("daily", keys: 3, perSecond: 20), Load("hourly", keys: 3, perSecond: 10), Load("yearly", perSecond: 2),
            Load("minute", perSecond: 6),
        ])

    /// Next to nothing: for runs that are about the log.
    package static let quiet = Workload(
        name: "quiet",
        rules: [RuleTerms("fast", 20, burst: 20), RuleTerms("daily", 100, per: 86_400_000_000_000, burst: 100)],
        loads: [Load("fast", perSecond: 12, isOverDemand: true), Load("daily", keys: 3, perSecond: 6)])

    /// Many keys, each of which lives for seconds: tables that are too small forget keys which are still in use.
    package static let crowd = Workload(
        name: "crowd",
        rules: [RuleTerms("crowd", 1, burst: 5), RuleTerms("fast", 50, burst: 50)],
        loads: [
            Load("crowd", keys: 1_500, perSecond: 100, cost: 1...5), Load("fast", perSecond: 25, isOverDemand: true),
        ])

    /// Buckets that hold seconds, drained and then left alone; and some that are never drained, so that nodes always hold something of them.
    package static let tides = Workload(
        name: "tides",
        rules: [
            RuleTerms("tide", 20, burst: 200), RuleTerms("stream", 400, burst: 200),
            RuleTerms("exact", 40, burst: 200, isExact: true),
        ],
        loads: [
            Load("tide", keys: 6, perSecond: 0, pattern: .bursts(every: 2_500_000_000, of: 150)),
            Load("stream", keys: 3, perSecond: 90),
            Load("exact", keys: 6, perSecond: 0, pattern: .bursts(every: 2_000_000_000, of: 200)),
        ])

    /// A rule whose every token is wanted at once; for runs in which it changes.
    package static let swings = Workload(
        name: "swings",
        rules: [RuleTerms("swing", 5, burst: 20), RuleTerms("stream", 400, burst: 200)],
        loads: [Load("swing", keys: 2, perSecond: 100), Load("stream", keys: 3, perSecond: 60)])

    package static let all = [standard, hotKey, coldKeys, slowQuotas, hoarders, quiet, crowd, tides, swings]

    package static func named(_ name: String) -> Workload? { all.first { $0.name == name } }
}

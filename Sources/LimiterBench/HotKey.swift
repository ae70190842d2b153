internal import CTableWalk
internal import LimiterCore
internal import Synchronization

/// One key that is asked for again and again, and its reference.
final class HotKey {
    private let path: DecisionPath
    private let directory: RuleDirectory
    private let name = Array("requests-per-user".utf8)
    private let key = Array("user:4711".utf8)
    private let seed: UInt64
    private let lock = Mutex<Int>(0)
    private var mistakes = 0

    init() throws(LocalBench.Failure) {
        let drift = DriftBound(partsPerBillion: 500_000)
        let (name, key) = (self.name, self.key)
        let hash = KeyedHash(secret: (0x0123_4567_89ab_cdef, 0xfedc_ba98_7654_3210))
        seed = hash.seed(ofRule: name.span.bytes)
        path = DecisionPath(capacity: 4096, clock: { ClockTime(ns: table_walk_clock_ns()) })
        do {
            let limit = try Limit(tokens: 1000, per: 1_000_000_000, burst: 1000)
            let names = ["logins", String(decoding: name, as: UTF8.self), "searches"]
            var rules: [VersionedRule] = []
            for (i, name) in names.enumerated() {
                rules.append(VersionedRule(rule: try Rule(name: name, limit: limit), version: UInt64(i + 1)))
            }
            directory = RuleDirectory(rules: rules, hash: hash, drift: drift)
        } catch {
            throw LocalBench.Failure(description: "\(error)")
        }
        path.setDirectory(directory)
        guard let bucket = directory.bucket(rule: name.span.bytes, key: key.span.bytes) else {
            throw LocalBench.Failure(description: "the benchmark's rule cannot be found")
        }
        let start = drift.longest(table_walk_clock_ns())
        let installed = path.withTable(for: bucket.id) { table in
            table.install(
                bucket.id, span: (AxisTime(ns: start), AxisTime(ns: 1 << 62)), tat: AxisTime(ns: 1 << 62), base: 0,
                tag: 1,
                scaled: start)
        }
        guard installed else { throw LocalBench.Failure(description: "the benchmark's allowance found no room") }
    }

    var isSound: Bool { mistakes == 0 && lock.withLock { $0 } != 0 }

    func decide(_ count: Int) {
        let (name, key) = (self.name, self.key)
        for _ in 0..<count {
            guard let bucket = directory.bucket(rule: name.span.bytes, key: key.span.bytes),
                path.decide(bucket, cost: 1, drift: directory.drift, now: ClockTime(ns: table_walk_clock_ns()))?
                    .isAllowed == true
            else {
                mistakes += 1
                continue
            }
        }
    }

    func reference(_ count: Int) {
        let key = self.key
        var mixed: Int64 = 0
        for _ in 0..<count {
            let (_, id) = directory.hash.bucket(rule: seed, key: key.span.bytes, identity: (2, 0), tau: 1_000_000_000)
            mixed ^= Int64(truncatingIfNeeded: id.low) ^ table_walk_clock_ns()
            lock.withLock { $0 &+= 1 }
        }
        if mixed == 0 { mistakes += 1 }
    }
}

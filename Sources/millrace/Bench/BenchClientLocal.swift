import Foundation
import Glibc
import LimiterBench
import LimiterCore
import Logging
import MillraceClient
import MillraceServer
import Synchronization
import SystemTime

/// What a decision of the embedded client costs, at one and two threads, beside references measured in the same run.
///
/// Time is each thread's own processor time, so that being interrupted does not count; the variants take turns.
struct BenchClientLocal {
    private let client: MillraceClient
    private let directory: RuleDirectory
    private let keys: [String]
    private static let rule = "requests-per-user"
    private static let hot = ["user:4711", "user:4712"]

    init(keys count: Int) throws {
        var configuration = MillraceClient.Configuration(nodes: .list(["127.0.0.1:1"]))
        configuration.capacity = count + count / 10 + 4_096
        client = try MillraceClient(configuration, logger: Logger(label: "bench"))
        let limit = try Limit(tokens: 1000, per: 1_000_000_000, burst: 1000)
        var rules: [VersionedRule] = []
        for (i, name) in ["logins", Self.rule, "searches"].enumerated() {
            rules.append(VersionedRule(rule: try Rule(name: name, limit: limit), version: UInt64(i + 1)))
        }
        directory = RuleDirectory(
            rules: rules, hash: KeyedHash(secret: (0x0123_4567_89ab_cdef, 0xfedc_ba98_7654_3210)),
            drift: DriftBound(partsPerBillion: 500_000))
        client.preload(directory)
        var generator = SplitMix(state: 1)
        keys = (0..<count).map { "u:\($0)" }.shuffled(using: &generator)
        for key in keys + Self.hot where !client.preload(Self.rule, key: key) {
            throw StartFailure(.failed, "the table cannot hold \(count) keys")
        }
    }

    private struct SplitMix: RandomNumberGenerator {
        var state: UInt64
        mutating func next() -> UInt64 {
            state &+= 0x9E37_79B9_7F4A_7C15
            let z = (state ^ (state >> 30)) &* 0xBF58_476D_1CE4_E5B9
            return z ^ (z >> 31)
        }
    }

    /// Prints the table.
    func run(rounds: Int, operations: Int) throws {
        let reference = try Reference(directory: directory, keys: keys)
        for threads in [1, 2] {
            measure(
                "hot key, by name, \(threads) thread\(threads == 1 ? "" : "s")", threads, rounds, operations,
                bound: "2x",
                { thread, count in decide(count, Self.hot[0]) },
                reference: { reference.hot(thread: $0, $1, Self.hot[0]) })
            if threads == 2 {
                measure(
                    "a hot key for each of 2 threads", threads, rounds, operations, bound: "2x",
                    { thread, count in decide(count, Self.hot[thread]) },
                    reference: { reference.hot(thread: $0, $1, Self.hot[$0]) })
            }
            measure(
                "hot key, prehashed, \(threads) thread\(threads == 1 ? "" : "s")", threads, rounds, operations,
                bound: "2x",
                { thread, count in decidePrehashed(count, Self.hot[threads == 1 ? 0 : thread]) },
                reference: { reference.hot(thread: $0, $1, Self.hot[$0]) })
            measure(
                "\(keys.count) keys, by name, \(threads) thread\(threads == 1 ? "" : "s")", threads, rounds, keys.count,
                bound: "2x", { thread, count in decideMany(from: thread * keys.count / 2, count) },
                reference: { reference.many($1, keys, from: $0 * keys.count / 2) })
        }
    }

    private func measure(
        _ what: String, _ threads: Int, _ rounds: Int, _ operations: Int, bound: String,
        _ body: @Sendable @escaping (Int, Int) -> Void, reference: @Sendable @escaping (Int, Int) -> Void
    ) {
        var (ours, theirs): ([Double], [Double]) = ([], [])
        for _ in 0...rounds {
            ours.append(Self.perOperation(threads, operations, body))
            theirs.append(Self.perOperation(threads, operations, reference))
        }
        // The first round only warms up.
        let (mine, other) = (median(Array(ours.dropFirst())), median(Array(theirs.dropFirst())))
        Bench.row(
            what, String(format: "%.1f ns", mine), String(format: "reference %.1f ns", other), ratio: mine / other,
            bound: bound)
    }

    private func decide(_ count: Int, _ key: String) {
        for _ in 0..<count {
            guard let decision = try? client.tryAcquireNow(Self.rule, key: key), decision.isAllowed else {
                fatalError("a decision went wrong")
            }
        }
    }

    private func decidePrehashed(_ count: Int, _ key: String) {
        var bucket = client.bucket(Self.rule, key: key)
        for _ in 0..<count {
            guard let decision = try? bucket.tryAcquireNow(), decision.isAllowed else {
                fatalError("a decision went wrong")
            }
        }
    }

    private func decideMany(from: Int, _ count: Int) {
        var i = from
        for _ in 0..<count {
            guard let decision = try? client.tryAcquireNow(Self.rule, key: keys[i]), decision.isAllowed else {
                fatalError("a decision went wrong")
            }
            i = i &+ 1 &+ (decision.remaining &>> 62)
            if i == keys.count { i = 0 }
        }
    }

    /// The slowest thread's processor time for one operation, in nanoseconds.
    private static func perOperation(
        _ threads: Int, _ operations: Int, _ body: @Sendable @escaping (Int, Int) -> Void
    ) -> Double {
        let times = Mutex<[Double]>([])
        let started = Atomic<Int>(0)
        var running: [Thread] = []
        let done = DispatchGroup()
        for thread in 0..<threads {
            done.enter()
            let worker = Thread {
                // Together, so that they meet.
                started.add(1, ordering: .sequentiallyConsistent)
                while started.load(ordering: .sequentiallyConsistent) < threads {}
                let start = threadTime()
                body(thread, operations)
                let time = Double(threadTime() - start) / Double(operations)
                times.withLock { $0.append(time) }
                done.leave()
            }
            worker.stackSize = 1 << 20
            worker.start()
            running.append(worker)
        }
        done.wait()
        return times.withLock { $0.max()! }
    }

    private static func threadTime() -> Int64 {
        var time = timespec()
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
        return Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
    }

    /// One clock reading, one uncontended lock and the keyed hash; for many keys the keyed hash, the clock and the walk in C of
    /// `bench local`.
    private final class Reference: Sendable {
        private let hash: KeyedHash
        private let seed: UInt64
        private let locks: [Lock]
        private let sum = Atomic<Int64>(0)
        private let table: TableWalk
        private static let drift = DriftBound(partsPerBillion: 500_000)

        private final class Lock: Sendable {
            let mutex = Mutex<Int64>(0)
            private let padding = (0, 0, 0, 0, 0, 0, 0, 0)
        }

        init(directory: RuleDirectory, keys: [String]) throws {
            hash = directory.hash
            seed = hash.seed(ofRule: Array(BenchClientLocal.rule.utf8).span.bytes)
            locks = (0..<2).map { _ in Lock() }
            guard let table = TableWalk(capacity: keys.count + keys.count / 10 + 4_096, shards: 64) else {
                throw StartFailure(.failed, "no memory for a table of \(keys.count) keys: ask for fewer")
            }
            self.table = table
            for key in keys where !table.insert(id(of: key), end: 1 << 61) {
                throw StartFailure(.failed, "the table in C cannot hold \(keys.count) keys")
            }
        }

        private func id(of key: String) -> BucketID {
            hash.bucket(rule: seed, key: key.utf8Span.span.bytes, identity: (2, 0), tau: 1_000_000_000).1
        }

        func hot(thread: Int, _ count: Int, _ key: String) {
            var mixed: Int64 = 0
            for _ in 0..<count {
                mixed ^= Int64(truncatingIfNeeded: id(of: key).low) ^ SystemClock.quick().ns
                locks[thread].mutex.withLock { $0 &+= 1 }
            }
            sum.add(mixed & 1, ordering: .relaxed)
        }

        /// Each step depends on the one before, so that cache misses cannot overlap.
        func many(_ count: Int, _ keys: [String], from: Int) {
            var i = from
            for _ in 0..<count {
                let rest = table.spend(
                    id(of: keys[i]), time: 1_000_000, scaled: Self.drift.longest(SystemClock.quick().ns))
                guard rest >= 0 else { fatalError("the table in C has lost a key") }
                i = i &+ 1 &+ Int(rest &>> 62)
                if i == keys.count { i = 0 }
            }
        }
    }
}

import Foundation
import Glibc
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
    func run(rounds: Int, operations: Int) {
        let reference = Reference(directory: directory)
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
                reference: { reference.many(thread: $0, $1, keys, from: $0 * keys.count / 2) })
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

    /// One clock reading, one uncontended lock and the keyed hash; for many keys a walk over as many records besides.
    private final class Reference: Sendable {
        private let hash: KeyedHash
        private let seed: UInt64
        private let locks: [Lock]
        private let sum = Atomic<Int64>(0)
        private nonisolated(unsafe) let table: UnsafeMutablePointer<UInt64>  // each thread touches what it hashes to
        private static let slots = 1 << 21

        private final class Lock: Sendable {
            let mutex = Mutex<Int64>(0)
            private let padding = (0, 0, 0, 0, 0, 0, 0, 0)
        }

        init(directory: RuleDirectory) {
            hash = directory.hash
            seed = hash.seed(ofRule: Array(BenchClientLocal.rule.utf8).span.bytes)
            locks = (0..<2).map { _ in Lock() }
            table = .allocate(capacity: 8 * Self.slots)
            table.initialize(repeating: 1, count: 8 * Self.slots)
        }

        deinit { table.deallocate() }

        func hot(thread: Int, _ count: Int, _ key: String) {
            var mixed: Int64 = 0
            let key = key.utf8Span.span.bytes
            for _ in 0..<count {
                let (_, id) = hash.bucket(rule: seed, key: key, identity: (2, 0), tau: 1_000_000_000)
                mixed ^= Int64(truncatingIfNeeded: id.low) ^ SystemClock.quick().ns
                locks[thread].mutex.withLock { $0 &+= 1 }
            }
            sum.add(mixed & 1, ordering: .relaxed)
        }

        /// A record is a cache line; each step depends on the one before.
        func many(thread: Int, _ count: Int, _ keys: [String], from: Int) {
            var i = from
            for _ in 0..<count {
                let (_, id) = hash.bucket(
                    rule: seed, key: keys[i].utf8Span.span.bytes, identity: (2, 0), tau: 1_000_000_000)
                let slot = Int(truncatingIfNeeded: id.high) & (Self.slots - 1)
                let now = SystemClock.quick().ns
                let rest = locks[thread].mutex.withLock { sum -> UInt64 in
                    sum &+= now
                    table[8 * slot] &+= 1
                    return table[8 * slot]
                }
                i = i &+ 1 &+ Int(rest &>> 62)
                if i == keys.count { i = 0 }
            }
        }
    }
}

internal import CTableWalk
internal import LimiterCore
internal import Synchronization

/// How long a local decision takes, beside references that are measured in the same run.
///
/// Every figure is the median over rounds in which the variants take turns, so that a noisy machine is noisy for all of them;
/// time is this thread's own processor time, so that being interrupted does not count.
public enum LocalBench {
    /// Nanoseconds per operation (medians), and what they mean.
    public struct Report: Sendable {
        /// One hot key: a clock reading, the rule by its name, the keyed hash, and the decision from an allowance.
        public var hotDecision: Double
        /// A clock reading, an uncontended lock around one addition, and the same keyed hash.
        public var hotReference: Double
        /// Many keys in random order, hashed beforehand: shard, lock, walk, spend, answer.
        public var manyDecision: Double
        /// The same records, order, probing and spending in C, under a `pthread_mutex_t`.
        public var manyReference: Double
        /// How many keys "many" are.
        public var keys: Int

        /// Wanted: at most 2, better 1.3.
        public var hotRatio: Double { hotDecision / hotReference }
        /// Wanted: at most 1.3, better 1.1.
        public var manyRatio: Double { manyDecision / manyReference }
    }

    /// Why there is no report.
    public struct Failure: Error, CustomStringConvertible {
        public var description: String
    }

    /// Runs everything; takes some seconds and, for a million keys, 300 MB.
    ///
    /// `rounds` rounds of `hotOperations` operations on the hot key and one pass over all `keys` keys, per variant. Throws
    /// where the tables cannot be filled.
    public static func run(rounds: Int = 15, hotOperations: Int = 1_000_000, keys: Int = 1_000_000) throws(Failure)
        -> Report
    {
        let hot = try HotKey()
        let many = try ManyKeys(count: keys)
        var samples: [[Double]] = Array(repeating: [], count: 4)
        for _ in 0...max(1, rounds) {
            samples[0].append(perOperation(hotOperations) { hot.decide(hotOperations) })
            samples[1].append(perOperation(hotOperations) { hot.reference(hotOperations) })
            samples[2].append(perOperation(keys) { many.decide() })
            samples[3].append(perOperation(keys) { many.reference() })
        }
        // The first round only warms up.
        let medians = samples.map { median(Array($0.dropFirst())) }
        guard hot.isSound, many.isSound else {
            throw Failure(description: "a decision went wrong: the figures mean nothing")
        }
        return Report(
            hotDecision: medians[0], hotReference: medians[1], manyDecision: medians[2], manyReference: medians[3],
            keys: keys)
    }

    private static func perOperation(_ count: Int, _ body: () -> Void) -> Double {
        let start = table_walk_thread_ns()
        body()
        return Double(table_walk_thread_ns() - start) / Double(count)
    }

    private static func median(_ samples: [Double]) -> Double {
        let sorted = samples.sorted()
        return sorted[sorted.count / 2]
    }
}

extension LocalBench.Report: CustomStringConvertible {
    public var description: String {
        func figure(_ value: Double) -> String { "\((value * 100).rounded() / 100)" }
        return """
            hot key:   \(figure(hotDecision)) ns a decision, reference \(figure(hotReference)) ns, ratio \(figure(hotRatio))
            \(keys) keys: \(figure(manyDecision)) ns a decision, in C \(figure(manyReference)) ns, ratio \(figure(manyRatio))
            """
    }
}

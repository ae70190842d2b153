package import LimiterCore
import Simulator

/// **Gossip**: every machine keeps a copy of the bucket and, for each machine, how much that one has spent since the start. Once a
/// period it sends all those counts to one random machine (Demers and others, "Epidemic algorithms for replicated database
/// maintenance", 1987: push).
///
/// Counts only grow, so that lost, repeated and overtaken messages do no harm. Messages grow with the machines, their size too; news
/// takes about `log2 n` periods to reach all, and until then is admitted twice.
package final class Gossip: Coordinator {
    package struct Message: Sendable {
        var counts: [Int64]

        /// The bucket's identity; a machine's number and its count for each that has spent anything.
        var bytes: Int { 16 + counts.count { $0 > 0 } * (4 + 8) }
    }

    private let place: Int
    private let period: Int64
    private var bucket: LocalBucket
    private var counts: [Int64]
    private var draws: Draws
    private var next: ClockTime?

    init(_ limit: Limit, place: Int, machines: Int, period: Int64, seed: UInt64) {
        bucket = LocalBucket(limit)
        self.place = place
        self.period = period
        counts = Array(repeating: 0, count: machines)
        draws = Draws(seed: seed)
    }

    package func request(_ request: Int, now: ClockTime, _ orders: inout Orders<Message>) {
        let isAllowed = bucket.spend(1, now: now)
        orders.answers.append((request, isAllowed ? .allowed : .limited))
        guard isAllowed else { return }
        orders.spent.append(1)
        counts[place] += 1
    }

    package func receive(_ message: Message, from: Int, now: ClockTime, _ orders: inout Orders<Message>) {
        var news: Int64 = 0
        for i in counts.indices where message.counts[i] > counts[i] {
            news += message.counts[i] - counts[i]
            counts[i] = message.counts[i]
        }
        if news > 0 { bucket.charge(news, now: now) }
    }

    package func tick(now: ClockTime, _ orders: inout Orders<Message>) {
        guard let due = next else {
            // Not all at the same time.
            next = now + draws.within(0...period, .delay, place)
            return
        }
        guard now >= due, counts.count > 1 else { return }
        next = due + period
        var other = draws.below(counts.count - 1, .key, place)
        if other >= place { other += 1 }
        let message = Message(counts: counts)
        orders.sends.append((other, message, message.bytes))
    }
}

package import LimiterCore

/// **Local share**: each of `N` machines has a bucket with an `N`-th of burst and rate, and nobody talks.
///
/// It never admits too much, and needs no network. Whatever a load balancer sends to one machine beyond its part is refused, although
/// the others have tokens to spare.
package final class LocalShare: Coordinator {
    package enum Message: Sendable {}

    private var bucket: LocalBucket

    /// Throws if the limit has less than one token for each machine.
    init(_ limit: Limit, machines: Int) throws(LimitError) {
        let n = Int64(machines)
        bucket = LocalBucket(try Limit(tokens: limit.tokens, per: limit.period * n, burst: limit.burst / n))
    }

    package func request(_ request: Int, now: ClockTime, _ orders: inout Orders<Message>) {
        let isAllowed = bucket.spend(1, now: now)
        if isAllowed { orders.spent.append(1) }
        orders.answers.append((request, isAllowed ? .allowed : .limited))
    }

    package func receive(_ message: Message, from: Int, now: ClockTime, _ orders: inout Orders<Message>) {}
}

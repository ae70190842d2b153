package import LimiterCore

/// **Tell everyone everything**: every machine keeps a copy of the bucket, decides by it, and tells all others of every admission.
///
/// Decisions are immediate. Messages grow with the square of the machines; what has not arrived yet, is lost, or cannot pass a
/// partition, is admitted twice.
package final class TellEveryone: Coordinator {
    package struct Message: Sendable {
        var tokens: Int64

        /// The bucket's identity, and the tokens.
        static let bytes = 16 + 4
    }

    private let place: Int
    private let machines: Int
    private var bucket: LocalBucket

    init(_ limit: Limit, place: Int, machines: Int) {
        bucket = LocalBucket(limit)
        self.place = place
        self.machines = machines
    }

    package func request(_ request: Int, now: ClockTime, _ orders: inout Orders<Message>) {
        let isAllowed = bucket.spend(1, now: now)
        orders.answers.append((request, isAllowed ? .allowed : .limited))
        guard isAllowed else { return }
        orders.spent.append(1)
        for other in 0..<machines where other != place {
            orders.sends.append((other, Message(tokens: 1), Message.bytes))
        }
    }

    package func receive(_ message: Message, from: Int, now: ClockTime, _ orders: inout Orders<Message>) {
        bucket.charge(message.tokens, now: now)
    }
}

import Simulator

/// How UIDs lie round a ring, clockwise.
package enum Order: String, CaseIterable, Sendable {
    case ascending
    case descending
    case random

    /// The UIDs 1 to `count` in this order; `draws` shuffles (Fisher and Yates).
    func uids(_ count: Int, draws: inout Draws) -> [UInt64] {
        var uids = (1...count).map { UInt64($0) }
        switch self {
        case .ascending: break
        case .descending: uids.reverse()
        case .random:
            for i in stride(from: count - 1, to: 0, by: -1) { uids.swapAt(i, draws.below(i + 1, .schedule)) }
        }
        return uids
    }
}

/// The textbook's figures for a ring of `n`, with the `n` messages of the announcement.
package enum Calculated {
    /// LCR: `2n - 1`, `n(n+1)/2` or, on average over all orders, `n * H_n` (Chang and Roberts 1979), and `n`.
    package static func lcr(_ n: Int, _ order: Order) -> Double {
        switch order {
        case .ascending: Double(3 * n - 1)
        case .descending: Double(n * (n + 1) / 2 + n)
        case .random: (1...n).reduce(0) { $0 + Double(n) / Double($1) } + Double(n)
        }
    }

    /// What Hirschberg and Sinclair's election never exceeds: `8n(1 + ceil(log2 n))`, and `n`.
    package static func hirschbergSinclairBound(_ n: Int) -> Double {
        var phases = 0
        while 1 << phases < n { phases += 1 }
        return Double(8 * n * (1 + phases) + n)
    }
}

import Synchronization

/// How many retries a process may make in all: a part of its first attempts, so that retries never multiply an overload.
///
/// Each first attempt deposits `ratio` of a retry, each retry takes a whole one; `reserve` retries are there from the start, and the
/// most that is ever saved. Share one budget among all callers of one service. Safe from any thread.
///
/// ```swift
/// let budget = RetryBudget(ratio: 0.1)        // at most every tenth request is a retry
/// ```
public final class RetryBudget: Sendable {
    private let ratio: Int
    private let most: Int
    /// In thousandths of a retry.
    private let saved: Mutex<Int>

    /// A budget of `ratio` retries for each first attempt (from 0 to 10), and `reserve` to begin with.
    public init(ratio: Double = 0.1, reserve: Int = 10) {
        precondition(ratio >= 0 && ratio <= 10, "a ratio of \(ratio) is not from 0 to 10")
        precondition(reserve >= 0 && reserve <= 1_000_000, "a reserve of \(reserve) retries")
        self.ratio = Int(ratio * 1_000)
        most = max(1, reserve) * 1_000
        saved = Mutex(reserve * 1_000)
    }

    /// A first attempt is being made.
    public func deposit() { saved.withLock { $0 = min(most, $0 + ratio) } }

    /// Takes one retry; false if there is none left.
    public func withdraw() -> Bool {
        saved.withLock { saved in
            guard saved >= 1_000 else { return false }
            saved -= 1_000
            return true
        }
    }

    /// Whole retries that are left.
    public var left: Int { saved.withLock { $0 / 1_000 } }
}

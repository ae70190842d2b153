import MillraceThrottled
import Synchronization
import Testing

/// What a refused caller does next, on a clock that stands still.
struct RetryingTests {
    @Test func waitsGrowAndAreSpreadWide() {
        let backoff = Backoff(base: .milliseconds(100), most: .seconds(1))
        #expect(
            (0..<6).map { backoff.ceiling(of: $0) } == [100, 200, 400, 800, 1_000, 1_000].map { .milliseconds($0) })
        #expect(backoff.ceiling(of: .max) == .seconds(1))
        var generator = Generator(state: 1)
        for attempt in [0, 3, 40] {
            let delays = (0..<2_000).map { _ in backoff.delay(attempt: attempt, retryAfter: nil, using: &generator) }
            let ceiling = backoff.ceiling(of: attempt)
            #expect(delays.allSatisfy { $0 >= .zero && $0 <= ceiling })
            // Full jitter: all of the range is used.
            #expect(delays.min()! < ceiling / 20 && delays.max()! > ceiling / 20 * 19)
        }
        // The limiter's word is a floor.
        let after = (0..<100).map { _ in backoff.delay(attempt: 0, retryAfter: .seconds(3), using: &generator) }
        #expect(after.allSatisfy { $0 >= .seconds(3) && $0 <= .milliseconds(3_100) })
    }

    @Test func itTriesUntilItIsDone() async throws {
        let clock = ManualClock(isInstant: true)
        var generator = Generator(state: 7)
        var attempts: [Int] = []
        let answer = try await retrying(clock: clock, generator: &generator) { number -> Attempt<String> in
            attempts.append(number)
            return number < 3 ? .again(after: .milliseconds(500)) : .done("here")
        }
        #expect(answer == "here" && attempts == [0, 1, 2, 3])
        #expect(clock.asked.count == 3 && clock.asked.allSatisfy { $0 >= .milliseconds(500) })
        // The same seed gives the same waits.
        let again = ManualClock(isInstant: true)
        var same = Generator(state: 7)
        _ = try await retrying(clock: again, generator: &same) { number -> Attempt<Int> in
            number < 3 ? .again(after: .milliseconds(500)) : .done(1)
        }
        #expect(again.asked == clock.asked)
    }

    private func failure(
        limits: RetryLimits = RetryLimits(), budget: RetryBudget? = nil, after: Duration?, clock: ManualClock
    ) async -> RetryFailure? {
        var generator = Generator(state: 3)
        do {
            _ = try await retrying(limits: limits, budget: budget, clock: clock, generator: &generator) {
                _ -> Attempt<Int> in
                .again(after: after)
            }
        } catch { return error as? RetryFailure }
        return nil
    }

    @Test func itGivesUp() async {
        let clock = ManualClock(isInstant: true)
        #expect(
            await failure(limits: RetryLimits(attempts: 4), after: nil, clock: clock)
                == .attemptsExhausted(attempts: 4, retryAfter: nil))
        #expect(clock.asked.count == 3)
        #expect(
            await failure(limits: RetryLimits(attempts: 1), after: nil, clock: clock)
                == .attemptsExhausted(attempts: 1, retryAfter: nil))
        // It does not wait for what would come too late.
        let before = clock.asked.count
        #expect(
            await failure(limits: RetryLimits(attempts: 9, time: .seconds(5)), after: .seconds(6), clock: clock)
                == .outOfTime(attempts: 1, retryAfter: .seconds(6)))
        #expect(clock.asked.count == before)
    }

    @Test func aBudgetIsShared() async {
        let budget = RetryBudget(ratio: 0.5, reserve: 3)
        let clock = ManualClock(isInstant: true)
        // The reserve, and a half for each first attempt; never more than the reserve.
        #expect(
            await failure(limits: RetryLimits(attempts: 10), budget: budget, after: nil, clock: clock)
                == .budgetExhausted(attempts: 4, retryAfter: nil))
        #expect(budget.left == 0)
        #expect(
            await failure(limits: RetryLimits(attempts: 10), budget: budget, after: nil, clock: clock)
                == .budgetExhausted(attempts: 1, retryAfter: nil))
        for _ in 0..<100 { budget.deposit() }
        #expect(budget.left == 3)
        #expect(!RetryBudget(ratio: 0, reserve: 0).withdraw())
    }

    @Test func aCancelledCallerStops() async throws {
        let clock = ManualClock()
        let task = Task {
            var generator = Generator(state: 1)
            return try await retrying(clock: clock, generator: &generator) { _ -> Attempt<Int> in
                .again(after: .seconds(1))
            }
        }
        #expect(await eventually { clock.sleepers == 1 })
        task.cancel()
        await #expect(throws: CancellationError.self) { try await task.value }
    }

    @Test func whatTheAttemptThrowsIsThrown() async {
        struct Broken: Error {}
        await #expect(throws: Broken.self) { try await retrying { _ -> Attempt<Int> in throw Broken() } }
    }
}

/// Many small requests as one.
struct BatcherTests {
    @Test func aFullBatchLeavesAtOnce() async throws {
        let clock = ManualClock()
        let batches = Mutex<[[Int]]>([])
        let batcher = Batcher<Int, Int>(most: 3, within: .seconds(1), clock: clock) { requests in
            batches.withLock { $0.append(requests) }
            return requests.map { $0 * 10 }
        }
        let answers = try await withThrowingTaskGroup(of: Int.self) { group in
            for i in 1...3 { group.addTask { try await batcher.ask(i) } }
            return try await group.reduce(into: []) { $0.append($1) }
        }
        #expect(answers.sorted() == [10, 20, 30])
        #expect(batches.withLock { $0.count } == 1)
    }

    @Test func oneAloneLeavesWhenItsTimeIsUp() async throws {
        let clock = ManualClock()
        let batcher = Batcher<Int, Int>(most: 100, within: .seconds(1), clock: clock) { $0 }
        let one = Task { try await batcher.ask(1) }
        #expect(await eventually { clock.sleepers == 1 })
        clock.advance(by: .milliseconds(999))
        #expect(clock.sleepers == 1)
        clock.advance(by: .milliseconds(1))
        #expect(try await one.value == 1)
    }

    @Test func oneThatIsCancelledLeavesTheOthers() async throws {
        let clock = ManualClock()
        let batcher = Batcher<Int, Int>(most: 2, within: .seconds(1), clock: clock) { $0 }
        let gone = Task { try await batcher.ask(1) }
        #expect(await eventually { clock.sleepers == 1 })
        gone.cancel()
        await #expect(throws: CancellationError.self) { try await gone.value }
        async let two = batcher.ask(2)
        async let three = batcher.ask(3)
        #expect(try await [two, three] == [2, 3])
    }

    @Test func anErrorIsEverybodys() async {
        struct Broken: Error {}
        let broken = Batcher<Int, Int>(most: 1, within: .seconds(1)) { _ in throw Broken() }
        await #expect(throws: Broken.self) { try await broken.ask(1) }
        let short = Batcher<Int, Int>(most: 1, within: .seconds(1)) { _ in [] }
        await #expect(throws: Batcher<Int, Int>.WrongCount.self) { try await short.ask(1) }
    }
}

import CAllocationCount
import LimiterCore
import Testing

@testable import MillraceClient

/// A decision from an allowance allocates nothing, and neither does a refusal that is sure.
struct AllocationTests {
    private func client() throws -> MillraceClient {
        let client = try MillraceClient(.init(nodes: .list(["127.0.0.1:1"])), logger: quiet)
        let rules = [VersionedRule(rule: try rule("a-rule-with-a-long-name", 1_000, burst: 1_000), version: 1)]
        client.preload(
            RuleDirectory(rules: rules, hash: KeyedHash(secret: (1, 2)), drift: DriftBound(partsPerBillion: 500_000)))
        return client
    }

    /// Blocks allocated by `body` on this thread, which runs once before to warm up.
    private func allocations(_ body: () throws -> Void) rethrows -> UInt64 {
        try body()
        let before = allocation_count()
        try body()
        return allocation_count() - before
    }

    @Test func theCounterCounts() {
        #expect(allocations { _ = [UInt8](repeating: 1, count: 100_000).reversed() as [UInt8] } > 0)
    }

    @Test func aDecisionAllocatesNothing() throws {
        let client = try client()
        let (name, key) = ("a-rule-with-a-long-name", "a key that is too long for a small string")
        #expect(client.preload(name, key: key))
        var allowed = 0
        let count = try allocations {
            for _ in 0..<1_000 where try client.tryAcquireNow(name, key: key)?.isAllowed == true { allowed += 1 }
        }
        #expect(allowed == 2_000 && count == 0)
        var bucket = client.bucket(name, key: key)
        let prehashed = try allocations {
            for _ in 0..<1_000 where try bucket.tryAcquireNow()?.isAllowed == true { allowed += 1 }
        }
        #expect(allowed == 4_000 && prehashed == 0)
    }

    @Test func aSureRefusalAllocatesNothing() throws {
        let client = try client()
        let (name, key) = ("a-rule-with-a-long-name", "k")
        guard case .found(let bucket, let drift) = client.lookup.bucket(rule: name, key: key) else { return }
        let scaled = drift.longest(client.path.clock().ns)
        // The bucket is empty for an hour.
        let hour: Int64 = 3_600 * second
        let isInstalled = client.path.withTable(for: bucket.id) {
            $0.install(
                bucket.id, span: nil, tat: AxisTime(ns: scaled + bucket.limit.tolerance + hour), base: 0, tag: 1,
                scaled: scaled)
        }
        var limited = 0
        let count = try allocations {
            for _ in 0..<1_000 where try client.tryAcquireNow(name, key: key)?.outcome == .limited { limited += 1 }
        }
        #expect(isInstalled && limited == 2_000 && count == 0)
    }
}

import LimiterCore
import Synchronization
import Testing

private let second: Int64 = 1_000_000_000
private let drift = DriftBound(partsPerBillion: 0)

private func makePath(capacity: Int = 1024, observer: (any AdmissionObserver)? = nil) -> DecisionPath {
    DecisionPath(capacity: capacity, shards: 4, clock: { ClockTime(ns: 0) }, observer: observer)
}

private func makeDirectory(version: UInt64, onLimit: OnLimit = .reject, shadow: Bool = false) throws -> RuleDirectory {
    let rule = try Rule(
        name: "api", limit: Limit(tokens: 1000, per: second, burst: 100_000), onLimit: onLimit, shadow: shadow)
    return RuleDirectory(
        rules: [VersionedRule(rule: rule, version: version)], hash: KeyedHash(secret: (1, 2)), drift: drift)
}

private func bucket(_ directory: RuleDirectory, _ key: String = "k") throws -> Bucket {
    let found = directory.bucket(rule: Array("api".utf8).span.bytes, key: Array(key.utf8).span.bytes)
    return try #require(found)
}

private func install(_ path: DecisionPath, _ bucket: Bucket, tokens: Int64, tat: Int64 = 0) -> Bool {
    path.withTable(for: bucket.id) {
        $0.install(
            bucket.id, span: (AxisTime(ns: 10), AxisTime(ns: 10 + tokens * bucket.limit.emissionInterval)),
            tat: AxisTime(ns: tat), base: 0, tag: 1, scaled: 0)
    }
}

private final class Witness: AdmissionObserver {
    let seen = Mutex<[(BucketID, Int64, ClockTime)]>([])

    func admitted(_ bucket: BucketID, limit: Limit, cost: Int64, at clock: ClockTime) {
        seen.withLock { $0.append((bucket, cost, clock)) }
    }
}

@Suite("Decision path")
struct DecisionPathTests {
    @Test("what an allowance holds is admitted, and what only the owner knows is left to it")
    func story() throws {
        let witness = Witness()
        let path = makePath(observer: witness)
        let bucket = try bucket(makeDirectory(version: 1))
        let now = ClockTime(ns: 5)
        #expect(path.decide(bucket, cost: 1, drift: drift, now: now) == nil)
        #expect(install(path, bucket, tokens: 3))
        let first = path.decide(bucket, cost: 2, drift: drift, now: now)
        #expect(first?.isAllowed == true && first?.limit == 100_000 && first?.retryAfter == -1)
        #expect(path.decide(bucket, cost: 2, drift: drift, now: now) == nil, "one token left")
        #expect(path.decide(bucket, cost: 0, drift: drift, now: now) == nil, "looking is the owner's business")
        #expect(path.decide(bucket, cost: 100_001, drift: drift, now: now) == nil, "beyond the burst")
        #expect(path.decide(bucket, cost: 1, drift: drift, now: now)?.isAllowed == true)
        #expect(witness.seen.withLock { $0.map(\.1) } == [2, 1])
        #expect(witness.seen.withLock { $0.allSatisfy { $0.0 == bucket.id && $0.2 == now } })
    }

    @Test("a sure refusal is made here, unless the rule lets requests wait; a shadow rule refuses nobody")
    func refusals() throws {
        let now = ClockTime(ns: 0)
        let tat = 100_000 * 1_000_000 + 10 * second
        let path = makePath()
        let plain = try bucket(makeDirectory(version: 1))
        #expect(install(path, plain, tokens: 0, tat: tat))
        let refusal = try #require(path.decide(plain, cost: 1, drift: drift, now: now))
        #expect(refusal.outcome == .limited && !refusal.isShadowed && refusal.remaining == 0)
        #expect(refusal.retryAfter == 10 * second + 1_000_000 - 1, "the stretched clock is rounded up")
        let patient = try bucket(makeDirectory(version: 2, onLimit: .delay(second)))
        #expect(install(path, patient, tokens: 0, tat: tat))
        #expect(path.decide(patient, cost: 1, drift: drift, now: now) == nil)
        let shadow = try bucket(makeDirectory(version: 3, shadow: true))
        #expect(install(path, shadow, tokens: 0, tat: tat))
        let shadowed = path.decide(shadow, cost: 1, drift: drift, now: now)
        #expect(shadowed?.isAllowed == true && shadowed?.isShadowed == true)
    }

    @Test("many threads spend one allowance: all of it and not one token more, while rules change under them")
    func concurrent() async throws {
        let path = makePath()
        path.setDirectory(try makeDirectory(version: 1))
        let first = try bucket(makeDirectory(version: 1))
        let second = try bucket(makeDirectory(version: 2))
        #expect(install(path, first, tokens: 50_000))
        #expect(install(path, second, tokens: 50_000))
        let directories = [try makeDirectory(version: 1), try makeDirectory(version: 2)]
        let admitted = await withTaskGroup(of: [Int64].self) { group in
            for worker in 0..<4 {
                group.addTask {
                    var admitted: [Int64] = [0, 0]
                    for i in 0..<60_000 {
                        guard let directory = path.directory,
                            let bucket = directory.bucket(
                                rule: Array("api".utf8).span.bytes, key: Array("k".utf8).span.bytes)
                        else { continue }
                        let cost = Int64(1 + (i + worker) % 2)
                        if path.decide(bucket, cost: cost, drift: drift, now: ClockTime(ns: 0))?.isAllowed == true {
                            admitted[directory.rules[0].version == 1 ? 0 : 1] += cost
                        }
                    }
                    return admitted
                }
            }
            group.addTask {
                for i in 0..<4000 {
                    path.setDirectory(directories[i % 2])
                    if i % 64 == 0 { await Task.yield() }
                }
                return [0, 0]
            }
            return await group.reduce([0, 0]) { [$0[0] + $1[0], $0[1] + $1[1]] }
        }
        #expect(admitted[0] <= 50_000 && admitted[1] <= 50_000)
        #expect(path.generation == 4001)
        // Whoever comes now gets exactly what is left.
        for (bucket, spent) in [(first, admitted[0]), (second, admitted[1])] {
            var rest: Int64 = 0
            while path.decide(bucket, cost: 1, drift: drift, now: ClockTime(ns: 0))?.isAllowed == true { rest += 1 }
            #expect(spent + rest == 50_000)
        }
        var used: Int64 = 0
        path.withEachTable { $0.takeUsage(limit: .max, scaled: 0) { used += $0.used } }
        #expect(used == 100_000, "each spent token is reported once")
    }

    @Test("one bucket is always in the same shard, and all shards are walked")
    func shards() throws {
        let path = makePath(capacity: 4096)
        let directory = try makeDirectory(version: 1)
        for i in 0..<500 { #expect(install(path, try bucket(directory, "k\(i)"), tokens: 1)) }
        var counts: [Int] = []
        path.withEachTable { counts.append($0.count) }
        #expect(counts.count == 4 && counts.reduce(0, +) == 500 && counts.allSatisfy { $0 > 80 })
        for i in 0..<500 {
            #expect(
                path.decide(try bucket(directory, "k\(i)"), cost: 1, drift: drift, now: ClockTime(ns: 0))?.isAllowed
                    == true)
        }
    }

    @Test("rules come and go by generation")
    func generations() throws {
        let path = makePath()
        #expect(path.directory == nil && path.generation == 0)
        path.setDirectory(try makeDirectory(version: 1))
        #expect(path.directory?.rules[0].version == 1 && path.generation == 1)
        path.setDirectory(try makeDirectory(version: 2))
        #expect(path.directory?.rules[0].version == 2 && path.generation == 2)
    }
}

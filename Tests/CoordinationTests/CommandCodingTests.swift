import ByteCoding
import LimiterCore
import Raft
import Testing

@testable import Coordination

/// Log entries as bytes.
struct CommandCodingTests {
    private func failure(_ bytes: [UInt8]) -> String {
        do { return "taken: \(try Command(decoding: bytes))" } catch { return error.description }
    }

    @Test("Every command survives the journey")
    func roundTrip() throws {
        for seed in 0..<1_000 {
            var generator = SplitMix64(seed: UInt64(seed))
            let command = generator.command()
            #expect(try Command(decoding: command.encoded()) == command, "seed \(seed)")
        }
    }

    @Test("An entry that breaks off anywhere, or goes on, is refused")
    func truncation() {
        for seed in 0..<30 {
            var generator = SplitMix64(seed: UInt64(seed))
            let bytes = generator.command().encoded()
            for count in 0..<bytes.count {
                #expect(throws: DecodingFailure.self, "seed \(seed), \(count) bytes") {
                    try Command(decoding: Array(bytes.prefix(count)))
                }
            }
            #expect(throws: DecodingFailure.self, "seed \(seed)") { try Command(decoding: bytes + [0]) }
        }
    }

    @Test("Mutated and random entries cost an error at the most; what is read can be written and read again")
    func hostile() throws {
        var taken = 0
        for seed in 0..<6_000 {
            var generator = SplitMix64(seed: UInt64(seed))
            var bytes: [UInt8]
            if generator.chance(3) {
                bytes = [1, UInt8(1 + generator.below(5))] + generator.bytes(upTo: 200)
            } else {
                bytes = generator.command().encoded()
                for _ in 0...generator.below(3) { bytes[generator.below(bytes.count)] = generator.number() }
            }
            guard let command = try? Command(decoding: bytes) else { continue }
            taken += 1
            #expect(try Command(decoding: command.encoded()) == command, "seed \(seed)")
        }
        #expect(taken > 500)
    }

    @Test("A newer format or kind says to upgrade, an older one what to do instead")
    func unknown() {
        #expect(failure([4, 1]) == "log entries of format 4 are not known to this version of Millrace: upgrade it")
        #expect(
            failure([2, 1])
                == "log entries of format 2 were written by an earlier version of Millrace, and this one reads only format 3: run "
                + "that version; a single node of a running cluster may be given an empty data folder instead (docs/operations.md)"
        )
        #expect(failure([3, 9]) == "log entries of kind 9 are not known to this version of Millrace: upgrade it")
        #expect(failure([]).hasPrefix("1 bytes expected"))
    }

    // MARK: Limits

    private static let request = RequestID(incarnation: 1, number: 2)

    @Test("As many rule changes as there can be rules, and one more")
    func ruleChanges() throws {
        let most = Command.rules(Array(repeating: .delete("a"), count: Command.mostRuleChanges), Self.request)
        #expect(try Command(decoding: most.encoded()) == most)
        let more = Command.rules(Array(repeating: .delete("a"), count: Command.mostRuleChanges + 1), Self.request)
        #expect(failure(more.encoded()).hasPrefix("a count of \(Command.mostRuleChanges + 1)"))
    }

    @Test("As many assignments and covers as there are ranges, and one more")
    func ranges() throws {
        func assign(_ count: Int) -> Command {
            .assign(
                Array(
                    repeating: Assignment(range: RangeID(1), replaces: 0, node: NodeID(1), incarnation: 1), count: count
                ))
        }
        func covers(_ count: Int) -> Command {
            .covers(
                Array(
                    repeating: Cover(
                        range: RangeID(1), epoch: 1, stamp: AxisTime(ns: 1), horizon: AxisTime(ns: 2), bounds: []),
                    count: count), Self.request)
        }
        for most in [assign(RangeID.count), covers(RangeID.count)] {
            #expect(try Command(decoding: most.encoded()) == most)
        }
        for more in [assign(RangeID.count + 1), covers(RangeID.count + 1)] {
            #expect(failure(more.encoded()).hasPrefix("a count of 65"))
        }
    }

    @Test("As many bounds as a batch or a part of a release may have, and one more")
    func bounds() throws {
        let bound = Bound(id: BucketID(high: 1, low: 2), time: AxisTime(ns: 3))
        func covers(_ counts: [Int]) -> Command {
            .covers(
                counts.enumerated().map { i, count in
                    Cover(
                        range: RangeID(i), epoch: 1, stamp: AxisTime(ns: 1), horizon: AxisTime(ns: 2),
                        bounds: Array(repeating: bound, count: count))
                }, Self.request)
        }
        func release(_ count: Int) -> Command {
            .release(
                ReleaseChunk(
                    range: RangeID(1), epoch: 1, chunk: 0, count: 1, stamp: AxisTime(ns: 1),
                    tats: Array(repeating: bound, count: count), floors: []))
        }
        let most = Command.mostBounds
        for command in [covers([most]), covers([most - 1, 1]), release(most)] {
            #expect(try Command(decoding: command.encoded()) == command)
        }
        #expect(failure(covers([most + 1]).encoded()).hasPrefix("a count of \(most + 1)"))
        #expect(failure(release(most + 1).encoded()).hasPrefix("a count of \(most + 1)"))
        #expect(failure(covers([most, 1]).encoded()).hasPrefix("\(most + 1) bounds in one batch of covers"))
    }

    @Test("What the state could not hold is no entry: an owner 0, a range 64, a bucket 0, half a floor")
    func impossible() {
        let assignment = Command.assign([Assignment(range: RangeID(1), replaces: 0, node: NodeID(0), incarnation: 1)])
        #expect(failure(assignment.encoded()).hasPrefix("node 0"))
        #expect(failure([3, 3, 1, 0, 0, 0, 64] + [UInt8](repeating: 1, count: 20)) == "there is no range 64")
        var floors = Array(repeating: AxisTime.never, count: BucketID.classes)
        floors[3] = AxisTime(ns: 7)
        func chunk(_ floors: [AxisTime]) -> [UInt8] {
            Command.release(
                ReleaseChunk(
                    range: RangeID(1), epoch: 1, chunk: 0, count: 1, stamp: AxisTime(ns: 1), tats: [], floors: floors)
            ).encoded()
        }
        #expect(failure(Array(chunk(floors).dropLast())).hasPrefix("8 bytes expected"))
        let never = withUnsafeBytes(of: AxisTime.never.ns.littleEndian) { Array($0) }
        #expect(failure(Array(chunk(floors).dropLast(8)) + never).hasSuffix("says nothing"))
        // Floors that all say nothing are no floors.
        #expect(chunk(Array(repeating: .never, count: BucketID.classes)) == chunk([]))
        var bucket = Command.release(
            ReleaseChunk(
                range: RangeID(1), epoch: 1, chunk: 0, count: 1, stamp: AxisTime(ns: 1),
                tats: [Bound(id: BucketID(high: 1, low: 0), time: AxisTime(ns: 1))], floors: [])
        ).encoded()
        bucket[31] = 0
        #expect(failure(bucket) == "a bucket identity of 0")
    }

    @Test("A rule or parameters that cannot be are refused with the reason")
    func impossibleRules() throws {
        let rule = try Rule(name: "api", limit: Limit(tokens: 1, per: 1_000_000_000, burst: 1))
        var bytes = Command.rules([.put(rule)], Self.request).encoded()
        bytes[27] = UInt8(ascii: "A")
        #expect(failure(bytes).hasPrefix("'Api' is no rule name"))
        var parameters = ClusterParameters()
        parameters.slackDivisor = 0
        let genesis = Genesis(secretHigh: 1, secretLow: 2, cluster: 3, parameters: parameters)
        #expect(failure(Command.genesis(genesis).encoded()).hasPrefix("slack must not be negative"))
    }

    // MARK: Reports of nodes to the leader

    @Test("A node's report takes 25 bytes, and nothing else is one")
    func nodeReports() {
        for seed in 0..<200 {
            var generator = SplitMix64(seed: UInt64(seed))
            let report = NodeReport(
                incarnation: generator.number(), applied: generator.number(), served: generator.number(),
                isDraining: generator.chance(2))
            let bytes = report.encoded()
            #expect(bytes.count == 25 && bytes.count <= RaftNode.maxContextBytes)
            #expect(NodeReport(decoding: bytes) == report)
            for count in 0..<25 { #expect(NodeReport(decoding: Array(bytes.prefix(count))) == nil) }
            #expect(NodeReport(decoding: bytes + [0]) == nil)
            #expect(NodeReport(decoding: bytes.dropLast() + [2]) == nil)
        }
    }
}

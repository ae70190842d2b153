import ByteCoding
import Coordination
import LimiterCore
import PeerCodec
import Raft
import Testing

/// What clients and nodes say to each other: the same journey, the same suspicion.
struct ClientMessageTests {
    private static let kinds = 5

    private func message(_ kind: Int, _ generator: inout SplitMix64) throws -> ClientMessage {
        switch kind {
        case 0:
            let limit = try Limit(tokens: 10, per: 1_000_000_000, burst: Int64(1 + generator.below(100)))
            let rule = try Rule(
                name: "r\(generator.below(100))", limit: limit, onLimit: generator.chance(2) ? .reject : .delay(5),
                overrides: generator.chance(2) ? [] : [Rule.Override(key: "k", limit: limit)])
            let earlier = VersionedRule.Earlier(version: generator.number(), limit: limit, overrides: rule.overrides)
            return .rules(
                ClientRules(
                    node: Tenant(node: NodeID(generator.number()), incarnation: generator.number()),
                    cluster: generator.number(), secretHigh: generator.number(), secretLow: generator.number(),
                    rho: generator.number(), version: generator.number(), part: generator.number(),
                    parts: generator.number(),
                    rules: Array(
                        repeating: VersionedRule(rule: rule, version: generator.number(), previous: [earlier]),
                        count: generator.below(3))))
        case 1: return .report(generator.report())
        case 2: return .answer(generator.answer())
        case 3: return .verdicts(session: generator.number(), generator.verdicts())
        default: return .goodbye
        }
    }

    @Test("Every kind of message survives the journey", arguments: 0..<kinds)
    func everyKind(kind: Int) throws {
        for seed in 0..<300 {
            var generator = SplitMix64(seed: UInt64(7_000 * kind + seed))
            let message = try message(kind, &generator)
            let bytes = ClientCodec.encode(message)
            #expect(try ClientCodec.decode(bytes[...]) == message, "kind \(kind), seed \(seed)")
        }
    }

    @Test("A message that breaks off anywhere is refused, and so is one that goes on", arguments: 0..<kinds)
    func truncation(kind: Int) throws {
        var generator = SplitMix64(seed: UInt64(kind))
        for _ in 0..<20 {
            let bytes = ClientCodec.encode(try message(kind, &generator))
            for count in 0..<bytes.count {
                #expect(throws: (any Error).self) { try ClientCodec.decode(bytes[..<count]) }
            }
            #expect(throws: (any Error).self) { try ClientCodec.decode((bytes + [0])[...]) }
        }
    }

    @Test("Mutated and random bytes cost an error at the most")
    func mutations() throws {
        for seed in 0..<10_000 {
            var generator = SplitMix64(seed: UInt64(seed))
            var bytes = ClientCodec.encode(try message(seed % Self.kinds, &generator))
            for _ in 0...generator.below(3) {
                bytes[generator.below(bytes.count)] = UInt8(truncatingIfNeeded: generator.next())
            }
            if let message = try? ClientCodec.decode(bytes[...]) {
                #expect(ClientCodec.encode(message) == bytes, "seed \(seed)")
                // Whatever decodes is judged without trapping.
                _ = message.mistakeOfClient
                _ = message.mistakeOfNode
            }
            _ = try? ClientCodec.decode(([1, UInt8(64 + generator.below(5))] + generator.bytes(upTo: 80))[...])
        }
    }

    @Test("Other versions and kinds say what to upgrade")
    func unknown() {
        #expect(throws: DecodingFailure.self) { try ClientCodec.decode([2, 64][...]) }
        #expect(throws: DecodingFailure.self) { try ClientCodec.decode([1, 12][...]) }
        // A peer's message is no client's.
        #expect(throws: DecodingFailure.self) { try ClientCodec.decode([2, 32, 0, 0][...]) }
    }

    @Test("What no correct client says is told")
    func clientMistakes() {
        let terms = BucketTerms(emissionInterval: 1_000, tolerance: 100_000, unit: 1, exact: false)
        func mistake(_ change: (inout ReportItem) -> Void) -> String? {
            var item = ReportItem(
                range: RangeID(1), id: BucketID(high: 1, low: 2), terms: terms,
                waiting: [WaitingGroup(firstTicket: 1, count: 1, time: 1_000, longestWait: 0)],
                name: ItemName(rule: Array("r".utf8), version: 1, key: [1]))
            change(&item)
            return ClientMessage.report(Report(session: 1, number: 1, verdictsSeen: 0, items: [item])).mistakeOfClient
        }
        #expect(mistake { _ in } == nil)
        #expect(mistake { $0.name = nil } == "a client's bucket without a name")
        #expect(mistake { $0.name!.key = [] } == "a key of 0 bytes")
        #expect(mistake { $0.name!.key = Array(repeating: 1, count: Rule.longestKey) } == nil)
        #expect(mistake { $0.name!.key = Array(repeating: 1, count: Rule.longestKey + 1) } == "a key of 4097 bytes")
        #expect(mistake { $0.waiting[0].time = 1_001 } == "a request for a part of a token")
        #expect(mistake { $0.waiting[0].time = 101_000 } == "a request for 101000 ns")
        #expect(mistake { $0.terms.emissionInterval = 0 } != nil)
        #expect(mistake { $0.used = -1 } == "negative usage or demand")
        #expect(ClientMessage.goodbye.mistakeOfClient == "a client says what only nodes say")
    }

    @Test("Rules of any number and size come in parts, and are put together again")
    func parts() throws {
        let limit = try Limit(tokens: 10, per: 1_000_000_000, burst: 10)
        let overrides = (0..<900).map { Rule.Override(key: "a-key-of-some-length-\($0)", limit: limit) }
        let rules = try (0..<1_300).map { i in
            VersionedRule(
                rule: try Rule(name: "r\(i)", limit: limit, overrides: i % 100 == 0 ? overrides : []), version: 3)
        }
        let genesis = Genesis(secretHigh: 1, secretLow: 2, cluster: 3, parameters: ClusterParameters())
        let node = Tenant(node: NodeID(1), incarnation: 9)
        let parts = ClientRules.parts(of: rules, genesis: genesis, version: 7, node: node)
        #expect(parts.count > 2)
        #expect(parts.allSatisfy { ClientCodec.encode(.rules($0)).count < 400_000 })
        var assembly = RuleAssembly()
        #expect(parts.dropLast().allSatisfy { assembly.add($0) == nil })
        #expect(assembly.add(parts.last!)?.rules == rules)
        // No rules at all are one part; a part out of its turn is none.
        #expect(ClientRules.parts(of: [], genesis: genesis, version: 7, node: node).count == 1)
        #expect(assembly.add(parts[1]) == nil)
        #expect(parts.dropFirst().allSatisfy { assembly.add($0) == nil })
    }
}

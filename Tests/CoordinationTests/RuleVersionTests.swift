import LimiterCore
import Raft
import Testing

@testable import Coordination

/// Which changes of a rule make new buckets, and what refuses a change.
struct RuleVersionTests {
    private func limit(_ burst: Int64) -> Limit { try! Limit(tokens: 1, per: 1_000_000_000, burst: burst) }

    private func rule(_ name: String = "api", burst: Int64 = 10) -> Rule { try! Rule(name: name, limit: limit(burst)) }

    @Test("A change of what is done around the arithmetic keeps the version and so the buckets")
    func kept() {
        let before = VersionedRule(rule: rule(), version: 5)
        for change in [
            { (rule: inout Rule) in rule.onLimit = .delay(1_000) }, { $0.onIsolation = .allow }, { $0.shadow = true },
        ] {
            var changed = rule()
            change(&changed)
            let after = before.changed(to: changed, version: 9)
            #expect(after == VersionedRule(rule: changed, version: 5))
        }
    }

    @Test("A change of limit, overrides or exactness is a new version that remembers the old one")
    func renewed() throws {
        let before = VersionedRule(rule: rule(), version: 5)
        let earlier = VersionedRule.Earlier(version: 5, limit: limit(10), overrides: [])
        let override = Rule.Override(key: "vip", limit: limit(99))
        for changed in [
            rule(burst: 11), try Rule(name: "api", limit: limit(10), exact: true),
            try Rule(name: "api", limit: limit(10), overrides: [override]),
        ] {
            #expect(
                before.changed(to: changed, version: 9)
                    == VersionedRule(rule: changed, version: 9, previous: [earlier]))
        }
    }

    @Test("The last few versions are remembered, newest first, and a way back is a new version too")
    func history() {
        var versioned = VersionedRule(rule: rule(burst: 10), version: 1)
        for version in 2...6 {
            versioned = versioned.changed(to: rule(burst: version % 2 == 0 ? 20 : 10), version: UInt64(version))
        }
        #expect(versioned.version == 6)
        #expect(versioned.previous.map(\.version) == [5, 4, 3])
        #expect(versioned.previous.map(\.limit.burst) == [10, 20, 10])
        // The memory survives a change that keeps the version.
        var shadowed = rule(burst: 20)
        shadowed.shadow = true
        #expect(versioned.changed(to: shadowed, version: 7).previous.map(\.version) == [5, 4, 3])
    }

    // MARK: In the log

    private func change(_ state: inout ReplicatedState, _ changes: [RuleChange], at index: LogIndex) -> [Effect] {
        state.apply(.rules(changes, RequestID(incarnation: 1, number: index)), at: index)
    }

    private func done(_ number: UInt64, _ refusal: String? = nil) -> Effect {
        .done(RequestID(incarnation: 1, number: number), refusal: refusal)
    }

    @Test("Changes come into force together, sorted by name; the version is the log index")
    func together() {
        var state = ReplicatedState()
        #expect(change(&state, [.put(rule("b")), .put(rule("a"))], at: 4) == [.rulesChanged, done(4)])
        #expect(state.rules.map(\.rule.name) == ["a", "b"] && state.rules.map(\.version) == [4, 4])
        #expect(change(&state, [.delete("a"), .put(rule("b", burst: 2))], at: 5) == [.rulesChanged, done(5)])
        #expect(state.rules.map(\.rule.name) == ["b"] && state.rules[0].version == 5)
        // The same rule once more changes nothing, so nothing is made anew.
        #expect(change(&state, [.put(rule("b", burst: 2))], at: 6) == [done(6)])
    }

    @Test("A batch with one bad change is refused whole, with the reason")
    func refused() {
        var state = ReplicatedState()
        _ = change(&state, [.put(rule("a"))], at: 1)
        let before = state.rules
        #expect(change(&state, [.put(rule("b")), .delete("c")], at: 2) == [done(2, "there is no rule 'c'")])
        #expect(state.rules == before)
    }

    @Test("As many rules as there can be, and one more")
    func mostRules() {
        var state = ReplicatedState()
        let most = (0..<RuleDirectory.mostRules).map { RuleChange.put(rule("r\($0)")) }
        #expect(change(&state, most, at: 1) == [.rulesChanged, done(1)])
        #expect(state.rules.count == RuleDirectory.mostRules)
        #expect(
            change(&state, [.put(rule("one-more"))], at: 2)
                == [done(2, "4097 rules are more than the 4096 possible: delete some first")])
        #expect(state.rules.count == RuleDirectory.mostRules)
        // Within one entry it is the result that counts.
        #expect(change(&state, [.put(rule("one-more")), .delete("r0")], at: 3) == [.rulesChanged, done(3)])
    }
}

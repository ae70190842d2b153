import LimiterCore

/// SplitMix64 (Steele, Lea and Flood, "Fast splittable pseudorandom number generators", 2014).
struct Generator {
    var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }

    mutating func below(_ bound: Int) -> Int { Int(next() % UInt64(bound)) }

    mutating func bool() -> Bool { next() & 1 == 1 }

    mutating func pick<T>(_ items: [T]) -> T { items[below(items.count)] }

    /// Rules that a file may hold, with hostile names and keys among them.
    mutating func rules() -> [Rule] {
        let names = ["api", "null", "true", "no", "0", "1.5", "-", "a.b_c-d", "on", "y", "x1e3", "_", "1d"]
        let count = below(5)
        var rules: [Rule] = []
        for i in 0..<count {
            // The place keeps names apart.
            let name = i == 0 ? pick(names) : "\(pick(names))\(i)"
            rules.append(rule(name: name))
        }
        return rules
    }

    mutating func rule(name: String) -> Rule {
        var overrides: [Rule.Override] = []
        for i in 0..<below(4) { overrides.append(.init(key: key() + "\(i)", limit: limit())) }
        let (limit, isDelayed) = (limit(), bool())
        let canBeDivided = !isDelayed && ([limit] + overrides.map(\.limit)).allSatisfy { $0.burst / $0.unit > 1 }
        return try! Rule(
            name: name, limit: limit, onLimit: isDelayed ? .delay(1 + Int64(below(3_600_000)) * 1_000_000) : .reject,
            onIsolation: pick(OnIsolation.allCases), exact: bool(), shadow: bool(),
            reserveForCritical: canBeDivided ? below(100) : 0, overrides: overrides)
    }

    mutating func limit() -> Limit {
        let periods: [Int64] = [
            1_000_000, 1_000_001, 500_000_000, 1_000_000_000, 60_000_000_000, 86_400_000_000_000,
            366 * 86_400_000_000_000,
        ]
        while true {
            let tokens = Int64(1) << below(40)
            let burst = Int64(1) + Int64(below(1 << below(40)))
            let period = pick(periods)
            if tokens <= period, let limit = try? Limit(tokens: tokens, per: period, burst: burst) { return limit }
        }
    }

    mutating func key() -> String {
        let pieces = [
            "user", ":", "*", "&a", "\"", "\\", "\n", "\t", "\u{0}", "\u{85}", "\u{FEFF}", "é", "😀", "#", " ", "'", "{",
            "]", "- ",
            "? ", "\u{2028}", "\u{FFFF}", "\u{7F}", "~", "null", ": ", String(repeating: "x", count: 1000),
        ]
        var key = ""
        for _ in 0..<below(6) { key += pick(pieces) }
        let scalars = key.unicodeScalars.prefix(1000)
        return scalars.first == "\u{FEFF}" ? "x" : String(scalars)
    }
}

/// When to dial a peer again: exponential backoff with full jitter, and patience where the other side should dial.
///
/// The node with the higher id dials (the *primary*). The other one dials too if it has waited in vain, so that a
/// firewall that lets connections pass one way only does not separate the two; once that has worked it no longer waits.
/// Both dial at once when they start: a restarted node should not wait for others to notice.
package struct DialSchedule: Sendable {
    private let base: Duration
    private let cap: Duration
    private let healthyAfter: Duration
    private let reverseDialAfter: Duration
    private var isPatient: Bool
    private var failures = 0
    private var jitter: Jitter

    package init(
        isPrimary: Bool, base: Duration, cap: Duration, healthyAfter: Duration, reverseDialAfter: Duration, seed: UInt64
    ) {
        isPatient = !isPrimary
        self.base = base
        self.cap = cap
        self.healthyAfter = healthyAfter
        self.reverseDialAfter = reverseDialAfter
        jitter = Jitter(seed: seed)
    }

    /// A dial of ours failed: how long to wait for the next.
    package mutating func failed() -> Duration { next() }

    /// A connection was lost after `lifetime`: how long to wait for the next dial.
    package mutating func lost(after lifetime: Duration, dialledByUs: Bool) -> Duration {
        if dialledByUs { isPatient = false }
        if lifetime >= healthyAfter { failures = 0 }
        return next()
    }

    private mutating func next() -> Duration {
        // 2^20 times any sensible base is beyond any sensible cap.
        let ceiling = min(cap, base * (1 << min(failures, 20)))
        failures += 1
        return (isPatient ? reverseDialAfter : .zero) + jitter.upTo(ceiling)
    }
}

/// Random waiting times from a seed (SplitMix64: Steele, Lea and Flood, "Fast splittable pseudorandom number
/// generators", 2014).
struct Jitter: Sendable {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }

    /// A duration from zero to `ceiling`, both included, in whole microseconds.
    mutating func upTo(_ ceiling: Duration) -> Duration {
        let microseconds = UInt64(ceiling / .microseconds(1))
        return .microseconds(Int64(next().multipliedFullWidth(by: microseconds + 1).high))
    }
}

import Glibc
import LimiterCore
import Synchronization

/// The rules in force, readable from any thread without a contended lock and without counting references.
///
/// Each reader takes the lock of the slot that its thread belongs to, so threads hardly ever meet; whoever puts other rules in force
/// takes them all, one after the other. While a slot's lock is held its directory cannot go away, which is why the slots need not own it.
final class RuleLookup: Sendable {
    /// Padded to cache lines, so that two slots' locks never share one.
    private struct Slot: ~Copyable {
        let directory: Mutex<Unmanaged<RuleDirectory>?> = Mutex(nil)
        private let padding: (UInt64, UInt64, UInt64, UInt64, UInt64, UInt64, UInt64, UInt64) = (0, 0, 0, 0, 0, 0, 0, 0)
    }

    private static let slotCount = 16
    private nonisolated(unsafe) let slots: UnsafeMutablePointer<Slot>  // never reassigned; each slot locks itself
    /// What the slots point at.
    private let owner = Mutex<RuleDirectory?>(nil)
    private let count = Atomic<Int>(0)

    init() {
        slots = .allocate(capacity: Self.slotCount)
        for i in 0..<Self.slotCount { (slots + i).initialize(to: Slot()) }
    }

    deinit {
        slots.deinitialize(count: Self.slotCount)
        slots.deallocate()
    }

    /// Grows with every change of rules.
    var generation: Int { count.load(ordering: .acquiring) }

    /// The rules in force, for work that is not on the hot path.
    var directory: RuleDirectory? { owner.withLock { $0 } }

    func set(_ directory: RuleDirectory) {
        let old = owner.withLock { owned in
            defer { owned = directory }
            return owned
        }
        for i in 0..<Self.slotCount { slots[i].directory.withLock { $0 = .passUnretained(directory) } }
        count.add(1, ordering: .acquiringAndReleasing)
        // No slot points at the old one any more.
        withExtendedLifetime(old) {}
    }

    enum Result {
        case found(Bucket, DriftBound)
        case unknownRule
        case noRules
    }

    /// The bucket of a key under a rule.
    @inline(__always)
    func bucket(rule: String, key: String) -> Result {
        let rule = rule.utf8Span.span.bytes
        let key = key.utf8Span.span.bytes
        return slots[Self.slot].directory.withLock { unmanaged in
            guard let unmanaged else { return .noRules }
            return unmanaged._withUnsafeGuaranteedRef { directory in
                guard let bucket = directory.bucket(rule: rule, key: key) else { return .unknownRule }
                return .found(bucket, directory.drift)
            }
        }
    }

    /// A thread's own place: the address of its control block tells threads apart.
    @inline(__always)
    private static var slot: Int {
        let thread = UInt64(pthread_self())
        return Int(truncatingIfNeeded: ((thread >> 12) &* 0x9E37_79B9_7F4A_7C15) >> 60)
    }
}

/// A request's bucket, resolved: everything that the decision depends on.
public struct Bucket: Sendable {
    public var id: BucketID
    public var range: RangeID
    /// The limit as this request sees it: for a normal one, without what is kept for critical ones.
    public private(set) var limit: Limit
    /// The virtual time of the bucket that is kept for critical requests, in nanoseconds; 0 for none.
    public let reserve: Int64
    /// Of the request; change it with ``with(_:)``.
    public private(set) var priority: Priority
    /// How long a request over the limit may wait, in nanoseconds.
    public var longestWait: Int64
    public var onIsolation: OnIsolation
    public var exact: Bool
    public var shadow: Bool
    /// Where the rule stands in its ``RuleDirectory``; -1 where the caller brought the limit.
    public var ruleIndex: Int32
    /// The rule's version; with ``ruleIndex`` it says whether another directory holds the same rule at the same place.
    public var ruleVersion: UInt64

    /// A bucket for a normal request: `limit` is what such a request sees, without the `reserve`.
    public init(
        id: BucketID, range: RangeID, limit: Limit, reserve: Int64 = 0, longestWait: Int64 = 0,
        onIsolation: OnIsolation = .deny, exact: Bool = false, shadow: Bool = false, ruleIndex: Int32 = -1,
        ruleVersion: UInt64 = 0
    ) {
        self.id = id
        self.range = range
        self.limit = limit
        self.reserve = reserve
        priority = .normal
        self.longestWait = longestWait
        self.onIsolation = onIsolation
        self.exact = exact
        self.shadow = shadow
        self.ruleIndex = ruleIndex
        self.ruleVersion = ruleVersion
    }

    /// The whole bucket's limit, whatever the request's priority: what the promise is about.
    public var wholeLimit: Limit { priority == .critical ? limit : limit.closing(-reserve) }

    /// The same bucket for a request of this priority.
    public func with(_ priority: Priority) -> Bucket {
        guard priority != self.priority else { return self }
        var bucket = self
        bucket.priority = priority
        bucket.limit = limit.closing(priority == .critical ? -reserve : reserve)
        return bucket
    }

    /// Whether some of the bucket is closed to this request, because it is kept for critical ones.
    public var isPartlyClosed: Bool { reserve > 0 && priority == .normal }

    /// Whether a request of this bucket may wait for its turn. One that waits is given tokens of the future: of a bucket with a reserve
    /// nothing would be left of it, so only critical ones may.
    public var mayWait: Bool { !isPartlyClosed }
}

/// A rule under the version that the log gave it, with the versions it had before.
public struct VersionedRule: Hashable, Sendable {
    public var rule: Rule
    /// The index of the log entry that set it.
    public var version: UInt64
    /// Earlier versions, newest first: their buckets' used tokens are carried over.
    public var previous: [Earlier]

    public struct Earlier: Hashable, Sendable {
        public var version: UInt64
        public var limit: Limit
        public var overrides: [Rule.Override]

        public init(version: UInt64, limit: Limit, overrides: [Rule.Override]) {
            self.version = version
            self.limit = limit
            self.overrides = overrides
        }

        /// The limit for one key, compared by its bytes: two strings may be equal and yet be different keys.
        func limit(for key: [UInt8]) -> Limit { overrides.first { $0.key.utf8.elementsEqual(key) }?.limit ?? limit }
    }

    /// How many earlier versions are remembered. A key that nobody asks for while its rule changes more often than that, within the time in which its
    /// bucket fills, may start with a full burst; each version keeps its own promise.
    public static let mostPrevious = 3

    public init(rule: Rule, version: UInt64, previous: [Earlier] = []) {
        self.rule = rule
        self.version = version
        self.previous = previous
    }
}

/// All rules in a form that finds a request's bucket in one pass over its key. Immutable; made anew when rules change.
public final class RuleDirectory: Sendable {
    /// A rule as the fast path needs it: plain values only, so that reading it counts no references.
    private struct Compiled: Sendable {
        var nameHash: UInt64
        /// Where the name lies in ``names``.
        var nameStart: Int32
        var nameCount: Int32
        /// The hash's state after the rule's name.
        var prefix: SipState
        var version: UInt64
        /// As a normal request sees it.
        var limit: Limit
        var reserve: Int64
        var longestWait: Int64
        var onIsolation: OnIsolation
        var exact: Bool
        var shadow: Bool
        var hasOverrides: Bool
    }

    private typealias Overrides = [UInt64: (key: [UInt8], limit: Limit, reserve: Int64)]

    public let hash: KeyedHash
    /// Slack and bracket arithmetic of this cluster.
    public let drift: DriftBound
    /// Sorted by name.
    public let rules: [VersionedRule]
    /// Whether any rule has changed: else nobody has predecessors.
    private let remembersVersions: Bool
    private let compiled: [Compiled]
    /// Of each rule: by the keyed hash of the key; the key itself is compared on a hit.
    private let overrides: [Overrides]
    /// All names, one after the other.
    private let names: [UInt8]
    /// Open addressing by the name's hash: index + 1, or 0.
    private let slots: [Int32]
    private let mask: Int
    private let adHocPrefix: SipState

    /// The most rules of a cluster.
    public static let mostRules = 4096
    /// The name under which callers' own limits are hashed; no rule can have it.
    public static let adHocName = "CL.THROTTLE"

    public init(rules: [VersionedRule], hash: KeyedHash, drift: DriftBound) {
        self.hash = hash
        self.drift = drift
        self.rules = rules.sorted { $0.rule.name < $1.rule.name }
        remembersVersions = rules.contains { !$0.previous.isEmpty }
        var compiled: [Compiled] = []
        var overrides: [Overrides] = []
        var names: [UInt8] = []
        for versioned in self.rules {
            let rule = versioned.rule
            let name = Array(rule.name.utf8)
            let seed = hash.seed(ofRule: name.span.bytes)
            var byKey: Overrides = [:]
            for override in rule.overrides {
                let key = Array(override.key.utf8)
                let reserve = RuleDirectory.reserve(of: override.limit, rule)
                byKey[hash.hash(rule: seed, key: key.span.bytes)] = (key, override.limit.closing(reserve), reserve)
            }
            let reserve = RuleDirectory.reserve(of: rule.limit, rule)
            compiled.append(
                Compiled(
                    nameHash: RuleDirectory.nameHash(name.span.bytes), nameStart: Int32(names.count),
                    nameCount: Int32(name.count), prefix: hash.prefix(ofRule: seed), version: versioned.version,
                    limit: rule.limit.closing(reserve), reserve: reserve, longestWait: rule.longestWait,
                    onIsolation: rule.onIsolation, exact: rule.exact, shadow: rule.shadow,
                    hasOverrides: !byKey.isEmpty))
            overrides.append(byKey)
            names += name
        }
        var size = 8
        while size < compiled.count * 2 { size *= 2 }
        var slots = [Int32](repeating: 0, count: size)
        for (i, rule) in compiled.enumerated() {
            var at = Int(truncatingIfNeeded: rule.nameHash) & (size - 1)
            while slots[at] != 0 { at = (at + 1) & (size - 1) }
            slots[at] = Int32(i + 1)
        }
        self.compiled = compiled
        self.overrides = overrides
        self.names = names
        self.slots = slots
        mask = size - 1
        let adHoc = Array(RuleDirectory.adHocName.utf8)
        adHocPrefix = hash.prefix(ofRule: hash.seed(ofRule: adHoc.span.bytes))
    }

    private static func reserve(of limit: Limit, _ rule: Rule) -> Int64 {
        // A rule is refused where its burst cannot be divided.
        limit.part(percent: rule.reserveForCritical) ?? 0
    }

    /// A quick hash to find a rule by its name. It needs no secret: only who may set rules chooses what stands in the table.
    @inline(__always)
    private static func nameHash(_ name: RawSpan) -> UInt64 {
        name.withUnsafeBytes { bytes in
            var hash = UInt64(truncatingIfNeeded: bytes.count) &* 0x9e37_79b9_7f4a_7c15
            var offset = 0
            while offset &+ 8 <= bytes.count {
                hash = mix(hash ^ bytes.loadUnaligned(fromByteOffset: offset, as: UInt64.self))
                offset &+= 8
            }
            return mix(hash ^ SipState.rest(of: bytes, from: offset))
        }
    }

    @inline(__always)
    private static func mix(_ word: UInt64) -> UInt64 {
        let (high, low) = word.multipliedFullWidth(by: 0xd6e8_feb8_6659_fd93)
        return high ^ low
    }

    /// The bucket of `key` under the rule called `name`, or nil if there is no such rule.
    public func bucket(rule name: RawSpan, key: RawSpan) -> Bucket? {
        guard name.byteCount <= Rule.longestName else { return nil }
        let nameHash = RuleDirectory.nameHash(name)
        var at = Int(truncatingIfNeeded: nameHash) & mask
        while slots[at] != 0 {
            let index = Int(slots[at]) &- 1
            if compiled[index].nameHash == nameHash, isName(name, ofRule: index) {
                return bucket(ruleIndex: index, key: key)
            }
            at = (at &+ 1) & mask
        }
        return nil
    }

    @inline(__always)
    private func isName(_ name: RawSpan, ofRule index: Int) -> Bool {
        let count = Int(compiled[index].nameCount)
        guard name.byteCount == count else { return false }
        let start = Int(compiled[index].nameStart)
        return name.withUnsafeBytes { given in
            names.withUnsafeBytes { all in
                var offset = 0
                while offset &+ 8 <= count {
                    guard
                        given.loadUnaligned(fromByteOffset: offset, as: UInt64.self)
                            == all.loadUnaligned(fromByteOffset: start &+ offset, as: UInt64.self)
                    else { return false }
                    offset &+= 8
                }
                while offset < count {
                    guard given[offset] == all[start &+ offset] else { return false }
                    offset &+= 1
                }
                return true
            }
        }
    }

    @inline(__always)
    private func bucket(ruleIndex index: Int, key: RawSpan) -> Bucket {
        var limit = compiled[index].limit
        var reserve = compiled[index].reserve
        let hasOverrides = compiled[index].hasOverrides
        let (range, id) = KeyedHash.bucket(
            compiled[index].prefix, key: key,
            identity: (isPlanted(.identityWithoutVersion) ? 0 : compiled[index].version, 0)
        ) { keyHash in
            if hasOverrides, let override = overrides[index][keyHash], key.hasSameBytes(as: override.key) {
                limit = override.limit
                reserve = override.reserve
            }
            return limit.tolerance &+ reserve
        }
        return Bucket(
            id: id, range: range, limit: limit, reserve: reserve, longestWait: compiled[index].longestWait,
            onIsolation: compiled[index].onIsolation, exact: compiled[index].exact, shadow: compiled[index].shadow,
            ruleIndex: Int32(index), ruleVersion: compiled[index].version)
    }

    /// The bucket of `key` under a limit that the caller brings, which is part of the bucket's identity.
    public func bucket(limit: Limit, key: RawSpan) -> Bucket {
        let (range, id) = KeyedHash.bucket(adHocPrefix, key: key, identity: limit.identity) { _ in limit.tolerance }
        return Bucket(id: id, range: range, limit: limit)
    }

    /// The name of the rule that a bucket was resolved by; nil if this directory does not hold that version of it.
    public func ruleName(of bucket: Bucket) -> String? {
        bucket.ruleIndex < 0 ? RuleDirectory.adHocName : index(of: bucket).map { rules[$0].rule.name }
    }

    /// The bucket may have been resolved by an older directory than this one.
    private func index(of bucket: Bucket) -> Int? {
        let index = Int(bucket.ruleIndex)
        return rules.indices.contains(index) && rules[index].version == bucket.ruleVersion ? index : nil
    }

    /// The buckets that `key` had under earlier versions of its rule, newest first.
    ///
    /// The bucket may be one of an earlier version itself, or of a rule that stood elsewhere: a request waits while rules change.
    /// That costs a look at every rule.
    public func predecessors(of bucket: Bucket, key: [UInt8]) -> [Predecessor] {
        guard remembersVersions, bucket.ruleIndex >= 0 else { return [] }
        let usual = Int(bucket.ruleIndex)
        if usual < rules.count, let found = predecessors(of: bucket, key: key, ruleIndex: usual) { return found }
        return rules.indices.lazy.compactMap { self.predecessors(of: bucket, key: key, ruleIndex: $0) }.first ?? []
    }

    /// nil if the bucket is none of this rule's.
    private func predecessors(of bucket: Bucket, key: [UInt8], ruleIndex: Int) -> [Predecessor]? {
        let rule = rules[ruleIndex]
        // One log entry may have set several rules, so the version alone does not tell that it is the same one.
        if rule.version == bucket.ruleVersion {
            guard self.bucket(ruleIndex: ruleIndex, key: key.span.bytes).id == bucket.id else { return nil }
            return rule.previous.map { predecessor(ruleIndex: ruleIndex, $0, key) }
        }
        guard let at = rule.previous.firstIndex(where: { $0.version == bucket.ruleVersion }),
            predecessor(ruleIndex: ruleIndex, rule.previous[at], key).id == bucket.id
        else { return nil }
        return rule.previous[(at + 1)...].map { predecessor(ruleIndex: ruleIndex, $0, key) }
    }

    private func predecessor(ruleIndex: Int, _ earlier: VersionedRule.Earlier, _ key: [UInt8]) -> Predecessor {
        let limit = earlier.limit(for: key)
        let (_, id) = KeyedHash.bucket(
            compiled[ruleIndex].prefix, key: key.span.bytes, identity: (earlier.version, 0)
        ) { _ in limit.tolerance }
        return Predecessor(id: id, emissionInterval: limit.emissionInterval, unit: limit.unit)
    }

    /// A key's bucket under an earlier version of its rule.
    public struct Predecessor: Hashable, Sendable {
        public var id: BucketID
        public var emissionInterval: Int64
        public var unit: Int64

        public init(id: BucketID, emissionInterval: Int64, unit: Int64) {
            self.id = id
            self.emissionInterval = emissionInterval
            self.unit = unit
        }
    }
}

extension RawSpan {
    /// Whether both hold the same bytes.
    @inline(__always)
    func hasSameBytes(as other: [UInt8]) -> Bool {
        byteCount == other.count && withUnsafeBytes { $0.elementsEqual(other) }
    }
}

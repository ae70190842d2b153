/// A hash that nobody can aim at without knowing its secret: SipHash-1-3 with 128 bits of result
/// (Aumasson and Bernstein, "SipHash: a fast short-input PRF", 2012; its reference code's 128-bit variant).
///
/// One pass over the key gives two results: the range, which depends on (rule, key) alone, so that all versions of a bucket
/// live with one owner, and the identity, which depends on the version or the caller's own parameters as well.
public struct KeyedHash: Sendable, BitwiseCopyable {
    /// The 128-bit secret.
    public let secret: (UInt64, UInt64)

    public init(secret: (UInt64, UInt64)) { self.secret = secret }

    /// A 64-bit hash of a rule's name, the prefix of what is hashed for each of its keys.
    @inline(__always)
    public func seed(ofRule name: RawSpan) -> UInt64 {
        var state = SipState(secret)
        state.absorb(name)
        return state.finish64()
    }

    /// A 64-bit hash of a key under a rule, to look up the key's own override.
    @inline(__always)
    public func hash(rule seed: UInt64, key: RawSpan) -> UInt64 {
        var state = SipState(secret)
        state.absorb(seed)
        state.absorb(key)
        return state.finish64()
    }

    /// The bucket of `key` under the rule with hash `seed`, whose arithmetic is told apart by `identity`.
    @inline(__always)
    public func bucket(rule seed: UInt64, key: RawSpan, identity: (UInt64, UInt64), tau: Int64) -> (RangeID, BucketID) {
        KeyedHash.bucket(prefix(ofRule: seed), key: key, identity: identity) { _ in tau }
    }

    /// What all buckets of a rule start from: worth keeping beside the rule.
    @inline(__always)
    func prefix(ofRule seed: UInt64) -> SipState {
        var state = SipState(secret)
        state.absorb(seed)
        return state
    }

    /// As ``bucket(rule:key:identity:tau:)``, where the tolerance may depend on ``hash(rule:key:)``, which falls out on the way.
    @inline(__always)
    static func bucket(
        _ prefix: SipState, key: RawSpan, identity: (UInt64, UInt64), tau: (_ keyHash: UInt64) -> Int64
    ) -> (RangeID, BucketID) {
        var state = prefix
        state.absorb(key)
        var fork = state
        let keyHash = fork.finish64()
        state.absorb(identity.0)
        state.absorb(identity.1)
        return (
            RangeID(rawValue: UInt8(truncatingIfNeeded: keyHash >> 58)),
            BucketID(hash: state.finish128(), tau: tau(keyHash))
        )
    }
}

/// SipHash's four words, with the number of rounds of SipHash-1-3 unless a test asks for those of the published vectors.
package struct SipState: BitwiseCopyable {
    private var v0, v1, v2, v3: UInt64

    @inline(__always)
    package init(_ key: (UInt64, UInt64)) {
        v0 = 0x736f_6d65_7073_6575 ^ key.0
        v1 = 0x646f_7261_6e64_6f6d ^ key.1 ^ 0xee
        v2 = 0x6c79_6765_6e65_7261 ^ key.0
        v3 = 0x7465_6462_7974_6573 ^ key.1
    }

    @inline(__always)
    private mutating func round() {
        v0 = v0 &+ v1
        v1 = (v1 << 13 | v1 >> 51) ^ v0
        v0 = v0 << 32 | v0 >> 32
        v2 = v2 &+ v3
        v3 = (v3 << 16 | v3 >> 48) ^ v2
        v0 = v0 &+ v3
        v3 = (v3 << 21 | v3 >> 43) ^ v0
        v2 = v2 &+ v1
        v1 = (v1 << 17 | v1 >> 47) ^ v2
        v2 = v2 << 32 | v2 >> 32
    }

    @inline(__always)
    package mutating func absorb(_ word: UInt64, rounds: Int = 1) {
        v3 ^= word
        for _ in 0..<rounds { round() }
        v0 ^= word
    }

    /// The bytes, then a word of the last up to seven with the length on top.
    @inline(__always)
    package mutating func absorb(_ bytes: RawSpan, rounds: Int = 1) {
        let count = bytes.byteCount
        bytes.withUnsafeBytes { bytes in
            var offset = 0
            while offset &+ 8 <= count {
                absorb(
                    UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: offset, as: UInt64.self)), rounds: rounds)
                offset &+= 8
            }
            absorb(UInt64(truncatingIfNeeded: count) << 56 | SipState.rest(of: bytes, from: offset), rounds: rounds)
        }
    }

    /// The up to seven bytes from `offset` on, in at most three loads and no loop.
    @inline(__always)
    static func rest(of bytes: UnsafeRawBufferPointer, from offset: Int) -> UInt64 {
        let left = bytes.count &- offset
        if left == 0 { return 0 }
        if offset >= 8 {
            // The last eight bytes, without those that were absorbed already.
            let last = UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: bytes.count &- 8, as: UInt64.self))
            return last &>> UInt64(truncatingIfNeeded: 8 &* (8 &- left))
        }
        if left >= 4 {
            // Two words of four bytes that may overlap.
            let first = UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: 0, as: UInt32.self))
            let last = UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: left &- 4, as: UInt32.self))
            return UInt64(first) | UInt64(last) &<< UInt64(truncatingIfNeeded: 8 &* (left &- 4))
        }
        // One to three bytes: the first, the middle and the last of them, which may be the same.
        return UInt64(bytes[0]) | UInt64(bytes[left >> 1]) &<< UInt64(truncatingIfNeeded: 8 &* (left >> 1))
            | UInt64(bytes[left &- 1]) &<< UInt64(truncatingIfNeeded: 8 &* (left &- 1))
    }

    @inline(__always)
    package mutating func finish64(rounds: Int = 3) -> UInt64 {
        // 0xff as in SipHash-64: a finish of its own kind, so that it says nothing about the 128-bit one.
        v2 ^= 0xff
        for _ in 0..<rounds { round() }
        return v0 ^ v1 ^ v2 ^ v3
    }

    @inline(__always)
    package mutating func finish128(rounds: Int = 3) -> (UInt64, UInt64) {
        v2 ^= 0xee
        for _ in 0..<rounds { round() }
        let first = v0 ^ v1 ^ v2 ^ v3
        v1 ^= 0xdd
        for _ in 0..<rounds { round() }
        return (first, v0 ^ v1 ^ v2 ^ v3)
    }
}

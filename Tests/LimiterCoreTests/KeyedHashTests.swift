import LimiterCore
import Testing

/// The key of the published SipHash vectors: the bytes 0 to 15.
private let referenceKey: (UInt64, UInt64) = (0x0706_0504_0302_0100, 0x0f0e_0d0c_0b0a_0908)

private func hex(_ words: (UInt64, UInt64)) -> String {
    [words.0, words.1].flatMap { word in (0..<8).map { UInt8(truncatingIfNeeded: word >> (8 * $0)) } }
        .map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
}

private func bucket(
    _ hash: KeyedHash, _ name: String, _ key: [UInt8], _ identity: (UInt64, UInt64) = (1, 0), tau: Int64 = 1 << 30
) -> (RangeID, BucketID) {
    hash.bucket(rule: hash.seed(ofRule: Array(name.utf8).span.bytes), key: key.span.bytes, identity: identity, tau: tau)
}

@Suite("Keyed hash")
struct KeyedHashTests {
    /// Input lengths (bytes 0, 1, 2, ...), SipHash-2-4 with 128 bits as published, SipHash-1-3 with 128 bits.
    static let vectors: [(length: Int, published: String, ours: String)] = [
        (0, "a3817f04ba25a8e66df67214c7550293", "e77ebcb22788a5befd62db6add303001"),
        (1, "da87c1d86b99af44347659119b22fc45", "fc6f370460d3eda85e0573cc2b2ff063"),
        (2, "8177228da4a45dc7fca38bdef60affe4", "75787f090569839b855bc9548c6aea95"),
        (3, "9c70b60c5267a94e5f33b6b02985ed51", "6bc5ccfa1edcf79f4823187712ebd743"),
        (4, "f88164c12d9c8faf7d0f6e7c7bcd5579", "0c784e71ac2b285a9f8e92e78fbf2c25"),
        (5, "1368875980776f8854527a07690e9627", "f328db89345b620c795229a42695843e"),
        (6, "14eeca338b208613485ea0308fd7a15e", "dcd03d29f743e7100951b0e83985a6f8"),
        (7, "a1f1ebbed8dbc153c0b84aa61ff08239", "1084b923f2aae0c3a62f2ec80848ab77"),
        (8, "3b62a9ba6258f5610f83e264f31497b4", "aa12fee1d5e3dab4724f16ab35f9c799"),
        (9, "264499060ad9baabc47f8b02bb6d71ed", "81ddb8042cf33994f4720e0094137c42"),
        (15, "5493e99933b0a8117e08ec0f97cfc3d9", "c17e5505b2bd526c2921cdec1e7e0109"),
        (16, "6ee2a4ca67b054bbfd3315bf85230577", "d0a8d95715518eebb513b0f83d9e1793"),
        (17, "473d06e8738db89854c066c47ae47740", "234126f93fbb668d975112e8febdf7ec"),
        (31, "2939b0183223fafc1723de4f52c43d35", "42ea961c5b3c858b17c3e550dfa79010"),
        (63, "5150d1772f50834a503e069a973fbd7c", "4c5800e34efe426f079f6b0aa75260ad"),
        (255, "1c9bb67528165f8e468248e3799b0eab", "f528a4c10a2158a5f1a465d0aebb3ee9"),
        (256, "67a00304d3834c4612eaee7b5f579acb", "f56c8b243a0c025a6a687aa2b99c707a"),
        (257, "1b25fee1ef6fbb23179c26056c2995fc", "13749065b1571a858bd8b998656046a7"),
    ]

    @Test("the published vectors of SipHash-2-4-128, and a first-principles SipHash-1-3-128", arguments: vectors)
    func publishedVectors(length: Int, published: String, ours: String) {
        let input = (0..<length).map { UInt8($0 & 255) }
        var slow = SipState(referenceKey)
        slow.absorb(input.span.bytes, rounds: 2)
        #expect(hex(slow.finish128(rounds: 4)) == published)
        var fast = SipState(referenceKey)
        fast.absorb(input.span.bytes)
        #expect(hex(fast.finish128()) == ours)
    }

    @Test(
        "buckets are where every earlier version of this program found them: the hash is in the log for ever",
        arguments: [
            (
                "api", "user:42", 7, 0, 0x102f_b71b_8bb3_e637, 0x66ff_0b7c_34bb_c608, 0x9475_38e4_9ac2_30fb,
                0xb773_39ef_97b1_6f4e
            ),
            (
                "api", "user:42", 8, 0, 0x102f_b71b_8bb3_e637, 0x66ff_0b7c_34bb_c608, 0x8c8e_df98_84cd_edfa,
                0xd24b_2733_15a8_ab99
            ),
            ("a", "", 1, 2, 0xc2a0_ba5a_6a1d_6b8e, 0x0fe0_4859_22f3_4246, 0xdaca_2573_b443_0f2a, 0x320d_acf2_56ac_07c9),
            (
                "search.v2", "0123456789abcdef", UInt64.max, 1 << 63, 0x4fbf_c383_8049_f526, 0xcfc7_5936_3967_db25,
                0x6a5d_c182_ffad_7f2e, 0x99fe_49d4_4f14_09b0
            ),
        ] as [(String, String, UInt64, UInt64, UInt64, UInt64, UInt64, UInt64)])
    func goldenBuckets(
        name: String, key: String, identity0: UInt64, identity1: UInt64, seed: UInt64, keyHash: UInt64, high: UInt64,
        low: UInt64
    ) {
        let hash = KeyedHash(secret: referenceKey)
        let keyBytes = Array(key.utf8)
        #expect(hash.seed(ofRule: Array(name.utf8).span.bytes) == seed)
        #expect(hash.hash(rule: seed, key: keyBytes.span.bytes) == keyHash)
        let (range, id) = hash.bucket(
            rule: seed, key: keyBytes.span.bytes, identity: (identity0, identity1), tau: 1_000_000_000)
        #expect(range == RangeID(Int(keyHash >> 58)))
        #expect(id == BucketID(high: high, low: (low & ~63) | 30))
    }

    @Test("all versions of a key live in one range, in buckets of their own")
    func versionsShareTheRange() {
        let hash = KeyedHash(secret: (1, 2))
        for key in 0..<200 {
            let bytes = Array("key \(key)".utf8)
            let ranges = Set((0..<20).map { bucket(hash, "api", bytes, ($0, $0 & 1)).0 })
            let ids = Set((0..<20).map { bucket(hash, "api", bytes, ($0, $0 & 1)).1 })
            #expect(ranges.count == 1)
            #expect(ids.count == 20)
        }
    }

    @Test("ranges are used evenly")
    func rangesAreEven() {
        let hash = KeyedHash(secret: (0x1234, 0x5678))
        var counts = [Int](repeating: 0, count: RangeID.count)
        for key in 0..<64_000 { counts[bucket(hash, "api", Array("user:\(key)".utf8)).0.index] += 1 }
        // Chi-square with 63 degrees of freedom: above 115 with a chance of one in 15,000.
        let chiSquare = counts.reduce(0.0) { $0 + Double(($1 - 1000) * ($1 - 1000)) / 1000 }
        #expect(chiSquare < 115)
    }

    @Test("another secret moves every key")
    func secretMatters() {
        let ids = (0..<100).flatMap { key in
            [(1, 2), (2, 2), (1, 3)].map { bucket(KeyedHash(secret: $0), "api", Array("k\(key)".utf8)).1 }
        }
        #expect(Set(ids).count == 300)
    }

    @Test("no two ways to cut a text into rule and key meet, nor do keys that differ in zeros or in length only")
    func noConcatenation() {
        let hash = KeyedHash(secret: (3, 4))
        var ids: Set<BucketID> = []
        var count = 0
        let text = Array("abcdefghijklmnopqrstuvwxyz0123456789".utf8)
        for cut in 0...text.count {
            ids.insert(bucket(hash, String(decoding: text[..<cut], as: UTF8.self), Array(text[cut...])).1)
            count += 1
        }
        for length in 0..<600 {
            ids.insert(bucket(hash, "zeros", [UInt8](repeating: 0, count: length)).1)
            count += 1
        }
        #expect(ids.count == count)
    }

    @Test("an identity hashed as part of the key is not the identity of the key")
    func identityIsNoSuffix() {
        let hash = KeyedHash(secret: (3, 4))
        let key = Array("12345678".utf8)
        let words: [UInt8] = [5, 0, 0, 0, 0, 0, 0, 0, 6, 0, 0, 0, 0, 0, 0, 0]
        #expect(bucket(hash, "r", key, (5, 6)).1 != bucket(hash, "r", key + words, (5, 6)).1)
        #expect(bucket(hash, "r", key, (5, 6)).1 != bucket(hash, "r", key + words, (0, 0)).1)
    }
}

@Suite("Bucket identities")
struct BucketIDTests {
    @Test("Parts of a full bucket are comparable over classes, and none overflows")
    func parts() {
        func id(_ kind: UInt64) -> BucketID { BucketID(high: 1, low: kind) }
        for kind in 1...62 as ClosedRange<UInt64> {
            let full: Int64 = 1 << Int64(kind)
            #expect(id(kind).part(of: full) == 1 << 40)
            #expect(id(kind).part(of: full / 2) == 1 << 39)
            #expect(id(kind).part(of: 0) == 0)
            #expect(id(kind).part(of: -1) == 0)
            #expect(id(kind).part(of: .max) <= 4 << 40)
            #expect(id(kind).part(of: .max) >= 1 << 40)
        }
        #expect(id(0).part(of: 1) == 1 << 40)
    }

    @Test("the low six bits are the power of two that holds the tolerance")
    func toleranceClass() {
        let hash = KeyedHash(secret: (5, 6))
        for (tau, expected) in [
            (1, 0), (2, 1), (3, 2), (4, 2), (5, 3), (1_000_000_000, 30), (1 << 30, 30), ((1 << 30) + 1, 31),
            (1 << 60, 60),
        ] as [(Int64, Int)] {
            let id = bucket(hash, "r", [1], tau: tau).1
            #expect(id.toleranceClass == expected)
            #expect(tau <= 1 << Int64(expected))
        }
        #expect(bucket(hash, "r", [1], tau: 1 << 20).1.high == bucket(hash, "r", [1], tau: 1 << 21).1.high)
    }

    @Test("a high word of zero marks an empty slot, so no identity has it, wherever it comes from")
    func zeroIsNoIdentity() {
        #expect(BucketID(high: 0, low: 0).high != 0)
        var table = KeyedTable<Int64>(capacity: 4)
        #expect(table.find(BucketID(high: 0, low: 0)) == nil)
        #expect(table.insert(BucketID(high: 0, low: 0), 7) != nil)
        #expect(table.find(BucketID(high: 0, low: 0)).map { table[$0] } == 7)
        table.checkInvariants()
    }

    @Test("identities sort by their words and print as 32 digits")
    func orderAndText() {
        let a = BucketID(high: 1, low: .max)
        let b = BucketID(high: 2, low: 0)
        #expect(a < b && !(b < a) && !(a < a))
        #expect(BucketID(high: 1, low: 3) < BucketID(high: 1, low: 4))
        #expect(a.description == "0000000000000001ffffffffffffffff")
    }

    @Test("there are 64 ranges")
    func ranges() {
        #expect(RangeID.all.map(\.index) == Array(0..<64))
        #expect(RangeID(3) < RangeID(4) && RangeID(3).description == "3")
    }
}

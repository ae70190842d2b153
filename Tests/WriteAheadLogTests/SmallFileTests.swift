import ByteCoding
import Raft
import Testing
import WriteAheadLog

@Suite struct SmallFileTests {
    static func decode(_ bytes: [UInt8], folder: UInt64 = 1) throws -> Snapshot {
        try SnapshotFile.decode(bytes, mark: SnapshotMark(index: 8, term: 1), folder: folder)
    }

    @Test func aSnapshotComesBackAsItWas() throws {
        let original = snapshot(8)
        #expect(try Self.decode(SnapshotFile.encode(original, folder: 1)) == original)
        let empty = Snapshot(index: 8, term: 1, voters: [], data: [])
        #expect(try Self.decode(SnapshotFile.encode(empty, folder: 1)) == empty)
    }

    @Test func aDamagedSnapshotIsNoticed() {
        let bytes = SnapshotFile.encode(snapshot(8, bytes: 20), folder: 1)
        for i in bytes.indices {
            for bit in 0..<8 {
                var damaged = bytes
                damaged[i] ^= 1 << UInt8(bit)
                #expect(throws: DecodingFailure.self) { try Self.decode(damaged) }
            }
            #expect(throws: DecodingFailure.self) { try Self.decode(Array(bytes[..<i])) }
        }
        #expect(throws: DecodingFailure.self) { try Self.decode(bytes + [0]) }
    }

    @Test func aSnapshotOfAnotherFolderOrEntryIsNotTaken() {
        let bytes = SnapshotFile.encode(snapshot(8), folder: 1)
        #expect(throws: DecodingFailure.self) { try Self.decode(bytes, folder: 2) }
        #expect(throws: DecodingFailure.self) { try Self.decode(SnapshotFile.encode(snapshot(9), folder: 1)) }
    }

    @Test(arguments: ["1=a:7101,2=b:7102", "", "two\nlines\r", "back\\slash\\n", "\u{301}Zürich"])
    func anIdentityComesBackAsItWas(cluster: String) throws {
        let file = IdentityFile(identity: DataIdentity(node: 3, cluster: cluster), folder: 0xABC)
        #expect(try IdentityFile(decoding: file.encode()) == file)
    }

    @Test func aDamagedIdentityIsNoticed() {
        let bytes = IdentityFile(identity: identity, folder: 0xABC).encode()
        for i in bytes.indices {
            for bit in 0..<8 {
                var damaged = bytes
                damaged[i] ^= 1 << UInt8(bit)
                #expect(throws: LogCorrupted.self) { try IdentityFile(decoding: damaged) }
            }
            #expect(throws: LogCorrupted.self) { try IdentityFile(decoding: Array(bytes[..<i])) }
        }
    }

    @Test func theIdentityIsReadable() throws {
        let bytes = IdentityFile(identity: identity, folder: 0xABC).encode()
        let text = String(decoding: bytes, as: UTF8.self)
        #expect(
            text.hasPrefix(
                """
                millrace data folder, version 1
                node: 1
                cluster: 1=a,2=b,3=c
                folder: 0000000000000abc
                checksum:
                """))
    }
}

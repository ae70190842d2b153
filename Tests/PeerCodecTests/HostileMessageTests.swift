import ByteCoding
import Coordination
import LimiterCore
import NodeRuntime
import PeerCodec
import Raft
import Testing

/// What is refused, and what the refusal says.
struct HostileMessageTests {
    private func failure(_ bytes: [UInt8]) -> String {
        do {
            return "taken: \(try PeerCodec.decode(bytes[...]))"
        } catch { return error.description }
    }

    /// Version, kind, and what `body` writes.
    private func bytes(kind: UInt8, _ body: (inout ByteWriter) -> Void) -> [UInt8] {
        var writer = ByteWriter()
        writer.write(UInt8(2))
        writer.write(kind)
        body(&writer)
        return writer.bytes
    }

    @Test("An unknown version or kind says which node to upgrade")
    func unknown() {
        #expect(
            failure([3, 12])
                == "peer messages of format 3 are not known to this version of Millrace, which speaks format 2: upgrade "
                + "the older of the two nodes")
        #expect(
            failure([2, 99])
                == "peer messages of kind 99 are not known to this version of Millrace: upgrade this node")
        #expect(failure([]).contains("1 bytes expected at offset 0"))
        #expect(failure([2]).contains("1 bytes expected at offset 1"))
    }

    @Test("A count of four billion costs nothing but an error")
    func enormousCounts() {
        let header = [UInt8](repeating: 0, count: 16)
        let append = bytes(kind: 5) { writer in
            writer.write(raw: header + [UInt8](repeating: 0, count: 24))
            writer.write(UInt32.max)
        }
        let report = bytes(kind: 32) { writer in
            writer.write(raw: [UInt8](repeating: 0, count: 24))
            writer.write(UInt32.max)
        }
        let verdicts = bytes(kind: 34) { writer in
            writer.write(raw: [UInt8](repeating: 0, count: 16))
            writer.write(UInt32.max)
        }
        let forward = bytes(kind: 13) { writer in
            writer.write(raw: header)
            writer.write(UInt32.max)
        }
        for message in [append, report, verdicts, forward] {
            #expect(failure(message).hasPrefix("a count of 4294967295"))
        }
    }

    @Test("A count within its limit but beyond the input is refused before anything is allocated for it")
    func countBeyondTheInput() {
        let report = bytes(kind: 32) { writer in
            writer.write(raw: [UInt8](repeating: 0, count: 24))
            writer.write(UInt32(4_000))
            writer.write(raw: [UInt8](repeating: 1, count: 100))
        }
        #expect(failure(report).hasPrefix("a count of 4000"))
    }

    @Test("Ranges, outcomes, entry kinds and truth values that do not exist are refused")
    func nonsense() {
        #expect(
            failure(bytes(kind: 35) { $0.write(raw: [64] + [UInt8](repeating: 0, count: 8)) }) == "there is no range 64"
        )
        #expect(
            failure(bytes(kind: 4) { $0.write(raw: [UInt8](repeating: 0, count: 16) + [2]) }).hasPrefix(
                "a flag of 0 or 1"))
        let entry = bytes(kind: 5) { writer in
            writer.write(raw: [UInt8](repeating: 0, count: 40))
            writer.write(UInt32(1))
            writer.write(UInt64(7))
            writer.write(UInt64(1))
            writer.write(UInt8(2))
            writer.write(UInt32(0))
        }
        #expect(failure(entry).hasPrefix("entry 7 is of kind 2, which is not known"))
        let verdict = bytes(kind: 34) { writer in
            writer.write(raw: [UInt8](repeating: 0, count: 16))
            writer.write(UInt32(1))
            writer.write(raw: [31] + [UInt8](repeating: 0, count: 16))
        }
        #expect(failure(verdict).hasPrefix("the outcome 31 at offset 22 is not known"))
        let identity = bytes(kind: 32) { writer in
            writer.write(raw: [UInt8](repeating: 0, count: 24))
            writer.write(UInt32(1))
            writer.write(raw: [3, 0, 0] + [UInt8](repeating: 0, count: 32))
        }
        #expect(failure(identity) == "a bucket identity of 0")
    }

    @Test("What goes without saying may not be said: each message has one encoding")
    func oneEncoding() {
        let used = bytes(kind: 32) { writer in
            writer.write(raw: [UInt8](repeating: 0, count: 24))
            writer.write(UInt32(1))
            writer.write(raw: [3, 0x04, 0] + [UInt8](repeating: 1, count: 32))
            writer.write(Int64(0))
        }
        #expect(failure(used).hasPrefix("0 is spelt out at offset 65"))
        let weight = bytes(kind: 32) { writer in
            writer.write(raw: [UInt8](repeating: 0, count: 24))
            writer.write(UInt32(1))
            writer.write(raw: [3, 0x00, 0x02] + [UInt8](repeating: 1, count: 32))
            writer.write(UInt32(1))
        }
        #expect(failure(weight).hasPrefix("1 is spelt out at offset 65"))
        let flags = bytes(kind: 32) { writer in
            writer.write(raw: [UInt8](repeating: 0, count: 24))
            writer.write(UInt32(1))
            writer.write(raw: [3, 0x00, 0x04] + [UInt8](repeating: 1, count: 32))
        }
        #expect(failure(flags).hasPrefix("unknown flags of a bucket"))
        let times = bytes(kind: 34) { writer in
            writer.write(raw: [UInt8](repeating: 0, count: 16))
            writer.write(UInt32(1))
            writer.write(raw: [0x81] + [UInt8](repeating: 0, count: 16))
            writer.write(AxisTime.never.ns)
            writer.write(AxisTime.never.ns)
        }
        #expect(failure(times).hasPrefix("a verdict at offset"))
    }
}

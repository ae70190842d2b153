import NIOCore
import PeerTransport
import Raft
import Testing

@Suite("Frames")
struct FrameDecoderTests {
    /// Feeds `pieces` and collects what comes out.
    private func decode(_ pieces: [[UInt8]], limit: Int = 1 << 20) throws -> [Frame] {
        var decoder = FrameDecoder(maxFrameBytes: limit)
        var frames: [Frame] = []
        for piece in pieces {
            piece.withUnsafeBytes { decoder.append($0) }
            while let frame = try decoder.next() { frames.append(frame) }
        }
        #expect(decoder.buffered == 0)
        return frames
    }

    @Test("frames that come byte by byte are the same as those that come at once")
    func byteByByte() throws {
        let bytes =
            hello(1, to: 2) + frame(.message, Array("abc".utf8)) + frame(.message, []) + relayFrame(from: 1, to: 3, "x")
            + frame(.probe, [])
        let whole = try decode([bytes])
        #expect(whole.map(\.kind) == [.hello, .message, .message, .relay, .probe])
        #expect(whole.map { Array($0.body) }[1...2] == [Array("abc".utf8), []])
        #expect(try decode(bytes.map { [$0] }) == whole)
    }

    @Test("however a stream is cut, the same messages come out", arguments: 0..<50 as Range<UInt64>)
    func anyCut(seed: UInt64) throws {
        var generator = TestGenerator(state: seed)
        let messages = (0..<40).map { _ in
            [UInt8](repeating: UInt8(truncatingIfNeeded: generator.next()), count: generator.below(300))
        }
        var rest = messages.flatMap { frame(.message, $0) }[...]
        var pieces: [[UInt8]] = []
        while !rest.isEmpty {
            let piece = rest.prefix(1 + generator.below(500))
            pieces.append(Array(piece))
            rest = rest.dropFirst(piece.count)
        }
        #expect(try decode(pieces).map { Array($0.body) } == messages)
    }

    @Test("a frame at the limit passes, one byte more is a violation, before it has arrived")
    func limit() throws {
        let atLimit = frame(.message, [UInt8](repeating: 1, count: 99))
        #expect(try decode([atLimit], limit: 100).count == 1)
        let beyond = frame(.message, [UInt8](repeating: 1, count: 100)).prefix(4)
        #expect(throws: ProtocolViolation.self) { try decode([Array(beyond)], limit: 100) }
    }

    @Test(
        "what is no frame is a violation",
        arguments: [
            Array("GET / HTTP/1.1\r\n\r\n".utf8), [0, 0, 0, 0], [1, 0, 0, 0, 99], [255, 255, 255, 255],
        ])
    func garbage(bytes: [UInt8]) throws {
        #expect(throws: ProtocolViolation.self) { try decode([bytes]) }
    }

    @Test("a slice that somebody keeps is not touched by later reads")
    func keptSlice() throws {
        var decoder = FrameDecoder(maxFrameBytes: 100)
        var kept: [ArraySlice<UInt8>] = []
        for i in 0..<10 as Range<UInt8> {
            frame(.message, [i, i]).withUnsafeBytes { decoder.append($0) }
            kept.append(try #require(try decoder.next()).body)
        }
        #expect(kept.map { Array($0) } == (0..<10).map { [UInt8($0), UInt8($0)] })
    }
}

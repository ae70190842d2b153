public import ByteCoding
public import Coordination
import LimiterCore
import Raft

/// The bytes of what embedded clients and their node say to each other; the same rules as ``PeerCodec``, with kinds from 64 on.
///
///     version  UInt8    ``formatVersion``
///     kind     UInt8    ``Kind``
///     body
public enum ClientCodec {
    /// The only format that is spoken: 1 had neither weights nor priorities.
    static let formatVersion: UInt8 = 2

    enum Kind: UInt8 {
        case rules = 64
        case report = 65
        case answer = 66
        case verdicts = 67
        case goodbye = 68
    }

    /// The message as bytes. Cost: one pass over it, and as a rule one allocation.
    public static func encode(_ message: ClientMessage) -> [UInt8] {
        switch message {
        case .rules(let rules):
            var writer = writer(.rules, bytes: 64 + rules.rules.count * 128)
            encode(rules, into: &writer)
            return writer.bytes
        case .report(let report):
            var writer = writer(.report, bytes: PeerCodec.bytes(of: report))
            PeerCodec.encode(report, into: &writer)
            return writer.bytes
        case .answer(let answer):
            var writer = writer(.answer, bytes: PeerCodec.bytes(of: answer))
            PeerCodec.encode(answer, into: &writer)
            return writer.bytes
        case .verdicts(let session, let batch):
            var writer = writer(.verdicts, bytes: 8 + PeerCodec.bytes(of: batch))
            writer.write(session)
            PeerCodec.encode(batch, into: &writer)
            return writer.bytes
        case .goodbye:
            return writer(.goodbye, bytes: 0).bytes
        }
    }

    /// The message that the bytes stand for. Throws where they stand for none, and where anything follows it.
    ///
    /// Cost: one pass; memory in proportion to the input, whatever its counts say.
    public static func decode(_ bytes: ArraySlice<UInt8>) throws(DecodingFailure) -> ClientMessage {
        var reader = ByteReader(slice: bytes)
        let version = try reader.read(UInt8.self)
        guard version == formatVersion else {
            throw DecodingFailure(
                "client messages of format \(version) are not known to this version of Millrace, which speaks format "
                    + "\(formatVersion): upgrade the older side")
        }
        let raw = try reader.read(UInt8.self)
        guard let kind = Kind(rawValue: raw) else {
            throw DecodingFailure(
                "client messages of kind \(raw) are not known to this version of Millrace: upgrade it")
        }
        let message: ClientMessage
        switch kind {
        case .rules: message = .rules(try decodeRules(from: &reader))
        case .report: message = .report(try PeerCodec.decodeReport(from: &reader))
        case .answer: message = .answer(try PeerCodec.decodeAnswer(from: &reader))
        case .verdicts:
            message = .verdicts(session: try reader.read(), try PeerCodec.decodeVerdicts(from: &reader))
        case .goodbye: message = .goodbye
        }
        try reader.finish()
        return message
    }

    private static func writer(_ kind: Kind, bytes: Int) -> ByteWriter {
        var writer = ByteWriter(capacity: 2 + bytes)
        writer.write(formatVersion)
        writer.write(kind.rawValue)
        return writer
    }

    private static func encode(_ rules: ClientRules, into writer: inout ByteWriter) {
        writer.write(rules.node.node.rawValue)
        writer.write(rules.node.incarnation)
        writer.write(rules.cluster)
        writer.write(rules.secretHigh)
        writer.write(rules.secretLow)
        writer.write(rules.rho)
        writer.write(rules.version)
        writer.write(rules.part)
        writer.write(rules.parts)
        writer.write(each: rules.rules) { $0.write($1) }
    }

    private static func decodeRules(from reader: inout ByteReader) throws(DecodingFailure) -> ClientRules {
        ClientRules(
            node: Tenant(node: NodeID(try reader.read()), incarnation: try reader.read()), cluster: try reader.read(),
            secretHigh: try reader.read(), secretLow: try reader.read(), rho: try reader.read(),
            version: try reader.read(), part: try reader.read(), parts: try reader.read(),
            rules: try reader.readEach(limit: RuleDirectory.mostRules, bytesEach: 16) {
                (reader: inout ByteReader) throws(DecodingFailure) -> VersionedRule in try reader.readVersionedRule()
            })
    }
}

public import ByteCoding
import Coordination
public import NodeRuntime
import Raft

/// The bytes of what nodes say to each other.
///
///     version  UInt8    ``formatVersion``
///     kind     UInt8    ``Kind``
///     body              the fields, fixed-width and little-endian
///
/// Nothing that arrives is trusted: every count is checked against a limit with a name and against what is left of the input
/// before anything is allocated for it, and every message has exactly one encoding, so that whatever decodes encodes to the
/// same bytes again. Whether the numbers make sense is the receiver's business (``CoordinationMessage/mistake`` and Raft's own
/// validation).
public enum PeerCodec {
    /// The only format that is spoken: 1 had neither weights nor priorities.
    static let formatVersion: UInt8 = 2

    /// What follows; the raw value is the byte. Raft's kinds count from 1, the coordination's from 32.
    enum Kind: UInt8 {
        case preVote = 1
        case preVoteResponse = 2
        case vote = 3
        case voteResponse = 4
        case append = 5
        case appendResponse = 6
        case appendRejection = 7
        case heartbeat = 8
        case heartbeatResponse = 9
        case snapshotChunk = 10
        case snapshotResponse = 11
        case staleTerm = 12
        case forward = 13
        case unmatched = 14
        case report = 32
        case answer = 33
        case verdicts = 34
        case handOver = 35
    }

    /// What a message may hold where its type names no limit itself. More than any correct node sends with Raft's default
    /// configuration; a receiver refuses what is beyond.
    public enum Limits {
        /// The most entries in one append; by default Raft puts at most 8,192 of the smallest into one.
        public static let entries = 16_384
        /// The longest payload of an entry or a forwarded proposal, in bytes; 1 MiB by default.
        public static let payloadBytes = 4 << 20
        /// The longest piece of a snapshot, in bytes; 256 KiB by default.
        public static let snapshotChunkBytes = 4 << 20
    }

    /// The message as bytes. Cost: one pass over it, and as a rule one allocation.
    ///
    /// It must be within the limits that ``decode(_:)`` checks: that no correct node exceeds them is what they are for.
    public static func encode(_ message: PeerMessage) -> [UInt8] {
        switch message {
        case .raft(let message): encode(message)
        case .coordination(.report(let report)): encode(report)
        case .coordination(.answer(let answer)): encode(answer)
        case .coordination(.verdicts(let session, let batch)): encode(batch, session: session)
        case .coordination(.handOver(let range, let epoch)): encodeHandOver(of: range, epoch: epoch)
        }
    }

    /// The message that the bytes stand for. Throws where they stand for none, and where anything follows it.
    ///
    /// Cost: one pass; memory in proportion to the input, whatever its counts say.
    public static func decode(_ bytes: ArraySlice<UInt8>) throws(DecodingFailure) -> PeerMessage {
        var reader = ByteReader(slice: bytes)
        let version = try reader.read(UInt8.self)
        guard version == formatVersion else {
            throw DecodingFailure(
                "peer messages of format \(version) are not known to this version of Millrace, which speaks format "
                    + "\(formatVersion): upgrade the older of the two nodes")
        }
        let raw = try reader.read(UInt8.self)
        guard let kind = Kind(rawValue: raw) else {
            throw DecodingFailure(
                "peer messages of kind \(raw) are not known to this version of Millrace: upgrade this node")
        }
        let message = try decodeBody(of: kind, from: &reader)
        try reader.finish()
        return message
    }

    private static func decodeBody(
        of kind: Kind, from reader: inout ByteReader
    ) throws(DecodingFailure) -> PeerMessage {
        switch kind {
        case .report:
            return .coordination(.report(try decodeReport(from: &reader)))
        case .answer:
            return .coordination(.answer(try decodeAnswer(from: &reader)))
        case .verdicts:
            return .coordination(.verdicts(session: try reader.read(), try decodeVerdicts(from: &reader)))
        case .handOver:
            return .coordination(.handOver(range: try reader.readRange(), epoch: try reader.read()))
        case .preVote, .preVoteResponse, .vote, .voteResponse, .append, .appendResponse, .appendRejection, .heartbeat,
            .heartbeatResponse, .snapshotChunk, .snapshotResponse, .staleTerm, .forward, .unmatched:
            return .raft(try decodeRaft(kind, from: &reader))
        }
    }

    /// A writer that has written the version and the kind, with room for a body of `bytes`.
    static func writer(_ kind: Kind, bytes: Int) -> ByteWriter {
        var writer = ByteWriter(capacity: 2 + bytes)
        writer.write(formatVersion)
        writer.write(kind.rawValue)
        return writer
    }
}

import ByteCoding
import Raft

// Raft's messages: from, to and the term, then the fields in the order of their declaration.

extension PeerCodec {
    /// The kind, and about how many bytes follow the header.
    private static func outline(of body: Message.Body) -> (kind: Kind, bytes: Int) {
        switch body {
        case .preVote: (.preVote, 24)
        case .preVoteResponse: (.preVoteResponse, 9)
        case .vote: (.vote, 16)
        case .voteResponse: (.voteResponse, 1)
        case .append(_, _, _, let entries):
            (.append, 28 + entries.reduce(0) { $0 + entryBytes + $1.payload.count })
        case .appendResponse: (.appendResponse, 8)
        case .appendRejection: (.appendRejection, 24)
        case .heartbeat: (.heartbeat, 16)
        case .heartbeatResponse(_, let context): (.heartbeatResponse, 12 + context.count)
        case .snapshotChunk(let chunk): (.snapshotChunk, 48 + 4 * chunk.voters.count + chunk.bytes.count)
        case .snapshotResponse: (.snapshotResponse, 32)
        case .staleTerm: (.staleTerm, 0)
        case .unmatched: (.unmatched, 8)
        case .forward(let payload): (.forward, 4 + payload.count)
        }
    }

    /// From, to, term.
    private static let headerBytes = 16
    /// An entry without its payload: index, term, kind, count.
    private static let entryBytes = 21

    static func encode(_ message: Message) -> [UInt8] {
        let (kind, bytes) = outline(of: message.body)
        var writer = writer(kind, bytes: headerBytes + bytes)
        writer.write(message.from.rawValue)
        writer.write(message.to.rawValue)
        writer.write(message.term)
        switch message.body {
        case .preVote(let lastIndex, let lastTerm, let round):
            writer.write(lastIndex)
            writer.write(lastTerm)
            writer.write(round)
        case .preVoteResponse(let granted, let round):
            writer.write(granted)
            writer.write(round)
        case .vote(let lastIndex, let lastTerm):
            writer.write(lastIndex)
            writer.write(lastTerm)
        case .voteResponse(let granted):
            writer.write(granted)
        case .append(let previousIndex, let previousTerm, let commit, let entries):
            writer.write(previousIndex)
            writer.write(previousTerm)
            writer.write(commit)
            writer.write(entries: entries)
        case .appendResponse(let match):
            writer.write(match)
        case .appendRejection(let previousIndex, let hintIndex, let hintTerm):
            writer.write(previousIndex)
            writer.write(hintIndex)
            writer.write(hintTerm)
        case .heartbeat(let commit, let sequence):
            writer.write(commit)
            writer.write(sequence)
        case .heartbeatResponse(let sequence, let context):
            precondition(context.count <= RaftNode.maxContextBytes, "a heartbeat context of \(context.count) bytes")
            writer.write(sequence)
            writer.write(counted: context)
        case .snapshotChunk(let chunk):
            writer.write(chunk)
        case .snapshotResponse(let index, let snapshotTerm, let offset, let received):
            writer.write(index)
            writer.write(snapshotTerm)
            writer.write(offset)
            writer.write(received)
        case .staleTerm:
            break
        case .unmatched(let match):
            writer.write(match)
        case .forward(let payload):
            writer.write(payload: payload)
        }
        return writer.bytes
    }

    static func decodeRaft(_ kind: Kind, from reader: inout ByteReader) throws(DecodingFailure) -> Message {
        let (from, to) = (NodeID(try reader.read()), NodeID(try reader.read()))
        let term = try reader.read(UInt64.self)
        return Message(from: from, to: to, term: term, body: try decodeBody(of: kind, from: &reader))
    }

    private static func decodeBody(
        of kind: Kind, from reader: inout ByteReader
    ) throws(DecodingFailure) -> Message.Body {
        switch kind {
        case .preVote:
            .preVote(lastIndex: try reader.read(), lastTerm: try reader.read(), round: try reader.read())
        case .preVoteResponse:
            .preVoteResponse(granted: try reader.readBool(), round: try reader.read())
        case .vote:
            .vote(lastIndex: try reader.read(), lastTerm: try reader.read())
        case .voteResponse:
            .voteResponse(granted: try reader.readBool())
        case .append:
            .append(
                previousIndex: try reader.read(), previousTerm: try reader.read(), commit: try reader.read(),
                entries: try reader.readEntries(bytesEach: entryBytes))
        case .appendResponse:
            .appendResponse(match: try reader.read())
        case .appendRejection:
            .appendRejection(
                previousIndex: try reader.read(), hintIndex: try reader.read(), hintTerm: try reader.read())
        case .heartbeat:
            .heartbeat(commit: try reader.read(), sequence: try reader.read())
        case .heartbeatResponse:
            .heartbeatResponse(
                sequence: try reader.read(),
                context: Array(try reader.readCounted(limit: RaftNode.maxContextBytes)))
        case .snapshotChunk:
            .snapshotChunk(try reader.readSnapshotChunk())
        case .snapshotResponse:
            .snapshotResponse(
                index: try reader.read(), snapshotTerm: try reader.read(), offset: try reader.read(),
                received: try reader.read())
        case .staleTerm:
            .staleTerm
        case .unmatched:
            .unmatched(match: try reader.read())
        case .forward:
            .forward(payload: Array(try reader.readCounted(limit: Limits.payloadBytes)))
        case .report, .answer, .verdicts, .handOver:
            preconditionFailure("\(kind) is no kind of Raft's")
        }
    }
}

extension ByteWriter {
    fileprivate mutating func write(payload: [UInt8]) {
        precondition(
            payload.count <= PeerCodec.Limits.payloadBytes,
            "a payload of \(payload.count) bytes; peers accept \(PeerCodec.Limits.payloadBytes)")
        write(counted: payload)
    }

    fileprivate mutating func write(entries: [Entry]) {
        precondition(
            entries.count <= PeerCodec.Limits.entries,
            "\(entries.count) entries in an append; peers accept \(PeerCodec.Limits.entries)")
        write(UInt32(entries.count))
        for entry in entries {
            write(entry.index)
            write(entry.term)
            write(entry.kind.rawValue)
            write(payload: entry.payload)
        }
    }

    fileprivate mutating func write(_ chunk: SnapshotChunk) {
        precondition(
            chunk.voters.count <= RaftNode.maxVoters && chunk.bytes.count <= PeerCodec.Limits.snapshotChunkBytes,
            "a piece of a snapshot with \(chunk.voters.count) voters and \(chunk.bytes.count) bytes is more than peers accept"
        )
        write(chunk.index)
        write(chunk.term)
        write(UInt32(chunk.voters.count))
        for voter in chunk.voters { write(voter.rawValue) }
        write(chunk.totalBytes)
        write(chunk.checksum)
        write(chunk.offset)
        write(counted: chunk.bytes)
    }
}

extension ByteReader {
    fileprivate mutating func readEntries(bytesEach: Int) throws(DecodingFailure) -> [Entry] {
        let count = try readCount(limit: PeerCodec.Limits.entries, bytesEach: bytesEach)
        var entries: [Entry] = []
        entries.reserveCapacity(count)
        for _ in 0..<count {
            let (index, term, raw) = (try read(UInt64.self), try read(UInt64.self), try read(UInt8.self))
            guard let kind = Entry.Kind(rawValue: raw) else {
                throw DecodingFailure(
                    "entry \(index) is of kind \(raw), which is not known to this version of Millrace: upgrade this node"
                )
            }
            let payload = Array(try readCounted(limit: PeerCodec.Limits.payloadBytes))
            entries.append(Entry(index: index, term: term, kind: kind, payload: payload))
        }
        return entries
    }

    fileprivate mutating func readSnapshotChunk() throws(DecodingFailure) -> SnapshotChunk {
        let (index, term) = (try read(UInt64.self), try read(UInt64.self))
        let count = try readCount(limit: RaftNode.maxVoters, bytesEach: 4)
        var voters: [NodeID] = []
        voters.reserveCapacity(count)
        for _ in 0..<count { voters.append(NodeID(try read())) }
        return SnapshotChunk(
            index: index, term: term, voters: voters, totalBytes: try read(), checksum: try read(), offset: try read(),
            bytes: Array(try readCounted(limit: PeerCodec.Limits.snapshotChunkBytes)))
    }
}

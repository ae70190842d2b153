import ByteCoding
import Raft

/// What a relay frame says before the message.
struct RelayHeader {
    var origin: NodeID
    var destination: NodeID
    var message: ArraySlice<UInt8>

    init(_ body: ArraySlice<UInt8>) throws(ProtocolViolation) {
        var reader = ByteReader(slice: body)
        do {
            origin = NodeID(try reader.read())
            destination = NodeID(try reader.read())
            message = try reader.read(rawCount: reader.remaining)
        } catch {
            throw ProtocolViolation("a malformed relay frame: \(error)")
        }
    }
}

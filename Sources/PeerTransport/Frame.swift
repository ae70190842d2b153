package import NIOCore
package import Raft

/// What travels on a connection: a length, a kind, a body.
///
///     length   UInt32   bytes that follow (kind and body)
///     kind     UInt8    ``Kind``
///     body              hello, refusal: see ``Hello`` and ``Refusal``
///                       message: the message
///                       relay: origin UInt32, destination UInt32, the message
///                       probe: nothing
///
/// Integers are little-endian, as everywhere in Millrace. The versions of the protocol agree on this layout of frames
/// and on the first ten bytes of a hello, so that any two of them can tell each other what they are.
///
/// A connection begins with the dialler's hello; the listener answers with its own or with a refusal; the dialler
/// confirms with a probe. Only then may either side send messages: the listener thereby never takes a connection for
/// good that its dialler has given up in the meantime (an accept queue may hold several such after a pause).
package struct Frame: Equatable {
    package enum Kind: UInt8, Sendable {
        case hello = 1
        case refusal = 2
        case message = 3
        case relay = 4
        /// Says nothing; as the first frame of the dialler after the hellos it confirms the connection, later it makes
        /// TCP find out whether the other side still knows the connection.
        case probe = 5
        /// The first frame of an embedded client: ``ClientHello``.
        case clientHello = 6
        /// The node's answer to it: ``ClientWelcome``. Messages may pass from now on.
        case clientWelcome = 7
    }

    package var kind: Kind
    package var body: ArraySlice<UInt8>

    package init(kind: Kind, body: ArraySlice<UInt8>) {
        self.kind = kind
        self.body = body
    }

    /// The bytes of the length field, which do not count in the length.
    package static let lengthBytes = 4
    /// The longest frame that is read before a connection is established: whoever connects can make us hold this much.
    package static let maxHandshakeBytes = 2048
    /// Kind, origin and destination.
    package static let relayHeaderBytes = 1 + 4 + 4
}

extension ByteBuffer {
    package mutating func append(_ kind: Frame.Kind, body: some Collection<UInt8>) {
        writeMultipleIntegers(UInt32(1 + body.count), kind.rawValue, endianness: .little)
        writeBytes(body)
    }

    package mutating func append(relayFrom origin: NodeID, to destination: NodeID, _ message: some Collection<UInt8>) {
        writeMultipleIntegers(
            UInt32(Frame.relayHeaderBytes + message.count), Frame.Kind.relay.rawValue, origin.rawValue,
            destination.rawValue, endianness: .little)
        writeBytes(message)
    }
}

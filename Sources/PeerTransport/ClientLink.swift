import NIOCore

/// One embedded client that is connected; confined to the loop, like everything here.
final class ClientLink {
    let id: UInt64
    let name: String
    private let connection: PeerConnection
    /// Frames that wait for a flush, or for the batch before them.
    private var output = ByteBuffer()
    /// Bytes of the batch that the channel has not fully written.
    private var bytesInChannel = 0
    /// Whether it is on the transport's list of those to flush.
    var isDirty = false

    init(id: UInt64, name: String, connection: PeerConnection) {
        self.id = id
        self.name = name
        self.connection = connection
    }

    /// Bytes that wait to be given to the kernel.
    var bufferedBytes: Int { output.readableBytes + bytesInChannel }

    func queue(_ message: [UInt8]) { output.append(.message, body: message) }

    /// Gives the output to the channel, unless the batch before it is still there.
    func write() {
        guard bytesInChannel == 0, output.readableBytes > 0 else { return }
        bytesInChannel = output.readableBytes
        if connection.write(output) {
            bytesInChannel = 0
            output.clear()
        } else {
            output = ByteBuffer()
        }
    }

    /// The channel has written its batch: the next may follow.
    func drained() {
        bytesInChannel = 0
        write()
    }

    func refuse(_ refusal: Refusal) { connection.refuse(refusal) }
}

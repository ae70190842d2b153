import NIOCore
import Raft

/// What the transport knows about one other member; confined to the loop, like everything here.
final class Peer {
    let id: NodeID
    var address: PeerAddress
    var pair = PairState()
    var schedule: DialSchedule
    var statistics = PeerTransportStatistics.Peer()

    /// The one connection that messages go through.
    private(set) var connection: PeerConnection?
    private var connectedAt = NIODeadline.uptimeNanoseconds(0)

    /// The dial that is under way, by its number.
    var dialling: UInt64?
    /// The next dial.
    var timer: Scheduled<Void>?
    /// What it said when it refused us, if that means that we do not fit together.
    var misfit: PeerTransportError.Code?

    /// Frames that wait for a flush, or for the batch before them.
    private(set) var output = ByteBuffer()
    private var outputFrames: UInt64 = 0
    /// Bytes of the batch that the channel has not fully written.
    private(set) var bytesInChannel = 0
    /// Whether it is on the transport's list of those to flush.
    var isDirty = false

    /// What the output buffer may keep allocated between flushes.
    private static let retainedCapacity = 1 << 20

    init(id: NodeID, address: PeerAddress, schedule: DialSchedule) {
        self.id = id
        self.address = address
        self.schedule = schedule
    }

    /// Bytes that wait to be given to the kernel.
    var bufferedBytes: Int { output.readableBytes + bytesInChannel }

    func connected(through connection: PeerConnection, at now: NIODeadline) {
        self.connection = connection
        connectedAt = now
        misfit = nil
        statistics.connects += 1
        timer?.cancel()
        timer = nil
    }

    /// Forgets the connection and what waits for it; says how long it lasted.
    @discardableResult
    func disconnected(at now: NIODeadline) -> Duration {
        connection = nil
        statistics.droppedUnsent += outputFrames
        outputFrames = 0
        output = ByteBuffer()
        bytesInChannel = 0
        return Duration(now - connectedAt)
    }

    func queueMessage(_ message: [UInt8]) {
        output.append(.message, body: message)
        count(bodyBytes: message.count + 1)
    }

    func queueRelay(from origin: NodeID, to destination: NodeID, _ message: some Collection<UInt8>) {
        output.append(relayFrom: origin, to: destination, message)
        count(bodyBytes: message.count + Frame.relayHeaderBytes)
    }

    private func count(bodyBytes: Int) {
        outputFrames += 1
        statistics.bytesSent += UInt64(Frame.lengthBytes + bodyBytes)
    }

    /// Gives the output to the channel, unless the batch before it is still there.
    ///
    /// The channel therefore holds at most one batch, and a slow peer's messages gather here in one buffer rather than
    /// as thousands of small ones.
    func write() {
        guard let connection, bytesInChannel == 0, output.readableBytes > 0 else { return }
        bytesInChannel = output.readableBytes
        outputFrames = 0
        let isWritten = connection.write(output)
        if isWritten { bytesInChannel = 0 }
        if isWritten, output.capacity <= Self.retainedCapacity {
            // The channel holds no reference any more: the storage is ours again.
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
}

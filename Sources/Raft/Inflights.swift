/// The appends that were sent to one follower and not yet acknowledged, oldest first; bounded in number and in bytes.
package struct Inflights: Sendable {
    private struct Append: Sendable {
        var lastIndex: LogIndex
        var bytes: Int
    }

    private let maxAppends: Int
    private let maxBytes: Int
    /// A queue: the live part starts at `head`, so that an acknowledgement does not move the rest.
    private var appends: [Append] = []
    private var head = 0
    package private(set) var bytes = 0

    package init(maxAppends: Int, maxBytes: Int) {
        self.maxAppends = maxAppends
        self.maxBytes = maxBytes
    }

    package var count: Int { appends.count - head }
    package var isEmpty: Bool { count == 0 }
    package var isFull: Bool { count >= maxAppends || bytes >= maxBytes }

    /// How many bytes may still be sent. A single entry that is larger than all of it may go only when this is empty.
    package var remainingBytes: Int { max(0, maxBytes - bytes) }

    package mutating func add(lastIndex: LogIndex, bytes: Int) {
        precondition(!isFull, "an append was sent beyond the limit of appends in flight")
        appends.append(Append(lastIndex: lastIndex, bytes: bytes))
        self.bytes += bytes
    }

    /// Acknowledgements are cumulative: everything up to `index` has arrived.
    package mutating func free(through index: LogIndex) {
        while head < appends.count, appends[head].lastIndex <= index {
            bytes -= appends[head].bytes
            head += 1
        }
        if head == appends.count {
            appends.removeAll(keepingCapacity: true)
            head = 0
        } else if head >= maxAppends {
            appends.removeFirst(head)
            head = 0
        }
    }

    package mutating func removeAll() {
        appends.removeAll(keepingCapacity: true)
        head = 0
        bytes = 0
    }
}

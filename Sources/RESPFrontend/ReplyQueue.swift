package import RESP

/// The replies of one connection that cannot be sent yet, in the order of its commands.
///
/// As long as nothing waits it is empty and costs nothing: replies go straight out. Behind the first request that
/// waits, every reply takes a place here. Bounded by its capacity; whoever finds it full stops reading.
package struct ReplyQueue {
    package enum Slot {
        /// The runtime has been asked. If the request can never pass, it was asked for the bucket's state only.
        case waiting(neverPasses: Bool)
        /// Decided, but not due yet.
        case notDue(ThrottleReply)
        case throttle(ThrottleReply)
        case bytes([UInt8])
    }

    package let capacity: Int
    /// A ring, grown by doubling up to ``capacity``; places are numbered from the first reply on, modulo 2^32.
    private var slots: [Slot] = []
    private var head: UInt32 = 0
    package private(set) var count = 0
    /// Bytes in slots that are complete replies already.
    package private(set) var heldBytes = 0

    /// A queue for at most `capacity` replies, from 1 to a million.
    package init(capacity: Int) {
        precondition((1...1 << 20).contains(capacity), "a queue for \(capacity) replies makes no sense")
        self.capacity = capacity
    }

    package var isEmpty: Bool { count == 0 }
    package var isFull: Bool { count >= capacity }

    private func index(of number: UInt32) -> Int { Int(number) & (slots.count - 1) }

    /// Appends a reply and returns its number; there must be room.
    @discardableResult
    package mutating func append(_ slot: Slot) -> UInt32 {
        precondition(!isFull, "more than \(capacity) replies wait: reading should have stopped")
        if count == slots.count { grow() }
        if case .bytes(let bytes) = slot { heldBytes += bytes.count }
        let number = head &+ UInt32(count)
        slots[index(of: number)] = slot
        count += 1
        return number
    }

    private mutating func grow() {
        let old = slots
        slots = Array(repeating: .bytes([]), count: max(8, old.count * 2))
        for i in 0..<count {
            let number = head &+ UInt32(i)
            slots[index(of: number)] = old[Int(number) & (old.count - 1)]
        }
    }

    /// Changes a reply that is in the queue.
    package mutating func update(_ number: UInt32, _ change: (Slot) -> Slot) {
        precondition(
            number &- head < UInt32(count), "the reply \(number) is not among the \(count) that wait from \(head) on")
        let at = index(of: number)
        slots[at] = change(slots[at])
        if case .bytes(let bytes) = slots[at] { heldBytes += bytes.count }
    }

    /// Moves the replies that are complete and whose turn it is into `output`.
    package mutating func drain(into output: inout ReplyBuffer) {
        while count > 0 {
            let at = index(of: head)
            switch slots[at] {
            case .waiting, .notDue: return
            case .throttle(let reply): output.throttle(reply)
            case .bytes(let bytes):
                bytes.withUnsafeBytes { output.append($0) }
                heldBytes -= bytes.count
                slots[at] = .bytes([])
            }
            head &+= 1
            count -= 1
        }
    }
}

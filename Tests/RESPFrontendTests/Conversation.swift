import LimiterCore
import RESP
import RESPFrontend

/// A session without a socket: text in, text out.
struct Conversation: ~Copyable {
    var session: Session
    let node: TestNode
    let totals = SharedCounts()
    private var unread: [UInt8] = []

    init(_ node: TestNode, _ options: RESPServer.Options = .init()) {
        self.node = node
        session = Session(
            number: 7, clientID: 1, peer: "127.0.0.1:1", options: options, path: node.path, totals: totals)
    }

    /// Sends bytes and returns what is answered by and by, with requests decided at once; commands apart by line
    /// breaks.
    mutating func send(_ text: String) -> String {
        let isHolding = node.limiter.isHolding
        feed(Array(text.split(separator: "\n").joined(separator: "\r\n").utf8) + [0x0d, 0x0a])
        while !isHolding, !session.requests.isEmpty {
            let requests = session.requests
            session.requests = []
            for request in requests { _ = session.decided(place(request), node.limiter.decide(request)) }
            session.settle()
            feed([])
        }
        return take()
    }

    /// Offers bytes behind those that were not taken.
    mutating func feed(_ bytes: [UInt8]) {
        unread += bytes
        let offered = unread
        let taken = offered.withUnsafeBytes { session.consume($0) }
        unread.removeFirst(taken)
    }

    var unreadCount: Int { unread.count }

    /// What has been answered since the last time, with `|` for line breaks.
    mutating func take() -> String {
        session.settle()
        let text = session.output.withBytes { String(decoding: $0, as: UTF8.self) }
        session.output.removeAll()
        return text.split(separator: "\r\n", omittingEmptySubsequences: false).dropLast().joined(separator: "|")
    }

    func place(_ request: PendingRequest) -> UInt32 {
        precondition(request.token >> 32 == 7)
        return UInt32(truncatingIfNeeded: request.token)
    }
}

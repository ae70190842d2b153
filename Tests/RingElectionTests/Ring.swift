import RingElection

/// SplitMix64, so that a seed always gives the same test.
struct Chance {
    var state: UInt64

    mutating func below(_ bound: Int) -> Int {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return Int((z ^ (z >> 31)).multipliedFullWidth(by: UInt64(bound)).high)
    }

    mutating func order(_ count: Int) -> [UInt64] {
        var uids = (1...count).map { UInt64($0) }
        for i in stride(from: count - 1, to: 0, by: -1) { uids.swapAt(i, below(i + 1)) }
        return uids
    }
}

/// A ring whose links keep their order and lose nothing; which link delivers next is up to the test.
struct Ring<Elector: RingElector> {
    private struct Link {
        var from: Int
        var direction: Direction
        var messages: [Elector.Message] = []
    }

    private(set) var members: [Elector]
    private(set) var sent = 0
    private var links: [Link] = []

    init(_ members: [Elector]) {
        self.members = members
        for from in members.indices {
            links.append(Link(from: from, direction: .clockwise))
            links.append(Link(from: from, direction: .counterclockwise))
        }
    }

    mutating func start(_ i: Int) { send(members[i].start(), from: i) }

    mutating func startAll() { for i in members.indices { start(i) } }

    private mutating func send(_ sendings: [Sending<Elector.Message>], from i: Int) {
        for sending in sendings {
            sent += 1
            links[2 * i + (sending.direction == .clockwise ? 0 : 1)].messages.append(sending.message)
        }
    }

    /// Every link delivers what it had at the beginning of the step; false if nothing was under way.
    mutating func step() -> Bool {
        let counts = links.map(\.messages.count)
        for (link, count) in counts.enumerated() { for _ in 0..<count { deliver(link) } }
        return counts.contains { $0 > 0 }
    }

    mutating func runInStep() { while step() {} }

    /// One link after the other, at random.
    mutating func run(_ chance: inout Chance) {
        while true {
            let busy = links.indices.filter { !links[$0].messages.isEmpty }
            guard !busy.isEmpty else { return }
            deliver(busy[chance.below(busy.count)])
        }
    }

    private mutating func deliver(_ link: Int) {
        let message = links[link].messages.removeFirst()
        let (from, direction) = (links[link].from, links[link].direction)
        let to = (from + (direction == .clockwise ? 1 : members.count - 1)) % members.count
        send(members[to].receive(message, travelling: direction), from: to)
    }

    var leaders: [UInt64] { members.filter(\.isLeader).map(\.uid) }
    var agreed: [UInt64?] { members.map(\.leader) }
}

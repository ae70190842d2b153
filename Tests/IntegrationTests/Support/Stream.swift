/// A steady flow of requests on one bucket, or on many with the same limit, to every node.
struct Stream {
    /// The key; with ``keys`` above 1 a number follows.
    var name: String
    /// Tokens, and nanoseconds in which they come back.
    var tokens: Int64
    var period: Int64
    var burst: Int64
    /// Tokens that each request asks for.
    var cost: Int64 = 1
    /// Requests a second to each node.
    var perSecond: Double
    /// How many keys take turns, `repeats` requests in a row on each; afterwards the stream is done.
    var keys = 1
    var repeats = 1
    /// A rule that has this limit; nil sends `CL.THROTTLE`.
    var rule: String?
    /// Sends `PING` instead, to see what this machine does to any request.
    var isPing = false

    /// As fast as nodes can answer: what the others' times are compared with.
    static let ping = Stream(name: "PING", tokens: 1, period: 1, burst: 1, perSecond: 50, isPing: true)

    /// Virtual time of a token, as the server counts it: rounded up.
    var emissionInterval: Int64 { (period + tokens - 1) / tokens }
    var tolerance: Int64 { emissionInterval * burst }

    var hasEnd: Bool { keys > 1 }

    /// The number of the key that the n-th request to a node is for.
    func key(ofRequest n: Int) -> Int { hasEnd ? n / repeats : 0 }

    func command(key: Int) -> [UInt8] {
        if isPing { return RESPClient.command(["PING"]) }
        let name = hasEnd ? "\(name)-\(key)" : name
        if let rule { return RESPClient.command(["MR.ACQUIRE", rule, name, "\(cost)"]) }
        return RESPClient.command([
            "CL.THROTTLE", name, "\(burst - 1)", "\(tokens)", "\(period / 1_000_000_000)", "\(cost)",
        ])
    }
}

/// What became of one request.
struct Outcome {
    enum Kind { case admitted, refused, error, lost, echoed }

    var stream: Int
    var key: Int
    var node: Int
    var sent: Int64
    var answered: Int64
    var kind: Kind
}

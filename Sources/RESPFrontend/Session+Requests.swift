import LimiterCore
import RESP

/// The requests for tokens.
extension Session {
    /// `CL.THROTTLE key max_burst count period [quantity]`
    mutating func throttle(_ bytes: UnsafeRawBufferPointer) {
        guard parser.argumentCount <= 6 else { return refuse(.badArguments, wrongNumberText(.throttle)) }
        let key = parser.argument(1, in: bytes)
        guard let maxBurst = integer(2, bytes), let tokens = integer(3, bytes), let seconds = integer(4, bytes) else {
            return
        }
        var quantity: Int64 = 1
        if parser.argumentCount == 6 {
            guard let given = integer(5, bytes) else { return }
            quantity = given
        }
        guard isAcceptable(key: key, cost: quantity, called: "quantity") else { return }
        let limit: Limit
        do throws(LimitError) {
            limit = try limits.limit(maxBurst: maxBurst, tokens: tokens, seconds: seconds)
        } catch {
            return refuse(.badArguments, "ERR \(error)")
        }
        guard let directory else { return refuse(.starting, Decision.Cause.starting.errorText) }
        let bucket = directory.bucket(limit: limit, key: key.bytes)
        ask(bucket, key: key, cost: quantity, drift: directory.drift)
    }

    /// `MR.ACQUIRE rule key [cost [CRITICAL]]`
    mutating func acquire(_ bytes: UnsafeRawBufferPointer) {
        guard parser.argumentCount <= 5 else { return refuse(.badArguments, wrongNumberText(.acquire)) }
        let name = parser.argument(1, in: bytes)
        let key = parser.argument(2, in: bytes)
        var cost: Int64 = 1
        if parser.argumentCount >= 4 {
            guard let given = integer(3, bytes) else { return }
            cost = given
        }
        var priority = Priority.normal
        if parser.argumentCount == 5 {
            guard let given = self.priority(4, bytes) else { return }
            priority = given
        }
        guard isAcceptable(key: key, cost: cost, called: "cost") else { return }
        guard let directory else { return refuse(.starting, Decision.Cause.starting.errorText) }
        guard let bucket = directory.bucket(rule: name.bytes, key: key.bytes)?.with(priority) else {
            return refuse(
                .unknownRules, "ERR no such rule '\(Session.text(name))'; 'millrace rules list' shows those there are")
        }
        guard bucket.limit.time(of: cost) != nil else {
            return refuse(
                .aboveBurst,
                "ERR a cost of \(cost) is above the burst of \(bucket.limit.burst)"
                    + (bucket.isPartlyClosed ? " that is open to requests of normal priority" : "")
                    + " of rule '\(Session.text(name))' and can never pass; ask for less at a time, or raise the burst")
        }
        ask(bucket, key: key, cost: cost, drift: directory.drift)
    }

    private mutating func priority(_ index: Int, _ bytes: UnsafeRawBufferPointer) -> Priority? {
        let argument = parser.argument(index, in: bytes)
        if let priority = Priority(name: Session.text(argument).lowercased()) { return priority }
        refuse(.badArguments, "ERR no such priority '\(Session.text(argument))'; say CRITICAL or NORMAL")
        return nil
    }

    private mutating func integer(_ index: Int, _ bytes: UnsafeRawBufferPointer) -> Int64? {
        let argument = parser.argument(index, in: bytes)
        if let value = Decimal.parse(argument) { return value }
        refuse(.badArguments, "ERR Couldn't parse as integer: \(Session.text(argument))")
        return nil
    }

    private mutating func isAcceptable(key: UnsafeRawBufferPointer, cost: Int64, called name: String) -> Bool {
        guard key.count <= Rule.longestKey else {
            refuse(
                .longKeys,
                "ERR the key has \(key.count) bytes, at most \(Rule.longestKey) are possible; send a hash of it instead"
            )
            return false
        }
        guard cost >= 0 else {
            refuse(
                .badArguments,
                "ERR \(name) must be 0 or more: tokens cannot be given back, since a token once taken never goes back; "
                    + "take fewer at a time, or let the bucket refill")
            return false
        }
        return true
    }

    private mutating func ask(_ bucket: Bucket, key: UnsafeRawBufferPointer, cost: Int64, drift: DriftBound) {
        let neverPasses = bucket.limit.time(of: cost) == nil
        if cost > 0, !neverPasses {
            let now = burstClock ?? path.clock()
            burstClock = now
            if let decision = path.decide(bucket, cost: cost, drift: drift, now: now) {
                counts.add(.decidedHere)
                count(decision)
                let reply = ThrottleReply(decision)
                if replies.isEmpty { output.throttle(reply) } else { replies.append(.throttle(reply)) }
                return
            }
        }
        counts.add(.submitted)
        let place = replies.append(.waiting(neverPasses: neverPasses))
        requests.append(
            PendingRequest(
                bucket: bucket, key: Array(key), cost: neverPasses ? 0 : cost, longestWait: bucket.longestWait,
                token: UInt64(number) << 32 | UInt64(place)))
    }

    mutating func count(_ decision: Decision) {
        switch decision.outcome {
        case .allowed: counts.add(.allowed)
        case .limited: counts.add(.limited)
        case .unavailable: counts.add(decision.cause.counter)
        }
    }
}

extension ThrottleReply {
    @inline(__always)
    init(_ decision: Decision) {
        self.init(
            isLimited: !decision.isAllowed, limit: decision.limit, remaining: decision.remaining,
            retryAfterNs: decision.retryAfter, resetAfterNs: decision.resetAfter)
    }
}

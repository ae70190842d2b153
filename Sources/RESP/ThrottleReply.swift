/// The five integers that answer `CL.THROTTLE` and `MR.ACQUIRE`, as redis-cell defines them.
public struct ThrottleReply: Equatable, Sendable, BitwiseCopyable {
    public var isLimited: Bool
    /// Tokens in a full bucket: `max_burst + 1`.
    public var limit: Int64
    public var remaining: Int64
    /// Whole seconds until the same request could pass; -1 if it passed, or if it never can.
    public var retryAfter: Int64
    /// Whole seconds until the bucket is full.
    public var resetAfter: Int64

    public init(isLimited: Bool, limit: Int64, remaining: Int64, retryAfter: Int64, resetAfter: Int64) {
        self.isLimited = isLimited
        self.limit = limit
        self.remaining = remaining
        self.retryAfter = retryAfter
        self.resetAfter = resetAfter
    }

    /// Both times in nanoseconds; `retryAfterNs` is -1 if the request never can pass, and does not matter if it did.
    public init(isLimited: Bool, limit: Int64, remaining: Int64, retryAfterNs: Int64, resetAfterNs: Int64) {
        self.init(
            isLimited: isLimited, limit: limit, remaining: remaining,
            retryAfter: isLimited && retryAfterNs >= 0 ? ThrottleReply.seconds(retryAfterNs) : -1,
            resetAfter: ThrottleReply.seconds(max(0, resetAfterNs)))
    }

    /// Whole seconds, one more if there are whole milliseconds beyond them; what is less than a millisecond is
    /// dropped. So it is in redis-cell, and clients compare.
    public static func seconds(_ ns: Int64) -> Int64 {
        let seconds = ns / 1_000_000_000
        return ns - seconds * 1_000_000_000 >= 1_000_000 ? seconds + 1 : seconds
    }
}

/// Tokens that were taken for a request and may still be put back: a permit of several, or a reservation.
///
/// Whoever has them settles them once, with ``DecisionPath/settle(_:used:drift:now:)``. If that never happens they count as used, which
/// is safe.
public struct HeldTokens: Sendable {
    public var bucket: Bucket
    public var cost: Int64
    /// Where they lie; nil where they cannot be put back, because the epoch of the owner that gave them is not known here.
    public var piece: Piece?
    /// When they were taken out of an allowance here; nil if the owner was asked, who has noted it.
    var takenAt: ClockTime?

    /// Tokens that the owner was asked for.
    public init(bucket: Bucket, cost: Int64, piece: Piece?) {
        self.bucket = bucket
        self.cost = cost
        self.piece = piece
    }

    init(bucket: Bucket, cost: Int64, piece: Piece, takenAt: ClockTime) {
        self.init(bucket: bucket, cost: cost, piece: piece)
        self.takenAt = takenAt
    }
}

extension DecisionPath {
    /// Takes `cost` tokens out of an allowance, to be spent or put back; nil if none has so many. Returns with them what is known of the
    /// bucket.
    public func hold(
        _ bucket: Bucket, cost: Int64, drift: DriftBound, now: ClockTime
    ) -> (held: HeldTokens, decision: Decision)? {
        guard cost > 0, let time = bucket.limit.time(of: cost) else { return nil }
        let scaled = drift.longest(now.ns)
        return withTable(for: bucket.id) { table in
            guard
                let piece = table.take(
                    bucket.id, from: time, to: time, unit: bucket.limit.emissionInterval, scaled: scaled),
                let standing = table.standing(bucket.id, scaled: scaled)
            else { return nil }
            let tat = AxisTime(ns: max(standing.tat.ns, standing.axis.ns) - standing.held)
            return (
                HeldTokens(bucket: bucket, cost: cost, piece: piece, takenAt: now),
                .settled(allowed: true, limit: bucket.limit, tat: tat, cost: cost, at: standing.axis)
            )
        }
    }

    /// Spends `used` of the tokens that are held, and puts the others back among the allowances. Call it once.
    public func settle(_ held: HeldTokens, used: Int64, drift: DriftBound, now: ClockTime) {
        precondition(used >= 0 && used <= held.cost, "\(used) of \(held.cost) tokens")
        let limit = held.bucket.limit
        let id = held.bucket.id
        if used > 0, let at = held.takenAt { tellObserver(id, limit: held.bucket.wholeLimit, cost: used, at: at) }
        let scaled = drift.longest(now.ns)
        withTable(for: id) { table in
            if used > 0, held.takenAt != nil { table.noteUse(of: used, id) }
            guard used < held.cost, var rest = held.piece, let time = limit.time(of: used) else { return }
            rest.start = rest.start + time
            // Without room for it the rest is lost, which is safe.
            _ = table.putBack(rest, of: id, scaled: scaled)
        }
    }
}

import LimiterCore

/// When this process learnt a range's stamps, on its own clock: what a new owner continues the axis from (design, section 4).
///
/// Local to a process, never stored, never sent.
struct Anchors {
    private struct Anchor {
        var epoch: UInt64
        var stamp: AxisTime
        var clock: ClockTime
    }

    private var anchors: [Anchor?] = Array(repeating: nil, count: RangeID.count)

    /// A cover of `epoch` was applied; `stamp` is the range's newest one, and `clock` was read after the entry arrived.
    mutating func covered(_ range: RangeID, epoch: UInt64, stamp: AxisTime, clock: ClockTime) {
        // A newer tenure anchors anew even at an equal stamp: its axis may have fallen back, so that what our clock has counted
        // since the older anchor proves nothing.
        if let known = anchors[range.index], known.stamp >= stamp,
            known.epoch == epoch || isPlanted(.keepsOlderAnchors)
        {
            return
        }
        anchors[range.index] = Anchor(epoch: epoch, stamp: stamp, clock: clock)
    }

    /// A snapshot was adopted that shows this epoch and stamp.
    mutating func restored(_ range: RangeID, epoch: UInt64, stamp: AxisTime, clock: ClockTime) {
        if let known = anchors[range.index], known.epoch == epoch, known.stamp == stamp { return }
        // Epoch 0: the stamp may be an earlier tenure's, so the next cover of any epoch has to anchor anew.
        anchors[range.index] = Anchor(epoch: 0, stamp: stamp, clock: clock)
    }

    /// The axis may have been anywhere since; only what the log says still counts.
    mutating func forgetAll() { anchors = Array(repeating: nil, count: RangeID.count) }

    /// The last tenure whose cover this process saw applied.
    func epoch(of range: RangeID) -> UInt64? { anchors[range.index]?.epoch }

    /// A reading at which the range's axis surely was already: the last stamp, plus what our clock has counted since, less the
    /// drift. `stamp` is the range's newest one in the log.
    func axis(of range: RangeID, stamp: AxisTime, at now: ClockTime, drift: DriftBound) -> AxisTime {
        guard let anchor = anchors[range.index] else { return stamp }
        let ahead: Int64 = isPlanted(.axisJumpsAhead) ? 300_000_000 : 0
        return max(stamp, anchor.stamp + drift.shortest(max(0, now - anchor.clock))) + ahead
    }
}

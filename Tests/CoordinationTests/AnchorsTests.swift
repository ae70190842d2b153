import LimiterCore
import Testing

@testable import Coordination

/// Where a new owner continues the axis (design, section 4): never ahead of where the old one surely was.
struct AnchorsTests {
    private static let range = RangeID(3)
    private static let second: Int64 = 1_000_000_000
    /// 500 ppm.
    private static let drift = DriftBound(partsPerBillion: 500_000)

    private func at(_ seconds: Int64) -> ClockTime { ClockTime(ns: seconds * Self.second) }
    private func axis(_ seconds: Int64) -> AxisTime { AxisTime(ns: seconds * Self.second) }
    private func elapsed(_ seconds: Int64) -> Int64 { Self.drift.shortest(seconds * Self.second) }

    @Test("Without an anchor the axis continues at the last stamp in the log")
    func nothingKnown() {
        let anchors = Anchors()
        #expect(anchors.axis(of: Self.range, stamp: axis(7), at: at(100), drift: Self.drift) == axis(7))
    }

    @Test("With one, what the own clock has counted since counts too, less the drift")
    func continued() {
        var anchors = Anchors()
        anchors.covered(Self.range, epoch: 5, stamp: axis(100), clock: at(20))
        #expect(anchors.axis(of: Self.range, stamp: axis(100), at: at(20), drift: Self.drift) <= axis(100))
        let later = anchors.axis(of: Self.range, stamp: axis(100), at: at(30), drift: Self.drift)
        #expect(later == axis(100) + elapsed(10))
        // 500 ppm of ten seconds are 5 ms.
        #expect(axis(110) - later >= 5_000_000 && axis(110) - later < 5_010_000)
        // Other ranges have their own.
        #expect(anchors.axis(of: RangeID(4), stamp: axis(1), at: at(30), drift: Self.drift) == axis(1))
    }

    @Test("Of one epoch's covers the newest stamp is the anchor; late and repeated ones change nothing")
    func newest() {
        var anchors = Anchors()
        anchors.covered(Self.range, epoch: 5, stamp: axis(100), clock: at(20))
        anchors.covered(Self.range, epoch: 5, stamp: axis(100), clock: at(25))
        anchors.covered(Self.range, epoch: 5, stamp: axis(90), clock: at(26))
        #expect(
            anchors.axis(of: Self.range, stamp: axis(100), at: at(30), drift: Self.drift) == axis(100) + elapsed(10))
        anchors.covered(Self.range, epoch: 5, stamp: axis(104), clock: at(27))
        #expect(anchors.axis(of: Self.range, stamp: axis(104), at: at(30), drift: Self.drift) == axis(104) + elapsed(3))
    }

    @Test("A cover of a newer epoch anchors anew, even with an equal stamp: its axis may have fallen back")
    func newerEpoch() {
        var anchors = Anchors()
        anchors.covered(Self.range, epoch: 5, stamp: axis(100), clock: at(20))
        // A new owner knew no more than the stamp and began there, nine seconds later. What our clock has counted since the old
        // anchor says nothing about the new axis.
        anchors.covered(Self.range, epoch: 9, stamp: axis(100), clock: at(29))
        #expect(anchors.axis(of: Self.range, stamp: axis(100), at: at(30), drift: Self.drift) == axis(100) + elapsed(1))
    }

    @Test("The range's stamp counts if it is ahead of what the anchor proves")
    func stampAhead() {
        var anchors = Anchors()
        anchors.covered(Self.range, epoch: 5, stamp: axis(100), clock: at(20))
        #expect(anchors.axis(of: Self.range, stamp: axis(150), at: at(30), drift: Self.drift) == axis(150))
        // A clock reading from before the anchor proves nothing.
        #expect(anchors.axis(of: Self.range, stamp: axis(100), at: at(10), drift: Self.drift) <= axis(100))
    }

    @Test("A snapshot that shows the known epoch and stamp leaves the anchor; any other anchors anew")
    func snapshot() {
        var anchors = Anchors()
        anchors.covered(Self.range, epoch: 5, stamp: axis(100), clock: at(20))
        anchors.restored(Self.range, epoch: 5, stamp: axis(100), clock: at(28))
        #expect(
            anchors.axis(of: Self.range, stamp: axis(100), at: at(30), drift: Self.drift) == axis(100) + elapsed(10))
        // Another epoch with the same stamp: the axis may have fallen back in between.
        anchors.restored(Self.range, epoch: 7, stamp: axis(100), clock: at(28))
        #expect(anchors.axis(of: Self.range, stamp: axis(100), at: at(30), drift: Self.drift) == axis(100) + elapsed(2))
    }

    @Test("A snapshot's stamp may be an earlier tenure's: the first cover seen afterwards anchors anew")
    func coverAfterSnapshot() {
        var anchors = Anchors()
        // The snapshot shows epoch 7, whose owner has covered nothing yet: the stamp is that of epoch 5, and our clock starts
        // to count here. Epoch 7 then begins at this very stamp, eight seconds later.
        anchors.restored(Self.range, epoch: 7, stamp: axis(100), clock: at(20))
        anchors.covered(Self.range, epoch: 7, stamp: axis(100), clock: at(28))
        #expect(anchors.axis(of: Self.range, stamp: axis(100), at: at(30), drift: Self.drift) == axis(100) + elapsed(2))
    }

    @Test("After the clock stood still or jumped only the log counts")
    func forgotten() {
        var anchors = Anchors()
        anchors.covered(Self.range, epoch: 5, stamp: axis(100), clock: at(20))
        anchors.forgetAll()
        #expect(anchors.axis(of: Self.range, stamp: axis(100), at: at(30), drift: Self.drift) == axis(100))
    }

    @Test("However owners, snapshots and silence alternate, nobody's proof overtakes the true axis")
    func neverAhead() {
        for seed in 0..<300 {
            var generator = SplitMix64(seed: UInt64(seed))
            var anchors = Anchors()
            var epoch: UInt64 = 1
            // True time; the owner's axis is `now + offset`, on a clock without drift.
            var (now, offset) = (Int64(0), Int64(1_000))
            var stamp = AxisTime(ns: 0)
            for step in 0..<60 {
                now += generator.within(0...Self.second)
                switch generator.below(4) {
                case 0:
                    // A takeover by somebody who knows the stamp alone, so that the axis falls back as far as it can.
                    epoch += 1
                    offset = stamp.ns - now
                case 1:
                    anchors.restored(Self.range, epoch: epoch, stamp: stamp, clock: ClockTime(ns: now))
                default:
                    stamp = max(stamp, AxisTime(ns: now + offset))
                    if generator.chance(2) {
                        anchors.covered(Self.range, epoch: epoch, stamp: stamp, clock: ClockTime(ns: now))
                    } else {
                        // This node was behind, and gets it by a snapshot.
                        anchors.restored(Self.range, epoch: epoch, stamp: stamp, clock: ClockTime(ns: now))
                    }
                    let proved = anchors.axis(of: Self.range, stamp: stamp, at: ClockTime(ns: now), drift: Self.drift)
                    #expect(proved.ns <= now + offset, "seed \(seed), step \(step)")
                }
            }
        }
    }
}

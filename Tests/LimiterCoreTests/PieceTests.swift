import Testing

@testable import LimiterCore

/// Pieces of virtual time that are taken out of a table, put back, and spent: never is an instant in two places.
struct PieceTests {
    private static let id = BucketID(high: 1, low: 7)
    private static let unit: Int64 = 10

    /// A table that macros can look into.
    private final class Box {
        private var table = AllowanceTable(capacity: 8)

        func install(_ start: Int64, _ end: Int64, tat: AxisTime = .never, tag: UInt16 = 1, scaled: Int64 = 0) {
            _ = table.install(
                PieceTests.id, span: (AxisTime(ns: start), AxisTime(ns: end)), tat: tat, base: 0, tag: tag,
                scaled: scaled)
        }

        func take(_ least: Int64, _ most: Int64, tag: UInt16? = nil, scaled: Int64 = 0) -> Piece? {
            table.take(PieceTests.id, from: least, to: most, unit: PieceTests.unit, tag: tag, scaled: scaled)
        }

        func putBack(_ piece: Piece, scaled: Int64 = 0) -> Bool {
            table.putBack(piece, of: PieceTests.id, scaled: scaled)
        }

        func decide(_ time: Int64, scaled: Int64) -> Bool {
            if case .allowed = table.decide(PieceTests.id, time: time, tokens: 1, tolerance: 1_000, scaled: scaled) {
                return true
            }
            return false
        }

        func held(scaled: Int64 = 0) -> Int64 { table.held(PieceTests.id, scaled: scaled) }
        func discardAll() { table.discardAll() }
        func checkInvariants() { table.checkInvariants() }

        /// The spans that can be spent, as the table says, clipped to the axis.
        func spans(scaled: Int64) -> [(Int64, Int64)] {
            (table.contents(of: PieceTests.id)?.spans ?? []).map { (max($0.start, $0.base + scaled), $0.end) }
                .filter { $0.0 < $0.1 }
        }
    }

    @Test func takenFromTheFrontAndPutBack() {
        let box = Box()
        #expect(box.take(10, 10) == nil)
        box.install(100, 200, tat: AxisTime(ns: 200), tag: 3)
        let piece = box.take(20, 55)!
        #expect((piece.start.ns, piece.end.ns, piece.tag) == (100, 150, 3))
        #expect(box.held() == 50)
        #expect(box.take(60, 60) == nil)
        #expect(box.take(10, 10, tag: 4) == nil)
        #expect(box.putBack(piece))
        #expect(box.held() == 100)
        #expect(box.spans(scaled: 0).count == 1)
        // What the axis has overtaken is not there any more.
        #expect(box.take(10, 100, scaled: 170)?.time == 30)
        box.checkInvariants()
    }

    @Test func nothingIsTakenBackAfterEverythingWasDiscarded() {
        let box = Box()
        box.install(100, 200)
        let piece = box.take(50, 50)!
        box.discardAll()
        #expect(!box.putBack(piece))
        #expect(box.held() == 0)
    }

    /// Against a dumb twin: the set of instants, each in one place at a time.
    @Test(arguments: 0..<40 as Range<UInt64>)
    func noInstantIsInTwoPlaces(seed: UInt64) {
        var generator = SplitMix64(seed: seed)
        func below(_ bound: Int64) -> Int64 { Int64(truncatingIfNeeded: generator.next() % UInt64(bound)) }
        let box = Box()
        var pieces: [Piece] = []
        var spent: Set<Int64> = []
        var next: Int64 = 0
        var scaled: Int64 = 0
        func cells(_ start: Int64, _ end: Int64) -> [Int64] { Array(start..<end) }
        for _ in 0..<400 {
            switch below(6) {
            case 0:
                next = max(next, scaled) + below(3) * 5
                let end = next + Self.unit * (1 + below(12))
                box.install(next, end, tat: AxisTime(ns: end), scaled: scaled)
                next = end
            case 1, 2:
                let least = Self.unit * (1 + below(4))
                if let piece = box.take(least, least + Self.unit * below(3), scaled: scaled) {
                    #expect(piece.time >= least && piece.time % Self.unit == 0 && piece.start.ns >= scaled)
                    pieces.append(piece)
                }
            case 3:
                guard !pieces.isEmpty else { continue }
                var piece = pieces.remove(at: Int(below(Int64(pieces.count))))
                // A part of it is used.
                let used = below(piece.time / Self.unit + 1) * Self.unit
                for cell in cells(piece.start.ns, piece.start.ns + used) {
                    #expect(spent.insert(cell).inserted, "spent twice")
                }
                piece.start = piece.start + used
                _ = box.putBack(piece, scaled: scaled)
            case 4:
                let before = box.spans(scaled: scaled)
                let time = Self.unit * (1 + below(3))
                if box.decide(time, scaled: scaled) {
                    let after = Set(box.spans(scaled: scaled).flatMap { cells($0.0, $0.1) })
                    let gone = before.flatMap { cells($0.0, $0.1) }.filter { !after.contains($0) }
                    #expect(gone.count == Int(time))
                    for cell in gone { #expect(spent.insert(cell).inserted, "spent twice") }
                }
            default: scaled += below(25)
            }
            // Everything that can still be spent: in the table, or in a piece; never twice, never what was spent.
            var seen = spent
            for (start, end) in box.spans(scaled: scaled) {
                for cell in cells(start, end) { #expect(seen.insert(cell).inserted, "in two places") }
            }
            for piece in pieces {
                for cell in cells(piece.start.ns, piece.end.ns) { #expect(seen.insert(cell).inserted, "in two places") }
            }
            box.checkInvariants()
        }
    }

    @Test func aLimitByItsTermsComputesTheSame() throws {
        for (tokens, period, burst) in [
            (Int64(100), Int64(1_000_000_000), Int64(7)), (3, 1_000, 1), (50_000_000, 1_000_000_000, 60_000_000),
        ] {
            let limit = try Limit(tokens: tokens, per: period, burst: burst)
            let twin = try #require(
                Limit(emissionInterval: limit.emissionInterval, tolerance: limit.tolerance, unit: limit.unit))
            #expect(twin.tolerance == limit.tolerance && twin.emissionInterval == limit.emissionInterval)
            for cost in [Int64(0), 1, 2, 5, burst] {
                guard let time = limit.time(of: cost) else { continue }
                #expect(twin.time(of: twin.cost(of: time)) == time)
                #expect(limit.time(of: limit.cost(of: time)) == time)
            }
        }
        #expect(Limit(emissionInterval: 0, tolerance: 10, unit: 1) == nil)
        #expect(Limit(emissionInterval: 10, tolerance: 9, unit: 1) == nil)
        #expect(Limit(emissionInterval: 10, tolerance: 1 << 60, unit: .max) == nil)
    }
}

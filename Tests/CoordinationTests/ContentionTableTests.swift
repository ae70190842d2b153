import LimiterCore
import Testing

@testable import Coordination

/// Several holders want one bucket.
struct ContentionTableTests {
    private static let id = BucketID(high: 1, low: 30)
    /// A hundred tokens, one a millisecond.
    private static let bucket = BucketTerms(emissionInterval: 1_000_000, tolerance: 100_000_000, unit: 1, exact: false)
    /// Sixty: too few to keep some of them closed for long.
    private static let narrow = BucketTerms(emissionInterval: 1_000_000, tolerance: 60_000_000, unit: 1, exact: false)
    private static let millisecond: Int64 = 1_000_000

    /// What a holder of weight 1 may have: among how many, and what is closed to it.
    private func terms(
        _ table: inout ContentionTable, _ place: Int32, holder: UInt64, of terms: BucketTerms = Self.bucket,
        at axis: AxisTime
    ) -> (holders: Int64, closed: Int64) {
        let part = table.part(place, holder: holder, weight: 1, of: terms, at: axis)
        return (part.total, part.closed)
    }

    private func at(_ milliseconds: Int64) -> AxisTime { AxisTime(ns: milliseconds * Self.millisecond) }

    @Test("A holder alone has the bucket to itself")
    func alone() {
        var table = ContentionTable()
        let place = table.place(of: Self.id, known: 0, at: at(0))
        table.note(place, holder: 1, granted: 50_000_000, isHungry: true, of: Self.bucket, at: at(0))
        #expect(terms(&table, place, holder: 1, at: at(5)) == (1, 0))
        #expect(table.holders(place, at: at(5)) == 1)
    }

    @Test("While another with less is hungry, a part is closed to who has had more; afterwards it is not")
    func closedToWhoIsAhead() {
        var table = ContentionTable()
        let place = table.place(of: Self.id, known: 0, at: at(0))
        table.note(place, holder: 2, granted: 0, isHungry: true, of: Self.narrow, at: at(0))
        table.note(place, holder: 1, granted: 50_000_000, isHungry: true, of: Self.narrow, at: at(0))
        #expect(terms(&table, place, holder: 1, of: Self.narrow, at: at(5)) == (2, 20_000_000))
        #expect(terms(&table, place, holder: 2, of: Self.narrow, at: at(5)) == (2, 0))
        // Hunger lasts 60 ms, and ends at once when it is satisfied.
        #expect(terms(&table, place, holder: 1, of: Self.narrow, at: at(59)).closed == 20_000_000)
        #expect(terms(&table, place, holder: 1, of: Self.narrow, at: at(60)).closed == 0)
        table.note(place, holder: 2, granted: 1_000_000, isHungry: true, of: Self.narrow, at: at(61))
        #expect(terms(&table, place, holder: 1, of: Self.narrow, at: at(62)).closed == 20_000_000)
        table.note(place, holder: 2, granted: 1_000_000, isHungry: false, of: Self.narrow, at: at(63))
        #expect(terms(&table, place, holder: 1, of: Self.narrow, at: at(64)).closed == 0)
    }

    @Test("In a bucket of many tokens hunger lasts a second, however much it was satisfied in the meantime")
    func longHunger() {
        var table = ContentionTable()
        let place = table.place(of: Self.id, known: 0, at: at(0))
        table.note(place, holder: 2, granted: 0, isHungry: true, of: Self.bucket, at: at(0))
        table.note(place, holder: 1, granted: 50_000_000, isHungry: true, of: Self.bucket, at: at(0))
        table.note(place, holder: 2, granted: 1_000_000, isHungry: false, of: Self.bucket, at: at(5))
        #expect(terms(&table, place, holder: 1, at: at(999)).closed == 20_000_000)
        #expect(terms(&table, place, holder: 1, at: at(1_000)).closed == 0)
    }

    @Test("A small lead is no lead: one request more or less is nobody's fault")
    func quantum() {
        var table = ContentionTable()
        let place = table.place(of: Self.id, known: 0, at: at(0))
        table.note(place, holder: 2, granted: 0, isHungry: true, of: Self.bucket, at: at(0))
        table.note(place, holder: 1, granted: 1_500_000, isHungry: true, of: Self.bucket, at: at(0))
        #expect(terms(&table, place, holder: 1, at: at(1)).closed == 0)
        table.note(place, holder: 1, granted: 200_000, isHungry: true, of: Self.bucket, at: at(1))
        #expect(terms(&table, place, holder: 1, at: at(2)).closed == 20_000_000)
    }

    @Test("The reserve is at least a token and at most half of the bucket")
    func reserveBounds() {
        func reserve(_ bucket: BucketTerms) -> Int64 {
            var table = ContentionTable()
            let place = table.place(of: Self.id, known: 0, at: at(0))
            table.note(place, holder: 2, granted: 0, isHungry: true, of: Self.bucket, at: at(0))
            table.note(place, holder: 1, granted: 1 << 50, isHungry: true, of: Self.bucket, at: at(0))
            return terms(&table, place, holder: 1, of: bucket, at: at(1)).closed
        }
        #expect(
            reserve(BucketTerms(emissionInterval: 30_000_000, tolerance: 300_000_000, unit: 1, exact: false))
                == 30_000_000)
        #expect(
            reserve(BucketTerms(emissionInterval: 1_000_000, tolerance: 4_000_000, unit: 1, exact: false)) == 2_000_000)
        #expect(
            reserve(BucketTerms(emissionInterval: 1_000_000, tolerance: 1_000_000, unit: 1, exact: false)) == 500_000)
    }

    @Test("A newcomer starts level with the least: it has no arrears to claim")
    func newcomer() {
        var table = ContentionTable()
        let place = table.place(of: Self.id, known: 0, at: at(0))
        table.note(place, holder: 1, granted: 50_000_000, isHungry: true, of: Self.bucket, at: at(0))
        table.note(place, holder: 2, granted: 0, isHungry: true, of: Self.bucket, at: at(1))
        #expect(terms(&table, place, holder: 1, at: at(2)).closed == 0)
    }

    @Test("Who was not seen for a second is not counted, and what was granted fades")
    func forgetting() {
        var table = ContentionTable()
        let place = table.place(of: Self.id, known: 0, at: at(0))
        table.note(place, holder: 1, granted: 0, isHungry: false, of: Self.bucket, at: at(0))
        table.note(place, holder: 2, granted: 50_000_000, isHungry: false, of: Self.bucket, at: at(500))
        #expect(table.holders(place, at: at(1_000)) == 2)
        #expect(table.holders(place, at: at(1_001)) == 1)
        #expect(terms(&table, place, holder: 2, at: at(1_200)).holders == 1)
        // Whoever asks counts, however long it was away.
        #expect(terms(&table, place, holder: 1, at: at(1_400)).holders == 2)
        // After many seconds the lead has gone.
        for second in 2...9 {
            table.note(place, holder: 2, granted: 0, isHungry: false, of: Self.bucket, at: at(Int64(second) * 1_000))
        }
        for second in 2...9 { _ = terms(&table, place, holder: 2, at: at(Int64(second) * 1_000)) }
        table.note(place, holder: 1, granted: 0, isHungry: true, of: Self.bucket, at: at(9_000))
        #expect(terms(&table, place, holder: 2, at: at(9_001)).closed == 0)
    }

    @Test("A place is found again as long as it is the bucket's, and the longest unused makes way for one more")
    func places() {
        var table = ContentionTable()
        func id(_ number: Int) -> BucketID { BucketID(high: UInt64(number + 1), low: 30) }
        var places: [Int32] = []
        for i in 0..<ContentionTable.mostBuckets { places.append(table.place(of: id(i), known: 0, at: at(Int64(i)))) }
        #expect(places == (1...Int32(ContentionTable.mostBuckets)).map { $0 })
        #expect(table.place(of: id(7), known: places[7], at: at(300)) == places[7])
        _ = terms(&table, places[0], holder: 1, at: at(300))
        // The first one was used just now: the second makes way.
        let new = table.place(of: id(1_000), known: 0, at: at(301))
        #expect(new == places[1])
        #expect(table.place(of: id(1_000), known: new, at: at(302)) == new)
        // The old one's place is somebody else's.
        #expect(table.place(of: id(1), known: places[1], at: at(303)) != places[1])
        #expect(table.holders(0, at: at(303)) == 0 && table.holders(9_999, at: at(303)) == 0)
    }

    @Test("As many holders as are told apart, and one more, who shares the last one's account")
    func mostHolders() {
        var table = ContentionTable()
        let place = table.place(of: Self.id, known: 0, at: at(0))
        for holder in 1...UInt64(ContentionTable.mostHolders) {
            table.note(place, holder: holder, granted: 0, isHungry: false, of: Self.bucket, at: at(0))
        }
        #expect(table.holders(place, at: at(0)) == ContentionTable.mostHolders)
        table.note(place, holder: 1_000, granted: 5_000_000, isHungry: false, of: Self.bucket, at: at(0))
        #expect(table.holders(place, at: at(0)) == ContentionTable.mostHolders)
        table.note(place, holder: 1, granted: 0, isHungry: true, of: Self.bucket, at: at(0))
        #expect(terms(&table, place, holder: 1_000, at: at(1)).closed == 20_000_000)
        #expect(terms(&table, place, holder: 64, at: at(1)).closed == 20_000_000)
    }

    @Test("The lead is counted by weight, and so is the part; a newcomer has no arrears by its weight either")
    func weights() {
        var table = ContentionTable()
        let place = table.place(of: Self.id, known: 0, at: at(0))
        func part(_ holder: UInt64, _ weight: Int64) -> ContentionTable.Part {
            table.part(place, holder: holder, weight: weight, of: Self.bucket, at: at(5))
        }
        #expect(part(1, 1) == ContentionTable.Part(weight: 1, total: 1, closed: 0))
        #expect(part(2, 5) == ContentionTable.Part(weight: 5, total: 6, closed: 0))
        table.note(place, holder: 1, granted: 10_000_000, isHungry: true, of: Self.bucket, at: at(5))
        table.note(place, holder: 2, granted: 50_000_000, isHungry: true, of: Self.bucket, at: at(5))
        #expect(part(1, 1).closed == 0 && part(2, 5).closed == 0)
        table.note(place, holder: 2, granted: 10_000_000, isHungry: true, of: Self.bucket, at: at(5))
        #expect(part(1, 1).closed == 0 && part(2, 5).closed == 20_000_000)
        // What it got was counted by the weight that it had then.
        #expect(part(2, 100).closed == 20_000_000)
        #expect(part(3, 2) == ContentionTable.Part(weight: 2, total: 103, closed: 0))
        table.note(place, holder: 3, granted: 0, isHungry: true, of: Self.bucket, at: at(5))
        #expect(part(1, 1).closed == 0)
    }

    @Test("The weight of those that were refused something is remembered for a second")
    func refusedWeight() {
        var table = ContentionTable()
        let place = table.place(of: Self.id, known: 0, at: at(0))
        for holder in 1...3 as ClosedRange<UInt64> {
            _ = table.part(place, holder: holder, weight: 10 * Int64(holder), of: Self.bucket, at: at(0))
        }
        #expect(table.refusedWeight(place, at: at(0)) == 0)
        table.charge(place, holder: 1, isRefused: true, at: at(0))
        table.charge(place, holder: 3, isRefused: true, at: at(500))
        table.charge(place, holder: 2, granted: 5, isRefused: false, at: at(500))
        table.charge(place, holder: 9, isRefused: true, at: at(500))
        #expect(table.refusedWeight(place, at: at(999)) == 40)
        #expect(table.refusedWeight(place, at: at(1_000)) == 30)
        #expect(table.refusedWeight(0, at: at(0)) == 0 && table.refusedWeight(place + 1, at: at(0)) == 0)
    }
}

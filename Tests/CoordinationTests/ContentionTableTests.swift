import LimiterCore
import Testing

@testable import Coordination

/// Several holders want one bucket.
struct ContentionTableTests {
    private static let id = BucketID(high: 1, low: 30)
    /// A hundred tokens, one a millisecond.
    private static let bucket = BucketTerms(emissionInterval: 1_000_000, tolerance: 100_000_000, unit: 1, exact: false)
    private static let millisecond: Int64 = 1_000_000

    private func at(_ milliseconds: Int64) -> AxisTime { AxisTime(ns: milliseconds * Self.millisecond) }

    @Test("A holder alone has the bucket to itself")
    func alone() {
        var table = ContentionTable()
        let place = table.place(of: Self.id, known: 0, at: at(0))
        table.note(place, holder: 1, granted: 50_000_000, isHungry: true, at: at(0))
        #expect(table.terms(place, holder: 1, of: Self.bucket, at: at(5)) == (1, 0))
        #expect(table.holders(place, at: at(5)) == 1)
    }

    @Test("While another with less is hungry, who has had more leaves a reserve; afterwards it does not")
    func reserve() {
        var table = ContentionTable()
        let place = table.place(of: Self.id, known: 0, at: at(0))
        table.note(place, holder: 2, granted: 0, isHungry: true, at: at(0))
        table.note(place, holder: 1, granted: 50_000_000, isHungry: true, at: at(0))
        #expect(table.terms(place, holder: 1, of: Self.bucket, at: at(5)) == (2, 20_000_000))
        #expect(table.terms(place, holder: 2, of: Self.bucket, at: at(5)) == (2, 0))
        // Hunger lasts 60 ms, and ends at once when it is satisfied.
        #expect(table.terms(place, holder: 1, of: Self.bucket, at: at(59)).reserve == 20_000_000)
        #expect(table.terms(place, holder: 1, of: Self.bucket, at: at(60)).reserve == 0)
        table.note(place, holder: 2, granted: 1_000_000, isHungry: true, at: at(61))
        #expect(table.terms(place, holder: 1, of: Self.bucket, at: at(62)).reserve == 20_000_000)
        table.note(place, holder: 2, granted: 1_000_000, isHungry: false, at: at(63))
        #expect(table.terms(place, holder: 1, of: Self.bucket, at: at(64)).reserve == 0)
    }

    @Test("A small lead is no lead: one request more or less is nobody's fault")
    func quantum() {
        var table = ContentionTable()
        let place = table.place(of: Self.id, known: 0, at: at(0))
        table.note(place, holder: 2, granted: 0, isHungry: true, at: at(0))
        table.note(place, holder: 1, granted: 1_500_000, isHungry: true, at: at(0))
        #expect(table.terms(place, holder: 1, of: Self.bucket, at: at(1)).reserve == 0)
        table.note(place, holder: 1, granted: 200_000, isHungry: true, at: at(1))
        #expect(table.terms(place, holder: 1, of: Self.bucket, at: at(2)).reserve == 20_000_000)
    }

    @Test("The reserve is at least a token and at most half of the bucket")
    func reserveBounds() {
        func reserve(_ bucket: BucketTerms) -> Int64 {
            var table = ContentionTable()
            let place = table.place(of: Self.id, known: 0, at: at(0))
            table.note(place, holder: 2, granted: 0, isHungry: true, at: at(0))
            table.note(place, holder: 1, granted: 1 << 50, isHungry: true, at: at(0))
            return table.terms(place, holder: 1, of: bucket, at: at(1)).reserve
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
        table.note(place, holder: 1, granted: 50_000_000, isHungry: true, at: at(0))
        table.note(place, holder: 2, granted: 0, isHungry: true, at: at(1))
        #expect(table.terms(place, holder: 1, of: Self.bucket, at: at(2)).reserve == 0)
    }

    @Test("Who was not seen for a second is not counted, and what was granted fades")
    func forgetting() {
        var table = ContentionTable()
        let place = table.place(of: Self.id, known: 0, at: at(0))
        table.note(place, holder: 1, granted: 0, isHungry: false, at: at(0))
        table.note(place, holder: 2, granted: 50_000_000, isHungry: false, at: at(500))
        #expect(table.holders(place, at: at(1_000)) == 2)
        #expect(table.holders(place, at: at(1_001)) == 1)
        #expect(table.terms(place, holder: 2, of: Self.bucket, at: at(1_200)).holders == 1)
        // Whoever asks counts, however long it was away.
        #expect(table.terms(place, holder: 1, of: Self.bucket, at: at(1_400)).holders == 2)
        // After many seconds the lead has gone.
        for second in 2...9 { table.note(place, holder: 2, granted: 0, isHungry: false, at: at(Int64(second) * 1_000)) }
        for second in 2...9 { _ = table.terms(place, holder: 2, of: Self.bucket, at: at(Int64(second) * 1_000)) }
        table.note(place, holder: 1, granted: 0, isHungry: true, at: at(9_000))
        #expect(table.terms(place, holder: 2, of: Self.bucket, at: at(9_001)).reserve == 0)
    }

    @Test("A place is found again as long as it is the bucket's, and the longest unused makes way for one more")
    func places() {
        var table = ContentionTable()
        func id(_ number: Int) -> BucketID { BucketID(high: UInt64(number + 1), low: 30) }
        var places: [Int32] = []
        for i in 0..<ContentionTable.mostBuckets { places.append(table.place(of: id(i), known: 0, at: at(Int64(i)))) }
        #expect(places == (1...Int32(ContentionTable.mostBuckets)).map { $0 })
        #expect(table.place(of: id(7), known: places[7], at: at(300)) == places[7])
        _ = table.terms(places[0], holder: 1, of: Self.bucket, at: at(300))
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
            table.note(place, holder: holder, granted: 0, isHungry: false, at: at(0))
        }
        #expect(table.holders(place, at: at(0)) == ContentionTable.mostHolders)
        table.note(place, holder: 1_000, granted: 5_000_000, isHungry: false, at: at(0))
        #expect(table.holders(place, at: at(0)) == ContentionTable.mostHolders)
        table.note(place, holder: 1, granted: 0, isHungry: true, at: at(0))
        #expect(table.terms(place, holder: 1_000, of: Self.bucket, at: at(1)).reserve == 20_000_000)
        #expect(table.terms(place, holder: 64, of: Self.bucket, at: at(1)).reserve == 20_000_000)
    }
}

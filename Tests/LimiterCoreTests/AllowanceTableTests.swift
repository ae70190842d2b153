import LimiterCore
import Testing

private let bucketA = BucketID(high: 1, low: 64)

private func span(_ start: Int64, _ end: Int64) -> (start: AxisTime, end: AxisTime) {
    (AxisTime(ns: start), AxisTime(ns: end))
}

/// A table in a box, which expectations can capture.
private final class Holder {
    var table: AllowanceTable

    init(capacity: Int) { table = AllowanceTable(capacity: capacity) }

    /// Installs with a bracket that reads the clock as the axis.
    func give(
        _ span: (start: AxisTime, end: AxisTime)?, to id: BucketID = bucketA, tat: Int64 = 0, base: Int64 = 0,
        tag: UInt16 = 1, at now: Int64 = 0
    ) -> Bool {
        table.install(id, span: span, tat: AxisTime(ns: tat), base: base, tag: tag, scaled: now)
    }

    /// Asks for `tokens` tokens of 10 ns each from a bucket of ten.
    func ask(_ tokens: Int64, _ id: BucketID = bucketA, at now: Int64) -> String {
        switch table.decide(id, time: tokens * 10, tokens: tokens, tolerance: 100, scaled: now) {
        case .allowed: "allowed"
        case .limited: "limited"
        case .unknown: "unknown"
        }
    }

    func usage(limit: Int = .max, at now: Int64) -> [AllowanceTable.Usage] {
        var all: [AllowanceTable.Usage] = []
        table.takeUsage(limit: limit, scaled: now) { all.append($0) }
        table.checkInvariants()
        return all
    }

    var count: Int { table.count }
    var hasUsage: Bool { table.hasUsage }
    func held(at now: Int64) -> Int64 { table.held(bucketA, scaled: now) }
    func clear(_ steps: Int, at now: Int64) { table.clear(steps, scaled: now) }
    func checkInvariants() { table.checkInvariants() }
}

@Suite("Allowance table")
struct AllowanceTableTests {
    @Test("an allowance is spent from its start or from now, whichever is later, up to its end")
    func spending() {
        let table = Holder(capacity: 8)
        #expect(table.ask(1, at: 0) == "unknown")
        #expect(table.give(span(50, 100), tat: 100))
        #expect(table.ask(2, at: 0) == "allowed")  // [50, 70)
        #expect(table.held(at: 0) == 30)
        #expect(table.ask(2, at: 75) == "allowed")  // [75, 95); [70, 75) is gone
        #expect(table.held(at: 75) == 5)
        #expect(table.ask(1, at: 75) == "unknown")
        #expect(table.usage(at: 75) == [.init(id: bucketA, used: 4, refused: 0, held: 5)])
        #expect(table.usage(at: 75) == [])
    }

    @Test("the last nanosecond of a span can be spent, the one after it cannot")
    func exactEnd() {
        let table = Holder(capacity: 8)
        #expect(table.give(span(0, 10), tat: 10))
        #expect(table.ask(1, at: 0) == "allowed")
        #expect(table.ask(1, at: 0) == "unknown")
        #expect(table.give(span(20, 30), tat: 30))
        #expect(table.ask(1, at: 21) == "unknown", "the axis may be one past the start, so nine nanoseconds are left")
        #expect(table.ask(0, at: 0) == "unknown", "looking is the owner's business")
    }

    @Test("a refusal is sure: one nanosecond of doubt and the owner is asked")
    func refusing() {
        let table = Holder(capacity: 8)
        #expect(table.give(nil, tat: 500, base: 7))
        // 7 + now + 100 - 30 < 500
        #expect(table.ask(3, at: 422) == "limited")
        #expect(table.ask(3, at: 423) == "unknown")
        #expect(table.ask(10, at: 423) == "limited", "a larger cost can be refused for longer")
        #expect(table.give(nil, tat: 400, base: 7))
        #expect(table.ask(3, at: 422) == "limited", "an older answer does not lower the tat")
        #expect(table.usage(at: 422) == [.init(id: bucketA, used: 0, refused: 3, held: 0)])
    }

    @Test("refusals are counted up to the field's end and not beyond it")
    func refusalsSaturate() {
        let table = Holder(capacity: 8)
        #expect(table.give(nil, tat: 1_000_000))
        for _ in 0..<(Int(UInt16.max) + 10) { #expect(table.ask(1, at: 0) == "limited") }
        #expect(table.usage(at: 0).map(\.refused) == [Int(UInt16.max)])
        #expect(table.ask(1, at: 0) == "limited")
        #expect(table.usage(at: 0).map(\.refused) == [1])
    }

    @Test("tokens are counted up to the field's end and not beyond it")
    func usageSaturates() {
        let table = Holder(capacity: 8)
        #expect(table.give(span(0, 100), tat: 100))
        for _ in 0..<3 {
            guard case .allowed = table.table.decide(bucketA, time: 10, tokens: .max - 1, tolerance: 100, scaled: 0)
            else {
                Issue.record("the span holds ten of these")
                return
            }
        }
        #expect(table.usage(at: 0).map(\.used) == [.max])
    }

    @Test("a span of a dead epoch stays dead when an answer of the next epoch brings a lower bracket but no span")
    func noResurrection() {
        let table = Holder(capacity: 8)
        #expect(table.give(span(100, 200), tat: 200, base: 50, tag: 1))
        // By its own bracket, epoch 1 may be at 210: nothing of its span is left.
        #expect(table.give(nil, tat: 0, base: 0, tag: 2, at: 160))
        #expect(table.ask(1, at: 160) != "allowed", "[160, 170) may lie in the past of the axis it was handed out on")
        #expect(table.held(at: 160) == 0)
    }

    @Test("a lower bracket of the same epoch brings back what the worse one had given up")
    func betterBracket() {
        let table = Holder(capacity: 8)
        #expect(table.give(span(100, 200), tat: 200, base: 50, tag: 1))
        #expect(table.ask(1, at: 160) == "unknown")
        #expect(table.give(nil, tat: 200, base: 0, tag: 1, at: 160))
        #expect(table.ask(1, at: 160) == "allowed")
    }

    @Test("spans of two epochs are each spent by the bracket of their own")
    func twoEpochs() {
        let table = Holder(capacity: 8)
        #expect(table.give(span(100, 120), tat: 120, base: 90, tag: 1))
        #expect(table.give(span(200, 240), tat: 240, base: 0, tag: 2))
        #expect(table.ask(2, at: 0) == "allowed")  // epoch 1: [100, 120)
        #expect(table.ask(1, at: 205) == "allowed")  // epoch 2 at 205, not at 295: [205, 215)
        #expect(table.held(at: 205) == 25)
        #expect(table.usage(at: 205) == [.init(id: bucketA, used: 3, refused: 0, held: 25)])
    }

    @Test("a bucket holds five spans that do not touch, and not six; touching ones are one")
    func spansPerBucket() {
        let table = Holder(capacity: 64)
        for i in 0..<Int64(AllowanceTable.mostSpans) { #expect(table.give(span(100 * i, 100 * i + 50), tat: 0)) }
        #expect(!table.give(span(900, 950), tat: 0))
        #expect(table.held(at: 0) == 250)
        #expect(table.give(span(50, 60), tat: 0), "behind the first one")
        #expect(table.give(span(250, 260), tat: 0), "behind the third one")
        #expect(table.held(at: 0) == 270)
        table.checkInvariants()
        #expect(!table.give(span(900, 950), tat: 0, at: 0))
        #expect(table.give(span(900, 950), tat: 0, at: 160), "the second one is over")
        table.checkInvariants()
    }

    @Test("every token of five scattered spans can be spent, in requests of any size")
    func scatteredSpans() {
        for request in 1...5 as ClosedRange<Int64> {
            let table = Holder(capacity: 64)
            for i in 0..<5 as Range<Int64> { #expect(table.give(span(1000 + 100 * i, 1050 + 100 * i), tat: 0)) }
            var spent: Int64 = 0
            while table.ask(request, at: 0) == "allowed" { spent += request }
            #expect(spent == 5 * (5 / request) * request)
            table.checkInvariants()
            while table.ask(1, at: 0) == "allowed" { spent += 1 }
            #expect(spent == 25)
            #expect(table.usage(at: 0).map(\.used) == [25])
        }
    }

    @Test("the spans behind the records are one pool, whose end is a lost allowance and no trap")
    func poolExhausted() {
        let table = Holder(capacity: 64)  // 16 spans behind
        var kept = 0
        for bucket in 0..<10 as Range<UInt64> {
            for i in 0..<3 as Range<Int64> {
                if table.give(span(100 * i, 100 * i + 50), to: BucketID(high: bucket + 1, low: 0), tat: 0) { kept += 1 }
            }
        }
        #expect(kept == 10 + 16)
        table.checkInvariants()
        table.clear(1 << 20, at: 1000)
        table.checkInvariants()
        #expect(table.count == 0, "idle buckets vanish even if nobody asks for them again")
        #expect(table.give(span(2000, 2010), at: 1000) && table.give(span(2020, 2030), at: 1000))
    }

    @Test("a full table makes room from what says nothing any more, and else loses the allowance")
    func fullTable() {
        let table = Holder(capacity: 6)
        for i in 0..<6 as Range<UInt64> {
            #expect(table.give(span(0, 50), to: BucketID(high: i + 1, low: i << 6), tat: 50))
        }
        let seventh = BucketID(high: 7, low: 0)
        #expect(!table.give(span(0, 50), to: seventh, at: 49))
        #expect(table.ask(1, seventh, at: 49) == "unknown")
        #expect(table.give(span(50, 80), to: seventh, at: 50))
        #expect(table.ask(1, seventh, at: 50) == "allowed")
        table.checkInvariants()
    }

    @Test("nothing that is still to be reported is cleared away, nor what can be spent or refused")
    func clearKeeps() {
        let table = Holder(capacity: 8)
        let (spent, held, refusing, idle) = (
            bucketA, BucketID(high: 2, low: 0), BucketID(high: 3, low: 0), BucketID(high: 4, low: 0)
        )
        #expect(table.give(span(0, 10), to: spent) && table.ask(1, spent, at: 0) == "allowed")
        #expect(
            table.give(span(0, 1000), to: held) && table.give(nil, to: refusing, tat: 1000)
                && table.give(span(0, 10), to: idle))
        table.clear(100, at: 500)
        #expect(table.count == 3)
        #expect(table.usage(at: 500).map(\.used) == [1])
        table.clear(100, at: 500)
        #expect(table.count == 2)
        table.clear(100, at: 1000)
        #expect(table.count == 0)
    }

    @Test("reports of limited size take turns: a busy bucket does not keep another from being reported")
    func reportsAreFair() {
        let table = Holder(capacity: 16)
        for i in 0..<10 as Range<UInt64> {
            #expect(table.give(span(0, 10_000), to: BucketID(high: i + 1, low: i << 6), tat: 0))
            #expect(table.ask(1, BucketID(high: i + 1, low: i << 6), at: 0) == "allowed")
        }
        var reported: [UInt64: Int64] = [:]
        for _ in 0..<10 {
            for usage in table.usage(limit: 3, at: 0) { reported[usage.id.high, default: 0] += usage.used }
            for i in 5..<10 as Range<UInt64> { _ = table.ask(1, BucketID(high: i + 1, low: i << 6), at: 0) }
        }
        #expect(reported.count == 10)
    }

    @Test("everything can be forgotten at once")
    func discardAll() {
        let table = Holder(capacity: 8)
        for i in 0..<4 as Range<Int64> { #expect(table.give(span(100 * i, 100 * i + 50), tat: 1000)) }
        #expect(table.ask(1, at: 0) == "allowed")
        table.table.discardAll()
        table.checkInvariants()
        #expect(table.count == 0 && !table.hasUsage && table.ask(1, at: 0) == "unknown" && table.usage(at: 0) == [])
        #expect(table.give(span(0, 10)) && table.ask(1, at: 0) == "allowed")
        #expect(table.usage(at: 0).map(\.used) == [1])
    }
}

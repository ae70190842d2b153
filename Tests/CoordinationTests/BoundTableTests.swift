import LimiterCore
import Testing

@testable import Coordination

/// The replicated bounds: how far each bucket may have been handed out, in bounded memory.
struct BoundTableTests {
    private func id(_ number: UInt64, class toleranceClass: UInt64 = 30) -> BucketID {
        BucketID(high: number, low: number << 6 | toleranceClass)
    }

    private func time(_ ns: Int64) -> AxisTime { AxisTime(ns: ns) }

    @Test("Bounds rise and never fall, and a bucket without one has none")
    func merge() {
        var table = BoundTable(capacity: 16)
        #expect(table.bound(id(1)) == .never)
        table.raise(id(1), to: time(500), axis: time(100))
        table.raise(id(1), to: time(400), axis: time(100))
        #expect(table.bound(id(1)) == time(500))
        table.raise(id(1), to: time(600), axis: time(100))
        #expect(table.bound(id(1)) == time(600))
        #expect(table.count == 1)
    }

    @Test("A bound at or behind the axis is not worth a place")
    func passed() {
        var table = BoundTable(capacity: 16)
        table.raise(id(1), to: time(100), axis: time(100))
        #expect(table.count == 0)
        table.raise(id(1), to: time(101), axis: time(100))
        #expect(table.count == 1)
        table.dropPassed(time(100))
        #expect(table.count == 1)
        table.dropPassed(time(101))
        #expect(table.count == 0)
    }

    @Test("At its capacity a table knows all; one more, and the fullest quarter becomes a floor for its own class only")
    func capacity() {
        var table = BoundTable(capacity: 16)
        // Half of a burst of class 31 is twice the time of half of one of class 30: the fullest four are two of each.
        for i in 1...16 {
            table.raise(
                id(UInt64(i), class: i % 2 == 0 ? 30 : 31), to: time(Int64(i % 2 == 0 ? 1_000 * i : 2_000 * i)),
                axis: time(0))
        }
        #expect(table.count == 16)
        #expect(table.floors.allSatisfy { $0 == .never })
        table.raise(id(17), to: time(500), axis: time(0))
        #expect(table.count == 13)
        #expect(table.floors[31] == time(6_000))
        #expect(table.floors[30] == time(4_000))
        #expect(table.floors.count { $0 != .never } == 2)
        // Whoever is not in the table counts as handed out up to the floor of its class, but for other classes nothing changes.
        #expect(table.bound(id(99)) == time(4_000))
        #expect(table.bound(id(99, class: 31)) == time(6_000))
        #expect(table.bound(id(99, class: 32)) == .never)
        #expect(table.bound(id(16)) == time(16_000))
        // The one that came last has a lower bound than the floor: the floor counts.
        #expect(table.bound(id(17)) == time(4_000))
    }

    @Test(
        "A drained fast bucket is kept, and slow ones of which little was used make room, though their bounds are further"
    )
    func fastBucketsStay() {
        var table = BoundTable(capacity: 16)
        let axis: Int64 = 1 << 50
        let (fast, day) = (id(1), UInt64(47))
        table.raise(fast, to: time(axis + 1 << 30), axis: time(axis))
        // A tenth of a burst of a day and a half each.
        for i in 2...40 as ClosedRange<UInt64> {
            table.raise(id(i, class: day), to: time(axis + 1 << 44 + Int64(i)), axis: time(axis))
        }
        #expect(table.bound(fast) == time(axis + 1 << 30))
        #expect(table.floors[30] == .never)
        #expect(table.floors[47] != .never)
    }

    @Test("Before anything is forgotten, bounds that the axis has passed make room")
    func passedGoFirst() {
        var table = BoundTable(capacity: 16)
        for i in 1...16 { table.raise(id(UInt64(i)), to: time(Int64(1_000 * i)), axis: time(0)) }
        table.raise(id(17), to: time(50_000), axis: time(4_000))
        #expect(table.count == 13)
        #expect(table.floors.allSatisfy { $0 == .never })
    }

    @Test("A release replaces everything, floors included")
    func replace() {
        var table = BoundTable(capacity: 16)
        for i in 1...17 { table.raise(id(UInt64(i)), to: time(Int64(1_000 * i)), axis: time(0)) }
        var floors = [AxisTime](repeating: .never, count: BucketID.classes)
        floors[12] = time(70)
        table.replace(
            bounds: [Bound(id: id(5), time: time(80)), Bound(id: id(6), time: time(10))], floors: floors, axis: time(20)
        )
        #expect(table.floors == floors)
        #expect(table.sorted(after: .never) == [Bound(id: id(5), time: time(80))])
    }

    @Test("Forgetting never refills: every bound is at least that of a table that forgets nothing", arguments: 0..<10)
    func forgetting(block: Int) {
        for seed in (block * 20)..<(block * 20 + 20) {
            var generator = SplitMix64(seed: UInt64(seed))
            let capacity = 16 + generator.below(20)
            var table = BoundTable(capacity: capacity)
            var twin: [BucketID: AxisTime] = [:]
            var axis = time(0)
            let ids = (1...80).map { id(UInt64($0), class: UInt64(28 + $0 % 4)) }
            for step in 0..<400 {
                axis = axis + generator.within(0...1_000)
                let id = generator.pick(ids)
                let bound = axis + generator.within(-2_000...60_000)
                table.raise(id, to: bound, axis: axis)
                twin[id] = max(twin[id] ?? .never, bound)
                if generator.chance(50) { table.dropPassed(axis) }
                #expect(table.count <= capacity)
                for id in ids {
                    guard let known = twin[id], known > axis, table.bound(id) < known else { continue }
                    Issue.record("seed \(seed), step \(step): \(id) refilled from \(known) to \(table.bound(id))")
                    return
                }
            }
        }
    }

    @Test("What is forgotten depends on the contents and not on how they came about")
    func layout() {
        var generator = SplitMix64(seed: 5)
        let bounds = (1...20).map { Bound(id: id(generator.next() | 1), time: time(Int64($0 / 3) * 100 + 100)) }
        var a = BoundTable(capacity: 20)
        var b = BoundTable(capacity: 20)
        for bound in bounds { a.raise(bound.id, to: bound.time, axis: time(0)) }
        // The same in another order, with detours that leave the slots in another order.
        for bound in bounds.reversed() { b.raise(bound.id, to: bound.time, axis: time(0)) }
        b.replace(bounds: b.sorted(after: .never).reversed(), floors: b.floors, axis: .never)
        a.raise(id(7_777), to: time(9_000), axis: time(0))
        b.raise(id(7_777), to: time(9_000), axis: time(0))
        #expect(a.sorted(after: .never) == b.sorted(after: .never))
        #expect(a.floors == b.floors)
        #expect(a.count == 16)
    }
}

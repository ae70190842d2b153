import LimiterCore
import Testing

/// An identity whose home slot is `home` in every table of up to 2^20 slots.
private func id(home: Int, serial: Int) -> BucketID {
    BucketID(high: UInt64(serial) + 1, low: UInt64(home) << 6 | 30)
}

@Suite("Keyed table")
struct KeyedTableTests {
    @Test("a table takes what it has room for, and nothing beyond", arguments: [1, 2, 5, 6, 7, 12, 13, 100, 1000])
    func capacity(_ capacity: Int) {
        for reserved in [0, capacity] {
            var table = KeyedTable<Int64>(capacity: capacity, reserved: reserved)
            for i in 0..<capacity {
                #expect(table.isFull == false)
                #expect(table.insert(id(home: i * 7, serial: i), Int64(i)) != nil)
            }
            table.checkInvariants()
            #expect(table.isFull == true)
            #expect(table.count == capacity)
            #expect(table.insert(id(home: 3, serial: capacity), 0) == nil)
            #expect(table.find(id(home: 3, serial: capacity)) == nil)
            for i in 0..<capacity { #expect(table.find(id(home: i * 7, serial: i)).map { table[$0] } == Int64(i)) }
            let first = table.find(id(home: 0, serial: 0))
            if let first { table.remove(at: first) }
            #expect(table.isFull == false)
            #expect(table.find(id(home: 0, serial: 0)) == nil)
            #expect(table.insert(id(home: 3, serial: capacity), 5) != nil)
            table.checkInvariants()
            table.removeAll()
            table.checkInvariants()
            #expect(table.count == 0 && table.find(id(home: 3, serial: capacity)) == nil)
        }
    }

    /// How identities are drawn: far apart, or by an adversary who knows the table's layout but not how to make equal ones.
    enum Layout: CaseIterable { case random, oneHome, lastSlots, twoClusters }

    private static func draw(_ layout: Layout, _ random: inout SplitMix64) -> BucketID {
        let serial = random.below(300)
        switch layout {
        case .random: return BucketID(high: UInt64(serial) + 1, low: UInt64(serial) &* 0x9e37_79b9_7f4a_7c15)
        case .oneHome: return id(home: 5, serial: serial)
        case .lastSlots: return id(home: (1 << 20) - 1 - serial % 3, serial: serial)
        case .twoClusters: return id(home: serial % 2 == 0 ? 2 : 4, serial: serial)
        }
    }

    @Test(
        "every insertion, change, removal and sweep agrees with a dictionary", arguments: Layout.allCases,
        0..<12 as Range<UInt64>)
    func twin(layout: Layout, seed: UInt64) {
        var random = SplitMix64(seed: seed)
        let capacity = random.pick([1, 3, 6, 20, 96, 200])
        var table = KeyedTable<Int64>(capacity: capacity, reserved: random.chance(2) ? capacity : 0)
        var twin: [BucketID: Int64] = [:]
        for step in 0..<1500 {
            let id = KeyedTableTests.draw(layout, &random)
            switch random.below(10) {
            case 0...4:
                let value = Int64(step)
                if let at = table.find(id) {
                    #expect(twin[id] == table[at] && table.id(at: at) == id)
                    table[at] = value
                    twin[id] = value
                } else {
                    #expect(twin[id] == nil)
                    let at = table.insert(id, value)
                    #expect((at == nil) == (twin.count == capacity))
                    if let at {
                        #expect(table[at] == value)
                        twin[id] = value
                    }
                }
            case 5...7:
                if let at = table.find(id) {
                    #expect(twin.removeValue(forKey: id) != nil)
                    table.remove(at: at)
                } else {
                    #expect(twin[id] == nil)
                }
            case 8:
                let divisor = random.within(2...5)
                let steps = random.pick([1, 2, 7, 1 << 20])
                var kept: [BucketID: Int64] = [:]
                var removed: [BucketID] = []
                let least = table.sweep(steps) { _, value in
                    -value
                } removing: { id, value in
                    guard value % divisor == 0 else {
                        kept[id] = value
                        return false
                    }
                    removed.append(id)
                    return true
                }
                for id in removed { #expect(twin.removeValue(forKey: id).map { $0 % divisor } == 0) }
                #expect(kept.allSatisfy { twin[$0.key] == $0.value })
                #expect(least?.1 == kept.values.map { -$0 }.min())
                #expect(least.map { twin[$0.0] == -$0.1 } ?? true)
                if steps == 1 << 20 { #expect(kept == twin, "a whole turn of the hand sees everything") }
            default:
                #expect(table.find(id).map { table[$0] } == twin[id])
            }
            table.checkInvariants()
            #expect(table.count == twin.count)
        }
        var all: [BucketID: Int64] = [:]
        table.forEach { all[$0] = $1 }
        #expect(all == twin)
    }

    @Test("small sweeps come round: whatever is due is removed within one turn of the hand")
    func handWraps() {
        var random = SplitMix64(seed: 3)
        for _ in 0..<200 {
            var table = KeyedTable<Int64>(capacity: 48, reserved: 48)  // 64 slots
            for i in 0..<48 { _ = table.insert(id(home: random.pick([0, 60, 62, 63]), serial: i), Int64(i % 2)) }
            for _ in 0..<random.below(64) { _ = table.sweep(1) { _, _ in false } }
            for _ in 0..<16 { _ = table.sweep(4) { _, value in value == 1 } }
            #expect(table.count == 24)
            table.checkInvariants()
        }
    }

    @Test("a sweep without a rank names nothing to forget, and one over an empty table sees nothing")
    func rankless() {
        var table = KeyedTable<Int64>(capacity: 8)
        #expect(table.sweep(100, rank: { _, value in value }, removing: { _, _ in false }) == nil)
        _ = table.insert(id(home: 1, serial: 1), 5)
        #expect(table.sweep(100) { _, _ in false } == nil)
        #expect(table.sweep(0, rank: { _, value in value }, removing: { _, _ in false }) == nil)
        let least = table.sweep(100, rank: { _, value in value }, removing: { _, _ in false })
        #expect(least?.0 == id(home: 1, serial: 1) && least?.1 == 5)
    }

    @Test("the order of a walk depends on the operations only")
    func deterministicOrder() {
        func walk() -> [BucketID] {
            var random = SplitMix64(seed: 8)
            var table = KeyedTable<Int64>(capacity: 100)
            for i in 0..<100 { _ = table.insert(BucketID(high: random.next(), low: random.next()), Int64(i)) }
            var order: [BucketID] = []
            table.forEach { id, _ in order.append(id) }
            return order
        }
        #expect(walk() == walk())
    }
}

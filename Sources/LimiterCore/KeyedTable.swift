/// A hash table of bounded capacity from bucket identities to small plain values.
///
/// Open addressing with linear probing and backward-shift removal: no tombstones, one cache line for most look-ups. The keys
/// are keyed hashes already, so they are used as they are. It holds at most `capacity` values at three quarters full; whether
/// its memory is taken at once or by doubling is the caller's choice, and so is what to do when it is full (see
/// ``sweep(_:removing:)``).
public struct KeyedTable<Value: BitwiseCopyable>: ~Copyable {
    @usableFromInline
    struct Slot {
        @usableFromInline var id: BucketID
        @usableFromInline var value: Value

        @inlinable init(id: BucketID, value: Value) {
            self.id = id
            self.value = value
        }
    }

    /// An empty slot has an `id.high` of 0, which no identity has.
    @usableFromInline var slots: UnsafeMutablePointer<Slot>
    @usableFromInline var mask: Int
    /// Where the next sweep starts.
    @usableFromInline var hand = 0

    /// How many values are in the table.
    @usableFromInline var used = 0
    @inlinable public var count: Int { used }

    /// How many values fit.
    public let capacity: Int

    /// An empty table for at most `capacity` values, from 1 upwards, with room for `reserved` of them from the start.
    public init(capacity: Int, reserved: Int = 0) {
        precondition(capacity >= 1, "a table needs room for at least one value")
        self.capacity = capacity
        let size = KeyedTable.slotCount(for: min(capacity, max(reserved, 6)))
        mask = size - 1
        slots = KeyedTable.emptySlots(size)
    }

    deinit { UnsafeMutableRawPointer(slots).deallocate() }

    private static func slotCount(for values: Int) -> Int {
        var size = 8
        while size / 4 * 3 < values { size *= 2 }
        return size
    }

    @usableFromInline
    static func emptySlots(_ size: Int) -> UnsafeMutablePointer<Slot> {
        let bytes = size * MemoryLayout<Slot>.stride
        let raw = UnsafeMutableRawPointer.allocate(byteCount: bytes, alignment: 64)
        raw.initializeMemory(as: UInt8.self, repeating: 0, count: bytes)
        return raw.bindMemory(to: Slot.self, capacity: size)
    }

    @inlinable public var isFull: Bool { count >= capacity }

    @inlinable @inline(__always)
    func home(_ id: BucketID) -> Int { Int(truncatingIfNeeded: id.low >> 6) & mask }

    /// The position of `id`, or nil. Positions are valid until the next insertion, removal or sweep.
    @inlinable @inline(__always)
    public func find(_ id: BucketID) -> Int? {
        var i = home(id)
        while true {
            let there = slots[i].id
            if there == id { return i }
            if there.high == 0 { return nil }
            i = (i &+ 1) & mask
        }
    }

    /// The value at a position that ``find(_:)`` or ``insert(_:_:)`` returned.
    @inlinable
    public subscript(position: Int) -> Value {
        @inline(__always) get { slots[position].value }
        @inline(__always) _modify { yield &slots[position].value }
    }

    /// The identity at a position.
    public func id(at position: Int) -> BucketID { slots[position].id }

    /// Adds a value that is not in the table yet, and returns its position; nil if the table is full.
    @inlinable
    public mutating func insert(_ id: BucketID, _ value: Value) -> Int? {
        guard count < capacity else { return nil }
        if count >= (mask + 1) / 4 * 3 { grow() }
        used += 1
        return place(id, value)
    }

    @inlinable
    mutating func place(_ id: BucketID, _ value: Value) -> Int {
        var i = home(id)
        while slots[i].id.high != 0 {
            precondition(slots[i].id != id, "the identity \(id) is in the table already")
            i = (i + 1) & mask
        }
        slots[i] = Slot(id: id, value: value)
        return i
    }

    @inlinable
    mutating func grow() {
        let old = slots
        let size = mask + 1
        slots = KeyedTable.emptySlots(size * 2)
        mask = size * 2 - 1
        for i in 0..<size where old[i].id.high != 0 { _ = place(old[i].id, old[i].value) }
        UnsafeMutableRawPointer(old).deallocate()
    }

    /// Removes what stands at a position; whatever had to probe past it moves one step nearer to its home.
    @inlinable
    public mutating func remove(at position: Int) {
        var hole = position
        var i = (hole + 1) & mask
        while slots[i].id.high != 0 {
            // May the value at i stand in the hole? Only if its home is not strictly between the hole and i.
            if (i - home(slots[i].id)) & mask >= (i - hole) & mask {
                slots[hole] = slots[i]
                hole = i
            }
            i = (i + 1) & mask
        }
        slots[hole].id = .none
        used -= 1
    }

    /// Walks over the next `steps` slots from where the last sweep ended, and removes what `removing` says.
    ///
    /// Returns the identity and the `rank` of the remaining value with the least one among those that were seen and not removed,
    /// so that a full table can forget it; nil if none was seen. Cost: `steps`, whatever the size of the table.
    @inlinable
    public mutating func sweep(
        _ steps: Int, rank: (BucketID, Value) -> Int64? = { _, _ in nil }, removing: (BucketID, Value) -> Bool
    ) -> (BucketID, Int64)? {
        guard count > 0 else { return nil }
        var least: (BucketID, Int64)?
        var left = min(steps, mask + 1)
        while left > 0 {
            left -= 1
            hand = (hand + 1) & mask
            // A removal may shift another value into the hand's slot: look at it again.
            while slots[hand].id.high != 0, removing(slots[hand].id, slots[hand].value) { remove(at: hand) }
            guard slots[hand].id.high != 0, let value = rank(slots[hand].id, slots[hand].value) else { continue }
            if least == nil || value < least!.1 { least = (slots[hand].id, value) }
        }
        return least
    }

    /// Removes everything.
    public mutating func removeAll() {
        for i in 0...mask { slots[i].id = .none }
        used = 0
    }

    /// Calls `body` with each identity and value, in the order of their slots: the same for the same operations.
    @inlinable
    public func forEach(_ body: (BucketID, Value) -> Void) {
        for i in 0...mask where slots[i].id.high != 0 { body(slots[i].id, slots[i].value) }
    }

    /// Traps unless every value can be found from its home and the count is right; for tests.
    package func checkInvariants() {
        var seen = 0
        for i in 0...mask where slots[i].id.high != 0 {
            seen += 1
            precondition(find(slots[i].id) == i, "\(slots[i].id) cannot be found")
        }
        precondition(seen == count, "\(seen) values, but a count of \(count)")
        precondition(count <= capacity, "\(count) values in a table for \(capacity)")
    }
}

extension KeyedTable: @unchecked Sendable where Value: Sendable {
    // The slots are owned by this one value, which cannot be copied.
}

import LimiterCore

extension RangeID {
    /// The range's place in a mask.
    var bit: UInt64 { 1 << UInt64(rawValue) }
}

/// The ranges of a mask, in ascending order.
struct RangeMask: Sequence, IteratorProtocol {
    private var mask: UInt64
    /// What follows when the end is reached.
    private var wrapped: UInt64 = 0

    init(_ mask: UInt64) { self.mask = mask }

    /// Those before `start` come last.
    init(_ mask: UInt64, from start: RangeID) {
        wrapped = mask & (start.bit - 1)
        self.mask = mask ^ wrapped
    }

    mutating func next() -> RangeID? {
        if mask == 0 { swap(&mask, &wrapped) }
        guard mask != 0 else { return nil }
        defer { mask &= mask - 1 }
        return RangeID(mask.trailingZeroBitCount)
    }
}

/// One value for each of the 64 ranges, also where values cannot be copied.
struct RangeMap<Element: ~Copyable>: ~Copyable {
    private let elements: UnsafeMutablePointer<Element>

    init(_ make: (RangeID) -> Element) {
        elements = .allocate(capacity: RangeID.count)
        for i in 0..<RangeID.count { (elements + i).initialize(to: make(RangeID(i))) }
    }

    deinit {
        elements.deinitialize(count: RangeID.count)
        elements.deallocate()
    }

    subscript(range: RangeID) -> Element {
        _read { yield elements[range.index] }
        _modify { yield &elements[range.index] }
    }
}

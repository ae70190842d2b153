import LimiterCore

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

/// Events in the order of (time, sequence): of two at the same time the one that was pushed first comes first.
///
/// Inlinable, so that other modules get it made for their own events: unspecialised it costs several times as much. The heap holds
/// places of events, not events: those are large, and moving one costs the counting of its references.
package struct EventHeap<Event> {
    @usableFromInline
    struct Item {
        @usableFromInline var time: Int64
        @usableFromInline var sequence: UInt64
        @usableFromInline var place: Int

        @inlinable
        init(time: Int64, sequence: UInt64, place: Int) {
            self.time = time
            self.sequence = sequence
            self.place = place
        }

        @inlinable
        func isBefore(_ other: Item) -> Bool { time != other.time ? time < other.time : sequence < other.sequence }
    }

    @usableFromInline var items: [Item] = []
    @usableFromInline var events: [Event?] = []
    @usableFromInline var free: [Int] = []
    @usableFromInline var nextSequence: UInt64 = 0

    @inlinable
    package init() {}

    /// How many events are due.
    @inlinable package var count: Int { items.count }

    /// When the first event is due.
    @inlinable package var firstTime: Int64? { items.first?.time }

    @inlinable
    package mutating func push(_ event: Event, at time: Int64) {
        let place: Int
        if let known = free.popLast() {
            place = known
            events[place] = event
        } else {
            place = events.count
            events.append(event)
        }
        let item = Item(time: time, sequence: nextSequence, place: place)
        nextSequence += 1
        items.append(item)
        items.withUnsafeMutableBufferPointer { items in
            // The hole goes up to where the item belongs.
            var hole = items.count - 1
            while hole > 0 {
                let parent = (hole - 1) / 2
                guard item.isBefore(items[parent]) else { break }
                items[hole] = items[parent]
                hole = parent
            }
            items[hole] = item
        }
    }

    /// The first event; traps if there is none.
    @inlinable
    package mutating func pop() -> Event {
        let first = items[0].place
        let event = events[first].take()!
        free.append(first)
        let last = items.removeLast()
        guard !items.isEmpty else { return event }
        items.withUnsafeMutableBufferPointer { items in
            var hole = 0
            while true {
                var child = 2 * hole + 1
                guard child < items.count else { break }
                if child + 1 < items.count, items[child + 1].isBefore(items[child]) { child += 1 }
                guard items[child].isBefore(last) else { break }
                items[hole] = items[child]
                hole = child
            }
            items[hole] = last
        }
        return event
    }
}

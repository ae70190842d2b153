import Synchronization

/// A bounded queue for work that was refused and is to be done later, at lower priority: in memory, and on disk beyond that.
///
/// Whoever is refused puts its work in; somebody takes it out again when there is room, first come, first served. What happens when it is
/// full is chosen when it is made. Safe from any thread; each element is handed out once.
///
/// ```swift
/// let later = ReplayQueue<Email>(capacity: 10_000, whenFull: .refuse)
/// // Where a request is refused:
/// try later.put(email)
/// // In a task of its own, at low priority:
/// for await email in later {
///     _ = try await client.tryAcquire("mail", key: "all", retrying: Backoff(), limits: .init(attempts: 1_000, time: .seconds(3600)))
///     try await send(email)
/// }
/// ```
public final class ReplayQueue<Element: Sendable>: AsyncSequence, Sendable {
    /// What happens to one element more than there is room for.
    public enum WhenFull: Sendable, Hashable {
        /// ``put(_:)`` throws, and the caller keeps its work.
        case refuse
        /// The oldest element makes way; it is counted in ``dropped``.
        case dropOldest
        /// The new one is dropped, and counted in ``dropped``.
        case dropNewest
    }

    /// The queue is full, or its disk cannot be written.
    public struct Refused: Error, Equatable, Sendable, CustomStringConvertible {
        public var description: String
    }

    /// How elements become bytes, for those that go to disk.
    public struct Spill: Sendable {
        let path: String
        let mostBytes: Int
        let encode: @Sendable (Element) throws -> [UInt8]
        let decode: @Sendable ([UInt8]) throws -> Element

        /// Elements beyond the queue's capacity go to the file at `path`, of at most `mostBytes`. What an earlier process left there is
        /// handed out first; an element may then be handed out twice, if that process died just as it was done.
        public init(
            path: String, mostBytes: Int, encode: @escaping @Sendable (Element) throws -> [UInt8],
            decode: @escaping @Sendable ([UInt8]) throws -> Element
        ) {
            self.path = path
            self.mostBytes = mostBytes
            self.encode = encode
            self.decode = decode
        }
    }

    private struct State {
        /// The oldest elements, unless some lie on disk that are older: then those come first.
        var memory: [Element] = []
        var head = 0
        var file: SpillFile?
        var waiting: [(number: UInt64, continuation: CheckedContinuation<Element?, Never>)] = []
        var nextNumber: UInt64 = 0
        var cancelled: Set<UInt64> = []
        var dropped = 0
        var isFinished = false

        var memoryCount: Int { memory.count - head }
    }

    private let capacity: Int
    private let whenFull: WhenFull
    private let spill: Spill?
    private let state: Mutex<State>

    /// A queue of at most `capacity` elements in memory.
    public init(capacity: Int, whenFull: WhenFull) {
        precondition(capacity >= 1, "a queue needs room for at least one element")
        self.capacity = capacity
        self.whenFull = whenFull
        spill = nil
        state = Mutex(State())
    }

    /// A queue of at most `capacity` elements in memory, and more on disk. Throws if the file cannot be used.
    public init(capacity: Int, spill: Spill, whenFull: WhenFull) throws {
        precondition(capacity >= 1, "a queue needs room for at least one element")
        self.capacity = capacity
        self.whenFull = whenFull
        self.spill = spill
        var state = State()
        do { state.file = try SpillFile(path: spill.path, mostBytes: spill.mostBytes) } catch {
            throw Refused(description: "\(error)")
        }
        self.state = Mutex(state)
    }

    /// Elements that wait.
    public var count: Int { state.withLock { $0.memoryCount + ($0.file?.count ?? 0) } }
    /// Elements that made way for others.
    public var dropped: Int { state.withLock { $0.dropped } }

    /// Puts an element at the end. Throws ``Refused`` if there is no room and the queue refuses, or after ``finish()``.
    public func put(_ element: Element) throws {
        let taker: CheckedContinuation<Element?, Never>? = try state.withLock { state in
            if state.isFinished {
                throw Refused(description: "the queue has been finished: nothing takes from it any more")
            }
            if !state.waiting.isEmpty { return state.waiting.removeFirst().continuation }
            // What goes to disk is newer than what is in memory, and older than what comes after: as long as anything lies there, all
            // that is new goes there, too.
            if state.file?.count ?? 0 == 0, state.memoryCount < capacity {
                state.memory.append(element)
                return nil
            }
            if let spill, state.file != nil {
                let bytes = try spill.encode(element)
                if try state.file!.append(bytes) { return nil }
            }
            try full(element, &state)
            return nil
        }
        taker?.resume(returning: element)
    }

    private func full(_ element: Element, _ state: inout State) throws {
        switch whenFull {
        case .refuse:
            throw Refused(
                description:
                    "the queue is full with \(state.memoryCount + (state.file?.count ?? 0)) elements: try later, or do "
                    + "without")
        case .dropNewest:
            state.dropped += 1
        case .dropOldest:
            state.dropped += 1
            _ = try take(&state)
            guard let spill, state.file != nil else {
                state.memory.append(element)
                return
            }
            // The oldest on disk comes up, so that there is room behind it.
            if state.memoryCount < capacity, let bytes = try state.file!.take() {
                state.memory.append(try spill.decode(bytes))
            }
            if try !state.file!.append(spill.encode(element)) { state.dropped += 1 }
        }
    }

    private func take(_ state: inout State) throws -> Element? {
        if state.memoryCount > 0 {
            defer {
                state.head += 1
                if state.head > 64, state.head * 2 > state.memory.count {
                    state.memory.removeFirst(state.head)
                    state.head = 0
                }
            }
            return state.memory[state.head]
        }
        guard let spill, let bytes = try state.file?.take() else { return nil }
        return try spill.decode(bytes)
    }

    /// No more elements will be put in; iteration ends once the last one is out.
    public func finish() {
        let waiting = state.withLock { state in
            state.isFinished = true
            defer { state.waiting = [] }
            return state.waiting
        }
        for (_, continuation) in waiting { continuation.resume(returning: nil) }
    }

    /// The oldest element, without waiting; nil if there is none. Throws if the disk cannot be read.
    public func take() throws -> Element? { try state.withLock { try take(&$0) } }

    /// The oldest element; waits for one. Nil if the task is cancelled, or the queue is finished and empty. An element that cannot be
    /// read from disk any more is passed over, and counted in ``dropped``.
    public func next() async -> Element? {
        let number = state.withLock { state in
            defer { state.nextNumber += 1 }
            return state.nextNumber
        }
        // A cancellation that comes too late must not be remembered.
        defer { state.withLock { _ = $0.cancelled.remove(number) } }
        return await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let (isReady, element): (Bool, Element?) = state.withLock { state in
                    if state.cancelled.remove(number) != nil { return (true, nil) }
                    while true {
                        do {
                            if let element = try take(&state) { return (true, element) }
                            break
                        } catch { state.dropped += 1 }
                    }
                    if state.isFinished { return (true, nil) }
                    state.waiting.append((number, continuation))
                    return (false, nil)
                }
                if isReady { continuation.resume(returning: element) }
            }
        } onCancel: {
            let waiting: CheckedContinuation<Element?, Never>? = state.withLock { state in
                guard let at = state.waiting.firstIndex(where: { $0.number == number }) else {
                    state.cancelled.insert(number)
                    return nil
                }
                return state.waiting.remove(at: at).continuation
            }
            waiting?.resume(returning: nil)
        }
    }

    /// Hands out the elements, one at a time; several iterators share them.
    public struct AsyncIterator: AsyncIteratorProtocol {
        fileprivate let queue: ReplayQueue

        /// The next element; nil at the end.
        public mutating func next() async -> Element? { await queue.next() }
    }

    /// An iterator; elements that it hands out are gone from the queue.
    public func makeAsyncIterator() -> AsyncIterator { AsyncIterator(queue: self) }
}

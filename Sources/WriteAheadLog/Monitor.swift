import Glibc

/// A value behind a lock that threads can wait on until it changes.
///
/// The standard library's `Mutex` has nothing to wait on, hence POSIX's mutex and condition variable.
final class Monitor<State: ~Copyable>: @unchecked Sendable {
    // `@unchecked Sendable`: `state` is only touched in `withLock` and `wait`, which hold the mutex; the pointers never
    // change, and what they point to is made for use by many threads.
    private let mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
    private let condition = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)
    private var state: State

    init(_ state: consuming sending State) {
        self.state = state
        let made = pthread_mutex_init(mutex, nil) == 0 && pthread_cond_init(condition, nil) == 0
        precondition(made, "the system has no room for a mutex")
    }

    deinit {
        pthread_cond_destroy(condition)
        pthread_mutex_destroy(mutex)
        condition.deallocate()
        mutex.deallocate()
    }

    /// Runs `body` with the value and wakes all that wait, to look at it again.
    func withLock<Result>(_ body: (inout State) -> Result) -> Result {
        pthread_mutex_lock(mutex)
        defer {
            pthread_cond_broadcast(condition)
            pthread_mutex_unlock(mutex)
        }
        return body(&state)
    }

    /// Runs `body` whenever the value may have changed, until it returns something.
    func wait<Result>(_ body: (inout State) -> Result?) -> Result {
        pthread_mutex_lock(mutex)
        defer { pthread_mutex_unlock(mutex) }
        while true {
            if let result = body(&state) { return result }
            pthread_cond_wait(condition, mutex)
        }
    }
}

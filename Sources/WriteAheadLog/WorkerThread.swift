import Glibc

/// One thread of our own. The log blocks in `fdatasync`, which the threads of Swift's tasks and of event loops must not.
struct WorkerThread: Sendable {
    private let handle: pthread_t

    /// Runs `body` on a new thread. No signal is delivered to it.
    ///
    /// - Parameter name: at most 15 bytes, for `top` and debuggers.
    init(name: String, _ body: @escaping @Sendable () -> Void) {
        final class Box: Sendable {
            let body: @Sendable () -> Void

            init(_ body: @escaping @Sendable () -> Void) { self.body = body }
        }

        var all = sigset_t()
        var previous = sigset_t()
        sigfillset(&all)
        pthread_sigmask(SIG_SETMASK, &all, &previous)
        defer { pthread_sigmask(SIG_SETMASK, &previous, nil) }
        var handle = pthread_t()
        let result = pthread_create(
            &handle, nil,
            { box in
                Unmanaged<Box>.fromOpaque(box!).takeRetainedValue().body()
                return nil
            },
            Unmanaged.passRetained(
                Box {
                    Self.setName(name)
                    body()
                }
            ).toOpaque())
        precondition(result == 0, "the system has no room for a thread (\(result))")
        self.handle = handle
    }

    /// `pthread_setname_np` is a GNU extension that Swift's Glibc module leaves out; the kernel offers the same as a file.
    private static func setName(_ name: String) {
        let file = open("/proc/thread-self/comm", O_WRONLY | O_CLOEXEC)
        guard file >= 0 else { return }
        _ = write(file, name, name.utf8.count)
        close(file)
    }

    /// Whether the caller runs on this thread.
    var isCurrent: Bool { pthread_equal(handle, pthread_self()) != 0 }

    /// Waits for the thread's end. To be called once, unless ``detach()`` is.
    func join() { pthread_join(handle, nil) }

    /// Leaves the thread to itself.
    func detach() { pthread_detach(handle) }
}

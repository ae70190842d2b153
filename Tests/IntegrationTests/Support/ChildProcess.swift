import Glibc
import Synchronization

/// A process that cannot outlive the test: a watchdog kills it even if the test process is killed itself.
final class ChildProcess: Sendable {
    /// How a process ended.
    enum End: Equatable, Sendable {
        case exited(Int32)
        case signalled(Int32)
    }

    let pid: pid_t
    private let end = Mutex<End?>(nil)

    /// Starts a program; standard output and standard error go to files, standard input is empty.
    ///
    /// Variables that would configure a node by themselves are taken out of its environment, and `environment` is added.
    init(
        _ executable: String, _ arguments: [String], environment: [String: String] = [:], output: String, errors: String
    ) throws {
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
        posix_spawn_file_actions_addopen(&actions, 1, output, O_WRONLY | O_CREAT | O_APPEND, 0o644)
        if errors == output {
            posix_spawn_file_actions_adddup2(&actions, 1, 2)
        } else {
            posix_spawn_file_actions_addopen(&actions, 2, errors, O_WRONLY | O_CREAT | O_APPEND, 0o644)
        }
        closeOnSpawn()
        var argv: [UnsafeMutablePointer<CChar>?] = ([executable] + arguments).map { strdup($0) } + [nil]
        defer { for argument in argv { free(argument) } }
        let added = environment.map { "\($0)=\($1)" }.sorted()
        let inherited = ChildProcess.inheritedEnvironment.filter { line in
            !environment.keys.contains { line.hasPrefix($0 + "=") }
        }
        var variables: [UnsafeMutablePointer<CChar>?] = (inherited + added).map { strdup($0) } + [nil]
        defer { for variable in variables { free(variable) } }
        var pid: pid_t = 0
        let result = posix_spawn(&pid, executable, &actions, nil, &argv, &variables)
        guard result == 0 else {
            throw HarnessError("cannot start \(executable): \(String(cString: strerror(result)))")
        }
        self.pid = pid
        Watchdog.shared?.watch(pid)
    }

    deinit { destroy() }

    private static let inheritedEnvironment: [String] = {
        var found: [String] = []
        var next = environ
        while let variable = next.pointee {
            let text = String(cString: variable)
            if !text.hasPrefix("MILLRACE_") { found.append(text) }
            next += 1
        }
        return found
    }()

    /// Sends a signal, unless the process has ended (its number may be somebody else's by now).
    func send(_ signal: Int32) {
        end.withLock { end in
            reap(&end)
            if end == nil { kill(pid, signal) }
        }
    }

    /// How the process ended; nil while it runs.
    var ended: End? {
        end.withLock { end in
            reap(&end)
            return end
        }
    }

    /// Waits for the end; nil if it does not come in time.
    func wait(upTo seconds: Double) -> End? {
        _ = eventually(within: seconds, every: 0.005) { ended != nil }
        return ended
    }

    /// Kills the process, if it still runs, and waits until it is gone.
    func destroy() {
        send(SIGKILL)
        _ = wait(upTo: 30)
    }

    private func reap(_ end: inout End?) {
        guard end == nil else { return }
        var status: Int32 = 0
        guard waitpid(pid, &status, WNOHANG) == pid else { return }
        Watchdog.shared?.forget(pid)
        end = status & 0x7f == 0 ? .exited((status >> 8) & 0xff) : .signalled(status & 0x7f)
    }
}

/// A shell that is told of every child; when the pipe to it closes, whatever the reason, it kills those that are left.
private final class Watchdog: Sendable {
    static let shared = Watchdog()

    private let pipe: Int32

    private static let script = """
        trap '' INT TERM HUP
        pids=' '
        while read -r verb pid; do
            case $verb in
            watch) pids="$pids$pid " ;;
            forget) case $pids in *" $pid "*) pids="${pids%%" $pid "*} ${pids#*" $pid "}" ;; esac ;;
            esac
        done
        [ "$pids" = ' ' ] || kill -9 $pids 2>/dev/null
        """

    private init?() {
        var ends: [Int32] = [0, 0]
        guard Glibc.pipe(&ends) == 0 else { return nil }
        defer { close(ends[0]) }
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_adddup2(&actions, ends[0], 0)
        posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0)
        posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0)
        closeOnSpawn()
        var argv: [UnsafeMutablePointer<CChar>?] =
            ["/bin/sh", "-c", Watchdog.script].map { (word: String) in strdup(word) } + [nil]
        defer { for argument in argv { free(argument) } }
        var pid: pid_t = 0
        guard posix_spawn(&pid, "/bin/sh", &actions, nil, &argv, environ) == 0 else { return nil }
        pipe = ends[1]
    }

    func watch(_ pid: pid_t) { tell("watch \(pid)\n") }
    func forget(_ pid: pid_t) { tell("forget \(pid)\n") }

    /// One short write to a pipe is not split or mixed with others.
    private func tell(_ line: String) {
        _ = line.withCString { Glibc.write(pipe, $0, strlen($0)) }
    }
}

/// Keeps a new process from inheriting what this one has open: other tests may hold sockets that are not the child's business, and a
/// watchdog's pipe must end with this process.
private func closeOnSpawn() {
    for descriptor in 3..<Int32(1024) where fcntl(descriptor, F_GETFD) >= 0 {
        _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC)
    }
}

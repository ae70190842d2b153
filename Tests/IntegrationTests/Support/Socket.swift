import Glibc

/// A TCP connection to a port of this machine, for one thread.
final class Socket {
    let descriptor: Int32

    /// Connects; reads and writes then fail after `timeout` seconds without progress.
    init(port: Int, timeout: Double = 10) throws {
        descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        guard descriptor >= 0 else { throw HarnessError("no socket: \(Socket.lastError)") }
        var limit = timeval(tv_sec: Int(timeout), tv_usec: Int((timeout - timeout.rounded(.down)) * 1e6))
        setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
        setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
        var on: Int32 = 1
        setsockopt(descriptor, Int32(IPPROTO_TCP), TCP_NODELAY, &on, socklen_t(MemoryLayout<Int32>.size))
        var address = Socket.loopback(port)
        let result = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                Glibc.connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        // `deinit` closes it, since everything is initialised.
        guard result == 0 else { throw HarnessError("cannot connect to port \(port): \(Socket.lastError)") }
    }

    deinit { close(descriptor) }

    static var lastError: String { String(cString: strerror(errno)) }

    static func loopback(_ port: Int) -> sockaddr_in {
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = in_port_t(port).bigEndian
        address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
        return address
    }

    func write(_ bytes: [UInt8]) throws {
        var written = 0
        while written < bytes.count {
            let n = bytes.withUnsafeBytes {
                send(descriptor, $0.baseAddress! + written, bytes.count - written, Int32(MSG_NOSIGNAL))
            }
            guard n > 0 else { throw HarnessError("cannot write: \(Socket.lastError)") }
            written += n
        }
    }

    /// Says that nothing more will be written; answers can still be read.
    func finishWriting() { shutdown(descriptor, Int32(SHUT_WR)) }

    /// Adds what has come to `buffer`; false at the end of the stream. Throws when nothing comes in time.
    func read(into buffer: inout [UInt8]) throws -> Bool {
        var chunk = [UInt8](repeating: 0, count: 16_384)
        let n = recv(descriptor, &chunk, chunk.count, 0)
        if n < 0 { throw HarnessError("cannot read: \(Socket.lastError)") }
        buffer += chunk[..<n]
        return n > 0
    }

    /// Everything until the other side closes.
    func readToEnd() throws -> [UInt8] {
        var buffer: [UInt8] = []
        while try read(into: &buffer) {}
        return buffer
    }
}

/// Ports that nobody listens on, below those that the kernel gives to outgoing connections, so that none is lost in between.
enum FreePorts {
    private static let range = 18_000..<31_000

    static func take(_ count: Int) throws -> [Int] {
        var found: [Int] = []
        for _ in 0..<10_000 where found.count < count {
            let port = Int.random(in: range)
            if !found.contains(port), isFree(port) { found.append(port) }
        }
        guard found.count == count else { throw HarnessError("no \(count) free ports from \(range)") }
        return found
    }

    private static func isFree(_ port: Int) -> Bool {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        defer { close(descriptor) }
        var address = Socket.loopback(port)
        return withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size)) == 0
            }
        }
    }
}

/// Keeps a port of this machine busy, until ``stop()``.
struct Listener: ~Copyable {
    private let descriptor: Int32

    init(port: Int) throws {
        descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        var on: Int32 = 1
        setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &on, socklen_t(MemoryLayout<Int32>.size))
        var address = Socket.loopback(port)
        let result = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        guard result == 0, listen(descriptor, 1) == 0 else {
            throw HarnessError("cannot listen on port \(port): \(Socket.lastError)")
        }
    }

    consuming func stop() {}

    deinit { close(descriptor) }
}

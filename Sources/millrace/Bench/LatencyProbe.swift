import Foundation

/// One connection that asks one thing at a time, blocking, on a thread of its own: what a caller waits.
struct LatencyProbe: ~Copyable {
    private let descriptor: Int32

    init(port: Int) throws {
        descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = in_port_t(port).bigEndian
        address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
        var on: Int32 = 1
        setsockopt(descriptor, Int32(IPPROTO_TCP), TCP_NODELAY, &on, socklen_t(MemoryLayout<Int32>.size))
        var limit = timeval(tv_sec: 5, tv_usec: 0)
        setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
        let result = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        guard result == 0 else { throw POSIXError(.init(rawValue: errno) ?? .ECONNREFUSED) }
    }

    deinit { close(descriptor) }

    /// Microseconds until the answer to each command of `lines` lines had come; the median.
    func median(of commands: [[UInt8]], lines: Int) throws -> Double {
        var times: [Double] = []
        for command in commands {
            let start = DispatchTime.now().uptimeNanoseconds
            guard command.withUnsafeBytes({ send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }) > 0
            else {
                throw POSIXError(.EPIPE)
            }
            var left = lines
            var buffer = [UInt8](repeating: 0, count: 1024)
            while left > 0 {
                let count = recv(descriptor, &buffer, buffer.count, 0)
                guard count > 0 else { throw POSIXError(.ECONNRESET) }
                left -= buffer[..<count].count { $0 == UInt8(ascii: "\n") }
                // An error is one line.
                if buffer[0] == UInt8(ascii: "-") { left = 0 }
            }
            times.append(Double(DispatchTime.now().uptimeNanoseconds - start) / 1e3)
        }
        return millrace.median(times)
    }
}

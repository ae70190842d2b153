import Foundation

/// One HTTP/1.1 request on a connection of its own.
struct HTTPAnswer {
    var status: Int
    /// Names in lower case.
    var headers: [String: String]
    var body: String

    /// The body as a JSON object; empty if it is none.
    var json: [String: Any] { (try? JSONSerialization.jsonObject(with: Data(body.utf8))) as? [String: Any] ?? [:] }
}

enum HTTPCall {
    static func send(
        _ method: String, _ path: String, port: Int, headers: [String: String] = [:], body: String? = nil,
        timeout: Double = 10
    ) throws -> HTTPAnswer {
        var text = "\(method) \(path) HTTP/1.1\r\nHost: 127.0.0.1:\(port)\r\nConnection: close\r\n"
        for (name, value) in headers { text += "\(name): \(value)\r\n" }
        if let body { text += "Content-Type: application/json\r\nContent-Length: \(body.utf8.count)\r\n" }
        return try raw(Array((text + "\r\n" + (body ?? "")).utf8), port: port, timeout: timeout)
    }

    /// Sends any bytes and reads what comes back until the node closes the connection.
    static func raw(_ bytes: [UInt8], port: Int, timeout: Double = 10) throws -> HTTPAnswer {
        let socket = try Socket(port: port, timeout: timeout)
        try socket.write(bytes)
        let text = String(decoding: try socket.readToEnd(), as: UTF8.self)
        guard let end = text.range(of: "\r\n\r\n") else {
            throw HarnessError("no HTTP answer but '\(text.prefix(200))'")
        }
        let lines = text[..<end.lowerBound].components(separatedBy: "\r\n")
        guard let status = lines[0].split(separator: " ").dropFirst().first.flatMap({ Int($0) }) else {
            throw HarnessError("'\(lines[0])' is no status line")
        }
        var headers: [String: String] = [:]
        for line in lines.dropFirst() {
            guard let colon = line.firstIndex(of: ":") else { continue }
            headers[line[..<colon].lowercased()] = line[line.index(after: colon)...].trimmingCharacters(
                in: .whitespaces)
        }
        return HTTPAnswer(status: status, headers: headers, body: String(text[end.upperBound...]))
    }
}

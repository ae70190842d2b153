import Foundation
import HTTPFrontend
import MillraceServer

#if canImport(FoundationNetworking)
    import FoundationNetworking
#endif

/// Talks to a node's HTTP front door for the commands that look at a cluster or change its rules.
struct HTTPClient {
    let address: Address
    let token: String?

    /// The node at `HOST:PORT`; the token comes from `MILLRACE_TOKEN`.
    init(_ address: String) throws {
        self.address = try Address(address)
        token = ProcessInfo.processInfo.environment["MILLRACE_TOKEN"]
    }

    /// How long an answer may take.
    private static let timeout: TimeInterval = 10

    func send(_ method: String, _ path: String, body: Data? = nil, type: String = "application/json") async throws -> (
        status: Int, body: Data
    ) {
        guard let url = URL(string: "http://\(address)\(path)") else {
            throw StartFailure(.configuration, "'\(address)' is no address to call")
        }
        var request = URLRequest(url: url, timeoutInterval: HTTPClient.timeout)
        request.httpMethod = method
        request.httpBody = body
        if body != nil { request.setValue(type, forHTTPHeaderField: "Content-Type") }
        if let token { request.setValue("Bearer \(token)", forHTTPHeaderField: "Authorization") }
        do {
            let (data, response) = try await URLSession.shared.data(for: request)
            return ((response as? HTTPURLResponse)?.statusCode ?? 0, data)
        } catch {
            throw StartFailure(
                .failed,
                "no node answers HTTP at \(address) (\(error.localizedDescription)): is it running, and is --http right?"
            )
        }
    }

    /// The body of a successful answer; a problem document becomes an error that says what to do.
    func get(_ method: String, _ path: String, body: Data? = nil, type: String = "application/json") async throws
        -> Data
    {
        let (status, data) = try await send(method, path, body: body, type: type)
        guard (200..<300).contains(status) else { throw Problem(status: status, data).failure }
        return data
    }
}

/// An `application/problem+json` answer.
struct Problem {
    var status: Int
    var title: String
    var detail: String?
    var remedy: String?

    init(status: Int, _ data: Data) {
        self.status = status
        let object = (try? JSONSerialization.jsonObject(with: data)) as? [String: Any]
        title = object?["title"] as? String ?? "HTTP status \(status)"
        detail = object?["detail"] as? String
        remedy = object?["remedy"] as? String
    }

    var failure: StartFailure {
        StartFailure(.failed, ([title] + [detail, remedy].compactMap { $0 }).joined(separator: "\n  "))
    }
}

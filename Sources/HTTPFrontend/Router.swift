import HTTPTypes
import HummingbirdCore
import NIOCore

/// Finds out who answers a request, after asking for the token.
struct Router: Sendable {
    let acquirer: Acquirer
    let reserver: Reserver
    let admin: AdminRoutes
    /// The token that requests must bear, if any.
    let token: [UInt8]?

    static let acquirePath = "/v1/acquire"
    static let reservePath = "/v1/reserve"

    /// All paths, for the answer to a request for another.
    static let paths = [
        acquirePath, reservePath, "/v1/reserve/{id}/commit", "/v1/reserve/{id}/cancel", "/v1/rules", "/v1/rules/{name}",
        "/v1/cluster", "/v1/keys", "/healthz", "/readyz", "/metrics",
    ]

    /// The answer to a request; throws only where the connection is of no more use.
    ///
    /// `body` reads the request's body, of at most so many bytes.
    func respond(
        _ head: HTTPRequest, client channel: any Channel, body: (Int) async throws -> ByteBuffer
    ) async throws -> Response {
        do {
            if head.path == Router.acquirePath, head.method == .post {
                try authorize(head)
                return try await acquirer.respond(try await body(AcquireBody.mostBytes), client: channel)
            }
            let response = try await route(head, body: body)
            return head.method == .head ? response.createHeadResponse() : response
        } catch let problem as Problem {
            return problem.response
        } catch is NIOTooManyBytesError {
            let most = head.path == Router.acquirePath ? AcquireBody.mostBytes : AdminRoutes.mostBytes
            return Problem.tooLarge("the body", most: most).response
        }
    }

    private func route(_ head: HTTPRequest, body: (Int) async throws -> ByteBuffer) async throws -> Response {
        guard let target = RequestTarget(head.path ?? "/") else {
            throw Problem.malformed("the path is not percent-encoded UTF-8", remedy: "encode it as RFC 3986 says")
        }
        // How the process is may be asked by anybody; it says nothing else.
        if target.segments == ["healthz"] {
            _ = try method(head, of: [.get])
            return admin.healthz()
        }
        try authorize(head)
        switch target.segments {
        case ["v1", "acquire"]:
            _ = try method(head, of: [.post])
            throw Problem.malformed(
                "this path takes no query, and needs the method POST", remedy: "POST \(Router.acquirePath)")
        case ["v1", "reserve"]:
            _ = try method(head, of: [.post])
            return try await reserver.reserve(try await body(AcquireBody.mostBytes))
        case let segments where segments.count == 4 && segments.starts(with: ["v1", "reserve"]):
            _ = try method(head, of: [.post])
            switch segments[3] {
            case "commit": return try reserver.commit(segments[2], try await body(AcquireBody.mostBytes))
            case "cancel": return try reserver.cancel(segments[2])
            default: throw unknownPath(head)
            }
        case ["v1", "rules"]:
            switch try method(head, of: [.get, .put, .post]) {
            case .get: return await admin.listRules()
            default: return try await admin.applyFile(head, try await body(AdminRoutes.mostBytes))
            }
        case let segments where segments.count == 3 && segments.starts(with: ["v1", "rules"]):
            switch try method(head, of: [.get, .put, .delete]) {
            case .get: return try await admin.getRule(segments[2])
            case .put: return try await admin.putRule(segments[2], head, try await body(AdminRoutes.mostBytes))
            default: return try await admin.deleteRule(segments[2])
            }
        case ["v1", "cluster"]:
            _ = try method(head, of: [.get])
            return await admin.cluster()
        case ["v1", "keys"]:
            _ = try method(head, of: [.get])
            return try await admin.hotKeys(target.query)
        case ["readyz"]:
            _ = try method(head, of: [.get])
            return try admin.readyz()
        case ["metrics"]:
            _ = try method(head, of: [.get])
            return await admin.metrics()
        default:
            throw unknownPath(head)
        }
    }

    private func unknownPath(_ head: HTTPRequest) -> Problem {
        Problem(
            status: .notFound, name: "unknown-path", title: "There is nothing at this path",
            detail: "'\(String((head.path ?? "").prefix(120)))' is none of \(Router.paths.joined(separator: ", "))",
            remedy: "use one of the paths named")
    }

    /// The request's method if it is one of `allowed`; HEAD counts as GET.
    private func method(_ head: HTTPRequest, of allowed: [HTTPRequest.Method]) throws(Problem) -> HTTPRequest.Method {
        let method: HTTPRequest.Method = head.method == .head ? .get : head.method
        if allowed.contains(method) { return method }
        var names = allowed.map(\.rawValue)
        if allowed.contains(.get) { names.append("HEAD") }
        let list = names.joined(separator: ", ")
        throw Problem(
            status: .methodNotAllowed, name: "method-not-allowed", title: "This path does not take that method",
            detail: "\(String(head.method.rawValue.prefix(20))) is none of \(list)", remedy: "use \(list)",
            headers: [HTTPField(name: .allow, value: list)])
    }

    /// Throws unless the request bears the token, if one is asked for.
    private func authorize(_ head: HTTPRequest) throws(Problem) {
        guard let token else { return }
        let scheme = "bearer "
        if let given = head.headerFields[.authorization], given.utf8.count >= scheme.utf8.count,
            given.prefix(scheme.count).lowercased() == scheme,
            Router.isSame(Array(given.utf8.dropFirst(scheme.utf8.count)), token)
        {
            return
        }
        throw Problem(
            status: .unauthorized, name: "unauthorized", title: "The request needs the cluster's token",
            detail: "no 'Authorization: Bearer …' field with the right token came with the request",
            remedy: "send the token that the node was configured with",
            headers: [HTTPField(name: .wwwAuthenticate, value: "Bearer realm=\"millrace\"")])
    }

    /// Compares in a time that depends on the lengths alone, so that nobody finds the token byte by byte.
    static func isSame(_ given: [UInt8], _ token: [UInt8]) -> Bool {
        guard given.count == token.count else { return false }
        var difference: UInt8 = 0
        for i in token.indices { difference |= given[i] ^ token[i] }
        return difference == 0
    }
}

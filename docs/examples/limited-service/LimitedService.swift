// A web service that limits its users: docs/client.md walks through it.
//
//     swift run -c release millrace dev --rules docs/examples/limited-service/rules.yaml
//     swift run -c release limited-service
//     curl -i 127.0.0.1:8000/quotes -H 'x-user: ann'

import Foundation
import Hummingbird
import Logging
import MillraceClient
import MillraceHummingbird
import ServiceLifecycle

@main
struct LimitedService {
    static func main() async throws {
        let logger = Logger(label: "limited-service")

        // One client for the whole process; any of these nodes will do.
        let environment = ProcessInfo.processInfo.environment
        let nodes = environment["MILLRACE_NODES"] ?? "127.0.0.1:7101,127.0.0.1:7102,127.0.0.1:7103"
        let client = try MillraceClient(
            .init(nodes: .list(nodes.split(separator: ",").map(String.init))), logger: logger)

        let router = Router()
        router.group("quotes")
            // Each user under the rule "api". Here the user comes in a header; behind a login, take it from the context.
            .add(middleware: RateLimitMiddleware(client, rule: "api", key: .header(.init("x-user")!)))
            .get { _, _ in "The limit is kept by all instances together.\n" }

        // A costly route takes two limits at once, all or nothing.
        router.get("reports/:tenant") { request, context in
            let tenant = try context.parameters.require("tenant")
            let user = request.headers[.init("x-user")!] ?? "nobody"
            let decision = try await client.acquireAll([
                .init("api", key: user, cost: 5), .init("reports", key: tenant),
            ])
            guard decision.isAllowed else {
                throw HTTPError(.tooManyRequests, message: "the limit of '\(decision.rule)' is reached")
            }
            return "A report for \(tenant).\n"
        }

        let port = environment["PORT"].flatMap { Int($0) } ?? 8000
        let app = Application(
            router: router, configuration: .init(address: .hostname("127.0.0.1", port: port)),
            // The client starts before the server and stops after it, so that it reports the last usage.
            services: [client], logger: logger)
        try await app.runService()
    }
}

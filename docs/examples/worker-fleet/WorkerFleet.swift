// A fleet of workers that share a third party's quota: start as many as you like, together they make ten calls a second.
//
//     swift run -c release millrace dev --rules docs/examples/worker-fleet/rules.yaml
//     swift run -c release worker-fleet 40          # forty jobs
//     swift run -c release worker-fleet 40          # in another terminal, at the same time

import Foundation
import HTTPTypes
import Logging
import MillraceClient
import MillraceOutgoing
import MillraceThrottled
import ServiceLifecycle

@main
struct WorkerFleet {
    static func main() async {
        do { try await run() } catch {
            // No cluster, no rule of this name: the error says what to do.
            print("worker-fleet: \(error)")
            exit(1)
        }
    }

    static func run() async throws {
        var logger = Logger(label: "worker-fleet")
        logger.logLevel = .notice
        let jobs = CommandLine.arguments.dropFirst().first.flatMap { Int($0) } ?? 20
        let nodes =
            ProcessInfo.processInfo.environment["MILLRACE_NODES"] ?? "127.0.0.1:7101,127.0.0.1:7102,127.0.0.1:7103"
        let client = try MillraceClient(
            .init(nodes: .list(nodes.split(separator: ",").map(String.init))), logger: logger)
        let workers = Workers(client: client, jobs: jobs)
        try await ServiceGroup(
            configuration: .init(
                services: [
                    .init(service: client),
                    .init(service: workers, successTerminationBehavior: .gracefullyShutdownGroup),
                ], logger: logger)
        ).run()
    }
}

struct Workers: Service {
    let client: MillraceClient
    let jobs: Int

    func run() async throws {
        // Calls wait for their turn for a second; what would take longer is put off.
        let partner = OutgoingLimiter(client, rule: "partner", key: .shared("api-key-1"), patience: .seconds(1))
        let later = ReplayQueue<Int>(capacity: 1_000, whenFull: .refuse)
        let clock = ContinuousClock()
        let start = clock.now

        try await withThrowingTaskGroup(of: Void.self) { group in
            for job in 1...max(1, jobs) {
                group.addTask {
                    do {
                        try await Workers.call(partner, job)
                    } catch is OutgoingLimiter.Refused {
                        // Over the quota for now: at lower priority, when there is room.
                        try later.put(job)
                    }
                }
            }
            try await group.waitForAll()
        }
        print("\(jobs - later.count) calls in the first \(start.duration(to: clock.now)), \(later.count) put off")

        later.finish()
        let budget = RetryBudget(ratio: 1, reserve: 1_000)
        for await job in later {
            try await retrying(limits: .init(attempts: 100, time: .seconds(300)), budget: budget) { _ in
                do {
                    try await Workers.call(partner, job)
                    return .done(())
                } catch let refused as OutgoingLimiter.Refused {
                    return .again(after: refused.retryAfter)
                }
            }
        }
        print("all \(jobs) calls after \(start.duration(to: clock.now))")
    }

    /// One call to the third party; here it only takes a moment.
    static func call(_ partner: OutgoingLimiter, _ job: Int) async throws {
        let request = HTTPRequest(method: .get, scheme: "https", authority: "partner.example", path: "/jobs/\(job)")
        _ = try await partner.send(request) { _ in
            try await Task.sleep(for: .milliseconds(20))
            return (HTTPResponse(status: .ok), ())
        }
    }
}

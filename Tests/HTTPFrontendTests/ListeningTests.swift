import LimiterCore
import Logging
import NIOPosix
import TestSupport
import Testing

@testable import HTTPFrontend

@Suite(.inRealTime) struct ListeningTests {
    func server(host: String = "127.0.0.1", port: Int) -> HTTPServer {
        let clock = ManualClock()
        let path = DecisionPath(capacity: 8, shards: 1) { clock.now }
        return HTTPServer(
            .init(host: host, port: port), path: path, handler: PlainHandler(clock: clock),
            control: PlainControl(path: path), logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
    }

    @Test func anAddressInUseIsNamed() async throws {
        try await Bench.run { bench in
            let second = server(port: bench.port)
            async let waiting = Result<Int, HTTPServerError>.catching { () throws(HTTPServerError) in
                try await second.listeningPort()
            }
            let error = await #expect(throws: HTTPServerError.self) { try await second.run() }
            #expect(error?.code == .addressInUse)
            #expect(
                error?.message
                    == "cannot listen for HTTP at 127.0.0.1:\(bench.port): another process listens there: stop it, or "
                    + "choose another address with --http HOST:PORT")
            let thrown = try #require(error)
            #expect(await waiting == .failure(thrown))
            #expect(second.boundPort == nil)
        }
    }

    @Test func anAddressOfAnotherMachineIsNamed() async throws {
        let error = await #expect(throws: HTTPServerError.self) { try await server(host: "192.0.2.1", port: 1).run() }
        #expect(error?.code == .cannotListen)
        #expect(error?.message.contains("192.0.2.1:1") == true)
    }

    @Test func aHostThatIsNoneIsNamed() async throws {
        let error = await #expect(throws: HTTPServerError.self) {
            try await server(host: "no.such.host.invalid", port: 1).run()
        }
        #expect(error?.code == .cannotListen)
    }

    @Test func afterAShutdownNothingListens() async throws {
        let port = try await Bench.run { bench in
            await bench.shutDown()
            return bench.port
        }
        await #expect(throws: (any Error).self) {
            try await Client.connect(port: port) { try await $0.call("GET", "/") }
        }
    }
}

extension Result where Failure == HTTPServerError {
    /// The result of an asynchronous call.
    static func catching(_ body: () async throws(HTTPServerError) -> Success) async -> Result {
        do {
            return .success(try await body())
        } catch {
            return .failure(error)
        }
    }
}

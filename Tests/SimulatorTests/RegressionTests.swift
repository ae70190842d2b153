import Foundation
import Simulator
import Testing

/// Schedules of `Simulations/Regressions`: each failed once, because of a mistake of ours that has been mended.
struct RegressionTests {
    static let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().appending(path: "Simulations/Regressions")

    static var files: [String] {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: folder.path)) ?? []
        return names.filter { $0.hasSuffix(".json") }.sorted()
    }

    @Test func thereAreSome() { #expect(!RegressionTests.files.isEmpty) }

    @Test(arguments: RegressionTests.files)
    func isMended(file: String) throws {
        let data = try Data(contentsOf: RegressionTests.folder.appending(path: file))
        let result = try Run.run(try JSONDecoder().decode(Schedule.self, from: data))
        #expect(result.isFine, "\(result.violations.prefix(3))")
    }
}

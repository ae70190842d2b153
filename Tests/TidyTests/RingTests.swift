import Foundation
import Testing

/// The rings of docs/decisions/0001-package.md, as a machine can check them.
@Suite struct RingTests {
    static let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent()

    static let rings: [[String]] = [
        ["ByteCoding", "LimiterCore", "Raft", "RingElection"],
        ["CTableWalk", "ClientRuntime", "Coordination", "LimiterBench", "NodeRuntime", "PeerCodec", "RESP"],
        [
            "HTTPFrontend", "MillraceClient", "MillraceHummingbird", "MillraceOutgoing", "MillraceThrottled",
            "PeerTransport", "RESPFrontend", "RuleFiles",
            "SystemTime",
            "WriteAheadLog",
        ],
        ["MillraceServer", "millrace"],
    ]

    /// What the toolchain itself brings.
    static let standardLibrary: Set<String> = ["Swift", "Synchronization"]
    static let system: Set<String> = [
        "Glibc", "Musl", "Darwin", "Foundation", "FoundationNetworking", "FoundationEssentials",
    ]

    static func ring(of module: String) -> Int? { rings.firstIndex { $0.contains(module) } }

    /// The modules that the sources of a target import, with the file.
    static func imports(of target: String) throws -> [(module: String, file: String)] {
        let folder = root.appending(path: "Sources/\(target)")
        let files = try FileManager.default.subpathsOfDirectory(atPath: folder.path).filter { $0.hasSuffix(".swift") }
        var found: [(String, String)] = []
        for file in files.sorted() {
            let text = try String(contentsOf: folder.appending(path: file), encoding: .utf8)
            for line in text.split(separator: "\n") {
                let words = line.split(separator: " ")
                guard let at = words.firstIndex(of: "import"), at <= 2, at + 1 < words.count,
                    words[..<at].allSatisfy({
                        ["public", "package", "internal", "private", "@preconcurrency"].contains($0)
                    })
                else { continue }
                found.append((String(words[at + 1].split(separator: ".")[0]), "\(target)/\(file)"))
            }
        }
        return found
    }

    @Test func everyTargetHasARing() throws {
        let folders = try FileManager.default.contentsOfDirectory(atPath: Self.root.appending(path: "Sources").path)
        for folder in folders.sorted() where !folder.hasPrefix(".") {
            #expect(Self.ring(of: folder) != nil, "Sources/\(folder) is in no ring: add it to RingTests.rings")
        }
    }

    @Test(arguments: rings.joined().sorted())
    func importsPointInwards(target: String) throws {
        guard FileManager.default.fileExists(atPath: Self.root.appending(path: "Sources/\(target)").path) else {
            return
        }
        let own = try #require(Self.ring(of: target))
        for (module, file) in try Self.imports(of: target) {
            if Self.standardLibrary.contains(module) { continue }
            if let ring = Self.ring(of: module) {
                #expect(ring <= own, "\(file) in ring \(own) imports \(module) of ring \(ring)")
            } else if own <= 1 {
                let isBenchmark = target == "LimiterBench" && Self.system.contains(module)
                #expect(isBenchmark, "\(file) in ring \(own) imports \(module), which is not the standard library")
            }
        }
    }

    @Test func topLevelIsFixed() throws {
        let allowed: Set<String> = ["Package.swift", "Sources", "Tests", "Simulations", "docs", "README.md", "LICENSE"]
        for entry in try FileManager.default.contentsOfDirectory(atPath: Self.root.path)
        where !entry.hasPrefix(".") && entry != "Package.resolved" {
            #expect(allowed.contains(entry), "\(entry) does not belong at the top level")
        }
    }

    /// Rings 0 and 1 take time and chance as arguments.
    @Test func decidingCodeReadsNoClockAndDrawsNoChance() throws {
        let forbidden = [
            "Date()", "ContinuousClock", "SuspendingClock", ".random(", "UUID()", "SystemRandomNumberGenerator",
            "Task {", " async ",
        ]
        for target in (Self.rings[0] + Self.rings[1]) where !["LimiterBench", "CTableWalk"].contains(target) {
            let folder = Self.root.appending(path: "Sources/\(target)")
            for file in try FileManager.default.subpathsOfDirectory(atPath: folder.path) where file.hasSuffix(".swift")
            {
                let text = try String(contentsOf: folder.appending(path: file), encoding: .utf8)
                for line in text.split(separator: "\n") where !line.trimmingPrefix(while: { $0 == " " }).hasPrefix("//")
                {
                    for word in forbidden where line.contains(word) {
                        Issue.record("\(target)/\(file) contains '\(word)': \(line)")
                    }
                }
            }
        }
    }
}

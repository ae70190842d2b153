// swift-tools-version: 6.2
import PackageDescription

/// One set of settings for every target (docs/decisions/0001-package.md says why each is there).
let settings: [SwiftSetting] =
    [
        .swiftLanguageMode(.v6),
        .enableUpcomingFeature("ExistentialAny"),
        .enableUpcomingFeature("MemberImportVisibility"),
        .enableUpcomingFeature("InternalImportsByDefault"),
        .enableUpcomingFeature("NonisolatedNonsendingByDefault"),
    ] + (Context.environment["CI"] == nil ? [] : [.treatAllWarnings(as: .error)])
    // Planted bugs for `simulate mutants`; debug builds have them anyway.
    + (Context.environment["MILLRACE_MUTANTS"] == nil ? [] : [.define("MUTANTS")])

// MARK: Dependencies (docs/decisions/0002-dependencies.md says why each is there)

let argumentParser = Target.Dependency.product(name: "ArgumentParser", package: "swift-argument-parser")
let httpTypes = Target.Dependency.product(name: "HTTPTypes", package: "swift-http-types")
let hummingbird = Target.Dependency.product(name: "Hummingbird", package: "hummingbird")
let hummingbirdCore = Target.Dependency.product(name: "HummingbirdCore", package: "hummingbird")
let logging = Target.Dependency.product(name: "Logging", package: "swift-log")
let metrics = Target.Dependency.product(name: "Metrics", package: "swift-metrics")
let nioCore = Target.Dependency.product(name: "NIOCore", package: "swift-nio")
let nioEmbedded = Target.Dependency.product(name: "NIOEmbedded", package: "swift-nio")
let nioPosix = Target.Dependency.product(name: "NIOPosix", package: "swift-nio")
let unixSignals = Target.Dependency.product(name: "UnixSignals", package: "swift-service-lifecycle")
let serviceLifecycle = Target.Dependency.product(name: "ServiceLifecycle", package: "swift-service-lifecycle")
let yams = Target.Dependency.product(name: "Yams", package: "Yams")

// MARK: Targets, by ring: a ring imports from itself and from those further in (a test checks it)

func library(_ name: String, _ dependencies: [Target.Dependency] = [], path: String? = nil) -> Target {
    .target(name: name, dependencies: dependencies, path: path, swiftSettings: settings)
}

func tests(_ name: String, _ dependencies: [Target.Dependency]) -> Target {
    .testTarget(name: name, dependencies: dependencies, swiftSettings: settings)
}

/// The standard library only.
let ring0: [Target] = [
    library("ByteCoding"),
    library("LimiterCore"),
    library("Raft"),
    library("RingElection"),
]

/// Ring 0 only.
let ring1: [Target] = [
    library("Coordination", ["ByteCoding", "LimiterCore", "Raft"]),
    .target(name: "CTableWalk"),
    library("LimiterBench", ["CTableWalk", "LimiterCore"]),
    library("ClientRuntime", ["Coordination", "LimiterCore", "Raft"]),
    library("NodeRuntime", ["Coordination", "LimiterCore", "Raft"]),
    library("PeerCodec", ["ByteCoding", "Coordination", "LimiterCore", "NodeRuntime", "Raft"]),
    library("RESP", ["LimiterCore"]),
]

/// One thing from outside each.
let ring2: [Target] = [
    library("RESPFrontend", ["LimiterCore", "RESP", logging, nioCore, nioPosix]),
    library(
        "HTTPFrontend",
        ["LimiterCore", "RuleFiles", httpTypes, hummingbirdCore, logging, nioCore, nioPosix, serviceLifecycle]),
    library("RuleFiles", ["LimiterCore", yams]),
    library("PeerTransport", ["ByteCoding", "Raft", logging, nioCore, nioPosix]),
    library("SystemTime", ["LimiterCore"]),
    library(
        "MillraceClient",
        [
            "ClientRuntime", "Coordination", "LimiterCore", "PeerCodec", "PeerTransport", "Raft", "SystemTime", logging,
            metrics, nioCore, nioPosix, serviceLifecycle,
        ]),
    library("MillraceThrottled", ["MillraceClient"]),
    library("MillraceOutgoing", ["MillraceClient", httpTypes]),
    library("MillraceHummingbird", ["MillraceClient", httpTypes, hummingbird]),
    library("WriteAheadLog", ["ByteCoding", "Raft"]),
]

/// Everything together.
let ring3: [Target] = [
    library(
        "MillraceServer",
        [
            "Coordination", "HTTPFrontend", "LimiterCore", "NodeRuntime", "PeerCodec", "PeerTransport", "RESPFrontend",
            "Raft",
            "RuleFiles", "SystemTime", "WriteAheadLog", logging, nioCore, nioPosix, serviceLifecycle,
        ]),
    .executableTarget(
        name: "millrace",
        dependencies: [
            "HTTPFrontend", "LimiterBench", "LimiterCore", "MillraceClient", "MillraceServer", "RingElection",
            "RuleFiles",
            "SystemTime", argumentParser, httpTypes, hummingbirdCore, logging, nioCore, nioPosix, serviceLifecycle,
            unixSignals,
        ],
        swiftSettings: settings),
]

/// The simulator: rings 0 and 1 in virtual time; the studies on top of it; and the program around both.
let simulations: [Target] = [
    .target(
        name: "Simulator",
        dependencies: ["ClientRuntime", "Coordination", "LimiterCore", "NodeRuntime", "Raft", "WriteAheadLog"],
        path: "Simulations",
        exclude: [
            "Elections", "Plots", "Regressions", "Strategies", "StudyTools", "Telling", "WorkloadFiles", "simulate",
        ],
        sources: ["Simulator", "Faults", "Invariants", "Workloads", "Scenarios"], swiftSettings: settings),
    library("Elections", ["Plots", "Raft", "RingElection", "Simulator", "StudyTools"], path: "Simulations/Elections"),
    library("Plots", path: "Simulations/Plots"),
    library(
        "Strategies",
        ["Coordination", "LimiterCore", "NodeRuntime", "PeerCodec", "Plots", "Raft", "Simulator", "StudyTools"],
        path: "Simulations/Strategies"),
    library("StudyTools", path: "Simulations/StudyTools"),
    library("Telling", path: "Simulations/Telling"),
    library("WorkloadFiles", ["LimiterCore", "RuleFiles"], path: "Simulations/WorkloadFiles"),
    .executableTarget(
        name: "simulate",
        dependencies: [
            "Elections", "LimiterCore", "Plots", "RuleFiles", "Simulator", "Strategies", "StudyTools", "Telling",
            "WorkloadFiles", argumentParser,
        ],
        path: "Simulations/simulate", swiftSettings: settings),
]

/// The examples of docs/client.md, which CI builds.
let examples: [Target] = [
    .executableTarget(
        name: "limited-service",
        dependencies: ["MillraceClient", "MillraceHummingbird", hummingbird, logging, serviceLifecycle],
        path: "docs/examples/limited-service", exclude: ["rules.yaml"], swiftSettings: settings),
    .executableTarget(
        name: "worker-fleet",
        dependencies: [
            "MillraceClient", "MillraceOutgoing", "MillraceThrottled", httpTypes, logging, serviceLifecycle,
        ], path: "docs/examples/worker-fleet", exclude: ["rules.yaml"], swiftSettings: settings),
]

/// Ring by ring.
let testTargets: [Target] = [
    .target(name: "CAllocationCount", path: "Tests/CAllocationCount"),
    library("TestSupport", path: "Tests/TestSupport"),
    tests("TidyTests", []),
    tests("ByteCodingTests", ["ByteCoding"]),
    tests("LimiterCoreTests", ["LimiterCore"]),
    tests("RaftTests", ["Raft"]),
    tests("RingElectionTests", ["RingElection"]),
    tests("CoordinationTests", ["ByteCoding", "Coordination", "LimiterCore", "Raft"]),
    tests("NodeRuntimeTests", ["ClientRuntime", "Coordination", "LimiterCore", "NodeRuntime", "Raft", "Simulator"]),
    tests("PeerCodecTests", ["ByteCoding", "Coordination", "LimiterCore", "NodeRuntime", "PeerCodec", "Raft"]),
    tests(
        "MillraceClientTests",
        [
            "CAllocationCount", "ClientRuntime", "Coordination", "HTTPFrontend", "LimiterCore", "MillraceClient",
            "MillraceServer", "Raft", "TestSupport", serviceLifecycle, unixSignals,
            logging, nioCore, nioPosix,
        ]),
    tests("SystemTimeTests", ["LimiterCore", "SystemTime"]),
    tests("MillraceThrottledTests", ["MillraceClient", "MillraceThrottled"]),
    tests("MillraceOutgoingTests", ["MillraceClient", "MillraceOutgoing", httpTypes]),
    tests(
        "MillraceHummingbirdTests",
        ["MillraceClient", "MillraceHummingbird", httpTypes, hummingbird, logging, nioCore, nioEmbedded]),
    tests("RESPTests", ["LimiterCore", "RESP"]),
    tests("RESPFrontendTests", ["LimiterCore", "RESP", "RESPFrontend", "TestSupport", logging, nioCore, nioPosix]),
    tests(
        "HTTPFrontendTests",
        ["HTTPFrontend", "LimiterCore", "TestSupport", logging, nioCore, nioPosix, serviceLifecycle]),
    tests("RuleFilesTests", ["LimiterCore", "RuleFiles"]),
    tests("WriteAheadLogTests", ["ByteCoding", "Raft", "WriteAheadLog"]),
    tests(
        "PeerTransportTests",
        ["ByteCoding", "PeerTransport", "Raft", "TestSupport", logging, nioCore, nioEmbedded, nioPosix]),
    tests("SimulatorTests", ["LimiterCore", "Raft", "RuleFiles", "Simulator", "Telling", "WorkloadFiles"]),
    tests(
        "StudiesTests",
        ["Elections", "LimiterCore", "Plots", "RingElection", "Simulator", "Strategies", "StudyTools"]),
    tests("IntegrationTests", ["TestSupport", "limited-service", "millrace", "worker-fleet"]),
]

let package = Package(
    name: "millrace",
    products: [
        .library(name: "MillraceClient", targets: ["MillraceClient"]),
        .library(name: "MillraceThrottled", targets: ["MillraceThrottled"]),
        .library(name: "MillraceOutgoing", targets: ["MillraceOutgoing"]),
        .library(name: "MillraceHummingbird", targets: ["MillraceHummingbird"]),
        .executable(name: "millrace", targets: ["millrace"]), .executable(name: "simulate", targets: ["simulate"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
        .package(url: "https://github.com/apple/swift-http-types", from: "1.8.0"),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
        .package(url: "https://github.com/apple/swift-metrics", from: "2.5.0"),
        .package(url: "https://github.com/apple/swift-nio", from: "2.101.2"),
        .package(url: "https://github.com/hummingbird-project/hummingbird", from: "2.28.1"),
        .package(url: "https://github.com/jpsim/Yams", from: "6.2.2"),
        .package(url: "https://github.com/swift-server/swift-service-lifecycle", from: "2.13.0"),
    ],
    targets: ring0 + ring1 + ring2 + ring3 + simulations + examples + testTargets
)

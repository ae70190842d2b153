import Coordination
import LimiterCore
import NodeRuntime
import Raft

/// The planted bugs of all modules, by name: `raft.votes-before-durable`.
///
/// They exist in debug builds and in builds with `MILLRACE_MUTANTS=1`; elsewhere the compiler has removed them.
package enum Mutants {
    /// Whether this build has them.
    package static var arePlantable: Bool {
        #if DEBUG || MUTANTS
            true
        #else
            false
        #endif
    }

    package static var names: [String] {
        RaftMutant.allCases.map { "raft.\($0.rawValue)" } + Mutant.allCases.map { "coordination.\($0.rawValue)" }
            + LimiterMutant.allCases.map { "limiter.\($0.rawValue)" }
            + RuntimeMutant.allCases.map { "node.\($0.rawValue)" }
    }

    /// Turns one on, for the rest of this process's life; call it before anything runs. False if there is none of this name.
    package static func plant(_ name: String) -> Bool {
        #if DEBUG || MUTANTS
            guard let dot = name.firstIndex(of: ".") else { return false }
            let rest = String(name[name.index(after: dot)...])
            switch name[..<dot] {
            case "raft": plantedRaftMutant = RaftMutant(rawValue: rest)
            case "coordination": plantedMutant = Mutant(rawValue: rest)
            case "limiter": plantedLimiterMutant = LimiterMutant(rawValue: rest)
            case "node": plantedRuntimeMutant = RuntimeMutant(rawValue: rest)
            default: return false
            }
            return names.contains(name)
        #else
            return false
        #endif
    }

    /// The schedule that the n-th try of a hunt runs: all profiles in turn, the rich ones more often; for the log's own rules mostly elections.
    package static func schedule(try number: UInt64, of name: String) -> Schedule {
        let profiles: [Profile] =
            name.hasPrefix("raft.")
            ? [.raft, .elections, .disk, .elections, .raft, .elections, .all]
            : [.all, .takeovers, .split, .disk, .takeovers, .all, .clock, .takeovers, .lossy, .raft]
        let profile = profiles[Int((number - 1) % UInt64(profiles.count))]
        return profile.schedule(seed: number, seconds: profile == .elections || profile == .takeovers ? 12 : 6)
    }
}

/// The rules of this module that can be broken one at a time, to see whether the simulator notices ("mutation testing").
///
/// Each is one condition at the place of its rule. Without `DEBUG` or `MUTANTS` all of them are constants that the compiler
/// removes, and nothing can turn them on.
package enum RuntimeMutant: String, CaseIterable, Sendable {
    /// Messages that vouch for a write leave with the write before it (paper, figure 2: durable before any answer).
    case vouchesTooEarly = "vouches-too-early"
    /// A change of rules is reported as applied when it was only appended: a failover may lose it (design, section 7).
    case completesUncommitted = "completes-uncommitted"
}

#if DEBUG || MUTANTS
    /// The rule that is broken in this process. Set once, before anything runs; never written afterwards, hence unsafe only in
    /// name.
    package nonisolated(unsafe) var plantedRuntimeMutant: RuntimeMutant?
#endif

/// Whether this rule is broken: the constant `false` in builds without mutants.
@inline(__always)
func isPlanted(_ mutant: RuntimeMutant) -> Bool {
    #if DEBUG || MUTANTS
        plantedRuntimeMutant == mutant
    #else
        false
    #endif
}

/// The rules of this module that can be broken one at a time, to see whether the simulator notices ("mutation testing").
///
/// Each is one condition at the place of its rule; sections are those of the design. Without `DEBUG` or `MUTANTS` all of them
/// are constants that the compiler removes, and nothing can turn them on.
package enum LimiterMutant: String, CaseIterable, Sendable {
    /// A span is spent from below the bracket, so that it never expires (section 2: `x = max(a, t)`).
    case spendsExpired = "spends-expired"
    /// A span behind the record's own is not used up by being spent (section 2: `a = x + n*T`).
    case spendsExtrasTwice = "spends-extras-twice"
    /// A live span takes on the lower bracket of another epoch (section 4: brackets belong to a range and epoch).
    case mixesEpochs = "mixes-epochs"
    /// Clocks are taken to run at the same rate (section 4: brackets grow by `1 + rho + rho^2`).
    case ignoresDrift = "ignores-drift"
    /// A new owner continues the axis at `1 + rho` of its own clock's rate instead of `1 - rho` (section 4).
    case continuesTooFast = "continues-too-fast"
    /// A changed rule keeps its buckets' identities (section 2).
    case identityWithoutVersion = "identity-without-version"
    /// A holder refuses whenever the owner's `tat` is ahead of the clock, as if there were no burst (section 5: only what surely
    /// cannot pass).
    case refusesAheadOfClock = "refuses-ahead-of-clock"
}

#if DEBUG || MUTANTS
    /// The rule that is broken in this process. Set once, before anything runs; never written afterwards, hence unsafe only in
    /// name.
    package nonisolated(unsafe) var plantedLimiterMutant: LimiterMutant?
#endif

/// Whether this rule is broken: the constant `false` in builds without mutants.
@inline(__always)
func isPlanted(_ mutant: LimiterMutant) -> Bool {
    #if DEBUG || MUTANTS
        plantedLimiterMutant == mutant
    #else
        false
    #endif
}

/// The rules of this module that can be broken one at a time, to see whether the simulator notices ("mutation testing").
///
/// Each is one condition at the place of its rule; sections are those of the design. Without `DEBUG` or `MUTANTS` all of them
/// are constants that the compiler removes, and nothing can turn them on.
package enum Mutant: String, CaseIterable, Sendable {
    // MARK: What the log says (section 3)

    /// An assignment does not raise the floor to the horizon.
    case takeoverForgetsFloor = "takeover-forgets-floor"
    /// A cover of another epoch counts: that of a dead owner eats the new one's tokens.
    case deadCoversCount = "dead-covers-count"
    /// Bounds are overwritten instead of merged by `max`: an older cover that comes late takes them back.
    case boundsFall = "bounds-fall"
    /// A release of several chunks is complete with the first one.
    case releasesByFirstChunk = "releases-by-first-chunk"
    /// A full table of bounds forgets one without raising its class's floor.
    case forgettingBoundsRefills = "forgetting-bounds-refills"
    /// The horizon is missing from snapshots.
    case snapshotForgetsHorizon = "snapshot-forgets-horizon"

    // MARK: Taking over, and losing (section 3)

    /// No slack is added to the floor at a takeover.
    case takeoverForgetsSlack = "takeover-forgets-slack"
    /// The bounds of earlier tenures are ignored at a takeover.
    case takeoverForgetsBound = "takeover-forgets-bound"
    /// No margin is added at a takeover, for what zombies' clocks may drift.
    case takeoverForgetsMargin = "takeover-forgets-margin"
    /// A process that was started again goes on in the epoch of its predecessor.
    case ignoresIncarnation = "ignores-incarnation"
    /// An owner that applies the assignment of its range to somebody else goes on.
    case ignoresOwnEnd = "ignores-own-end"
    /// A snapshot that shows another epoch does not end the tenure.
    case snapshotKeepsTenure = "snapshot-keeps-tenure"
    /// A snapshot begins an epoch again that has ended in this process.
    case resumesEndedEpoch = "resumes-ended-epoch"
    /// An owner goes on granting after it has proposed a release.
    case grantsAfterRelease = "grants-after-release"
    /// A release names only the buckets that have bounds, and not those that ran on slack.
    case releaseForgetsSlack = "release-forgets-slack"
    /// A release does not hand over the floors of what was forgotten.
    case releaseForgetsFloors = "release-forgets-floors"

    // MARK: The axis (section 4)

    /// A new owner's axis starts ahead of the old one's.
    case axisJumpsAhead = "axis-jumps-ahead"
    /// A newer tenure's cover does not anchor anew as long as an older anchor's stamp is as high.
    case keepsOlderAnchors = "keeps-older-anchors"
    /// Anchors outlive a clock that is not trusted any more.
    case distrustKeepsAnchors = "distrust-keeps-anchors"
    /// Tenures outlive a clock that is not trusted any more.
    case distrustKeepsTenures = "distrust-keeps-tenures"
    /// Spans and brackets outlive a clock that is not trusted any more.
    case distrustKeepsSpans = "distrust-keeps-spans"
    /// Now and then an owner decides by a clock reading from before the report's bytes were read.
    case readsClockBeforeBytes = "reads-clock-before-bytes"
    /// A bracket begins when the answer arrives, and not when the report was sent.
    case bracketsFromAnswer = "brackets-from-answer"
    /// A bracket begins at the last sending of a repeated report, and not at the first.
    case bracketsFromRepeat = "brackets-from-repeat"
    /// An allowance of an epoch that is over is spent by the bracket of the newer one.
    case installsOldEpochs = "installs-old-epochs"

    // MARK: Handing out (sections 2 and 3)

    /// Slack is handed out beyond the horizon.
    case ignoresHorizon = "ignores-horizon"
    /// An owner hands out what is reserved however long its horizon has passed.
    case ignoresGrace = "ignores-grace"
    /// An owner hands out up to a bound that it has proposed and not applied yet.
    case grantsOnProposedBound = "grants-on-proposed-bound"
    /// A bucket that was idle saves up more than its burst.
    case savesBeyondBurst = "saves-beyond-burst"
    /// An allowance takes what is wanted, and not a part of what is left.
    case lendsBeyondBurst = "lends-beyond-burst"
    /// An allowance does not move the bucket's `tat`: the same span is handed out again.
    case lendsWithoutSpending = "lends-without-spending"
    /// Part of what a holder still wants is given back to the bucket, as if nobody held it: a span returns to its owner.
    case takesSpansBack = "takes-spans-back"
    /// A full table of buckets forgets one without raising its class's floor.
    case forgettingRefills = "forgetting-refills"
    /// A bucket without a record starts full, whatever its class's floor says.
    case startIgnoresFloors = "start-ignores-floors"
    /// A new version of a rule starts with full buckets (section 2).
    case forgetsPredecessors = "forgets-predecessors"

    // MARK: Reports and answers (section 5)

    /// A repeated report is served again instead of answered from the cache.
    case answersRepeatsAnew = "answers-repeats-anew"
    /// A holder takes every answer, also one whose number it has seen.
    case takesAnswersTwice = "takes-answers-twice"
    /// A request takes every verdict that names it, and not the first only.
    case settlesTwice = "settles-twice"
    /// A group's verdict admits one request more than the owner did.
    case admitsOneMore = "admits-one-more"
    /// Every request costs one token.
    case ignoresCosts = "ignores-costs"
    /// A node that is cut off admits although the rule says `onIsolation: deny`.
    case admitsWhenIsolated = "admits-when-isolated"

    // MARK: Usefulness (section 1: "reject everything" is not a limiter)

    /// An owner refuses every request and lends nothing.
    case deniesEverything = "denies-everything"
    /// A cover that was lost with its leader is never proposed again.
    case neverProposesAgain = "never-proposes-again"
    /// A report that was lost is never sent again.
    case neverRepeatsReports = "never-repeats-reports"
    /// The ranges of a dead node stay with it.
    case neverReassigns = "never-reassigns"
}

#if DEBUG || MUTANTS
    /// The rule that is broken in this process. Set once, before anything runs; never written afterwards, hence unsafe only in
    /// name.
    package nonisolated(unsafe) var plantedMutant: Mutant?
#endif

/// Whether this rule is broken: the constant `false` in builds without mutants.
@inline(__always)
func isPlanted(_ mutant: Mutant) -> Bool {
    #if DEBUG || MUTANTS
        plantedMutant == mutant
    #else
        false
    #endif
}

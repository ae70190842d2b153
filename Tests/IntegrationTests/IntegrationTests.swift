import TestSupport
import Testing

/// Tests with real processes, one after the other: they share the machine, and each wants it to itself.
///
/// They take the `millrace` program that `swift test` built beside them, or the one that `MILLRACE_BINARY` names. `MILLRACE_LONG` makes
/// the load larger, `MILLRACE_KEEP` keeps folders and logs. Times are printed, and asserted only against a multiple of what is promised, since
/// test machines are busy; that no limit is ever exceeded is asserted exactly.
@Suite(.serialized, .inRealTime)
enum IntegrationTests {}

/// The longest that a key may be without admissions through a failover, in these tests: the design's bounds are around a second.
let generousPause: Int64 = 5_000_000_000

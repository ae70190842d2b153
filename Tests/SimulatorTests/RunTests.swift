import Foundation
import Testing

@testable import Simulator

/// A seed is a run, a schedule is data, and what is broken is found.
@Suite struct RunTests {
    @Test(arguments: [Profile.all, .raft, .clock, .elections, .takeovers])
    func aSeedIsARun(profile: Profile) throws {
        let first = try Run.run(profile.schedule(seed: 11, seconds: 2))
        let again = try Run.run(profile.schedule(seed: 11, seconds: 2))
        let other = try Run.run(profile.schedule(seed: 12, seconds: 2))
        #expect(first.hash == again.hash && first.events == again.events)
        #expect(first.hash != other.hash)
        #expect(first.isFine && other.isFine, "\(first.violations + other.violations)")
    }

    /// Recorded in another process with another hash seed, on another day.
    @Test func aSeedIsTheSameRunInEveryProcess() throws {
        let result = try Run.run(Profile.raft.schedule(seed: 5, seconds: 2))
        #expect(
            String(result.hash, radix: 16) == RunTests.recorded,
            "the simulator or what it runs has changed: record anew")
    }

    static let recorded = "e0d29a0e0233a095"

    @Test func aSavedScheduleIsTheSameRun() throws {
        let schedule = Profile.split.schedule(seed: 21, seconds: 2)
        let saved = try JSONDecoder().decode(Schedule.self, from: JSONEncoder().encode(schedule))
        #expect(saved == schedule)
        #expect(try Run.run(saved).hash == Run.run(schedule).hash)
    }

    /// One fault less does not reshuffle the others, nor anything before it.
    @Test func withoutAFaultTheRunIsTheSameUpToIt() throws {
        var schedule = Profile.all.schedule(seed: 31, seconds: 3)
        let last = try #require(schedule.faults.indices.last)
        let with = try Run.run(schedule, keepsTrace: true).trace.events
        schedule.faults.remove(at: last)
        let without = try Run.run(schedule, keepsTrace: true).trace.events
        let at = try #require(
            with.first { $0.kind == "fault" && "\($0.fields)".contains("int(\(last))") }?.time)
        func before(_ events: [Trace.Event]) -> [String] {
            events.filter { $0.time < at }.map { "\($0.time) \($0.kind) \($0.node ?? 0)" }
        }
        #expect(before(with) == before(without))
        #expect(before(with).count > 100)
    }

    /// A schedule of before the newest conditions says nothing of them.
    @Test func whatAnOlderScheduleDoesNotMentionIsAsItWasThen() throws {
        let schedule = try JSONDecoder().decode(
            Schedule.Conditions.self, from: Data(#"{"lossPermille": 3, "tinyBatches": true}"#.utf8))
        #expect(schedule.preVote && schedule.checkQuorum && schedule.timingPercent == 100)
        #expect(schedule.leastSlack == 250_000_000 && schedule.boundsPerCommand == 8_192)
    }

    /// The faults that wait for their moment hit whoever it comes to.
    @Test func aFaultWaitsForItsMoment() throws {
        var schedule = Profile.calm.schedule(seed: 3, nodes: 3, seconds: 2, workload: .quiet)
        schedule.conditions.checkQuorum = false
        schedule.faults = [
            Fault(at: 100_000_000, kind: .isolate, target: .elected, duration: 50_000_000),
            Fault(at: 101_000_000, kind: .stand, target: .node(0)),
            Fault(at: 101_000_000, kind: .stand, target: .node(1)),
            Fault(at: 900_000_000, kind: .lag, target: .committing, duration: 50_000_000, amount: 1_000_000),
        ]
        let result = try Run.run(schedule, keepsTrace: true)
        #expect(result.isFine, "\(result.violations)")
        let events = result.trace.events
        let isolated = try #require(events.first { $0.kind == "fault" && "\($0.fields)".contains("isolate") })
        #expect(events.contains { $0.kind == "leader" && $0.time == isolated.time && $0.node == isolated.node })
        #expect(events.contains { $0.kind == "fault" && "\($0.fields)".contains("lag") && $0.time > 900_000_000 })
    }

    @Test func clocksBeyondThePromiseAreLabelled() {
        #expect(Profile.all.schedule(seed: 1).label == nil)
        #expect((1...20).contains { Profile.beyond.schedule(seed: $0).label != nil })
    }

    /// A cluster that grants nothing never admits too much, and is of no use.
    @Test func grantingNothingFails() throws {
        let workload = Workload.quiet
        var options = SimulatedCluster.Options()
        options.rules = try workload.rules.map { try $0.rule() }
        let cluster = SimulatedCluster(seed: 1, options: options)
        cluster.form()
        LoadDriver(workload).start(cluster)
        cluster.run(for: 1_000_000_000)
        cluster.partition([[0], [1], [2]])
        let problems = Liveness.judge(cluster, workload)
        #expect(problems.contains { $0.what.contains("granted") }, "\(problems)")
    }
}

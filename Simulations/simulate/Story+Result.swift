import Simulator
import Telling

extension TraceLine {
    /// An event of a run, as it is written and drawn; nodes count from 1.
    init(_ event: Trace.Event) {
        self.init(
            time: event.time, event: event.kind, node: event.node.map { $0 + 1 },
            fields: event.fields.map { name, value in
                switch value {
                case .int(let number): (name: name, value: TraceValue.int(number))
                case .text(let text): (name: name, value: TraceValue.text(text))
                }
            })
    }
}

extension Story {
    /// A run as it is told.
    init(_ result: Run.Result) {
        let schedule = result.schedule
        let keys = schedule.workload.loads.flatMap { load -> [Story.Key] in
            guard let terms = schedule.workload.rules.first(where: { $0.name == load.rule }) else { return [] }
            return (0..<min(load.keys, 100)).map {
                (key: load.key($0), tokens: terms.tokens, periodNs: terms.period, burst: terms.burst)
            }
        }
        self.init(
            title: "Seed \(schedule.seed): \(result.isFine ? "ok" : "failed")", seed: schedule.seed,
            profile: schedule.profile, nodes: schedule.nodes, rho: Double(schedule.conditions.rho) / 1e9, keys: keys,
            lines: result.trace.events.map { TraceLine($0) },
            violations: result.violations.map { (time: $0.time, what: "\($0.invariant): \($0.what)") })
    }
}

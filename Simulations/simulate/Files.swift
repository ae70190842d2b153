import ArgumentParser
import Foundation
import LimiterCore
import Simulator
import Telling
import WorkloadFiles

/// Schedules as JSON.
enum ScheduleFile {
    /// The largest file that is read, in bytes.
    static let mostBytes = 16 << 20

    static func read(_ path: String) throws -> Schedule {
        guard let data = FileManager.default.contents(atPath: path) else {
            throw stop(
                "\(path) cannot be read: name a file that `simulate run --save` or `shrink --save` wrote", code: 78)
        }
        guard data.count <= mostBytes else {
            throw stop("\(path) has \(data.count) bytes, at most \(mostBytes) are read: it is no schedule", code: 78)
        }
        struct Version: Decodable { var version: Int }
        if let known = try? JSONDecoder().decode(Version.self, from: data), known.version != Schedule.version {
            throw stop(
                "\(path) is a schedule of version \(known.version), this program knows version \(Schedule.version): make it again from "
                    + "its seed", code: 78)
        }
        do {
            let schedule = try JSONDecoder().decode(Schedule.self, from: data)
            guard (1...5).contains(schedule.nodes), schedule.faultTime > 0, schedule.faultTime <= 3_600_000_000_000,
                !schedule.workload.loads.isEmpty, schedule.workload.loads.allSatisfy({ $0.keys > 0 })
            else {
                throw stop(
                    "\(path): nodes must be 1 to 5, the time up to an hour, and something must be asked for", code: 78)
            }
            return schedule
        } catch let error as DecodingError {
            throw stop(
                "\(path) is no schedule: \(describe(error)): correct it, or make it again from its seed", code: 78)
        }
    }

    static func write(_ schedule: Schedule, to path: String) throws {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        do { try encoder.encode(schedule).write(to: URL(fileURLWithPath: path)) } catch {
            throw stop("cannot write \(path): \(error.localizedDescription)", code: 78)
        }
    }

    private static func describe(_ error: DecodingError) -> String {
        func place(_ context: DecodingError.Context) -> String {
            let path = context.codingPath.map(\.stringValue).joined(separator: ".")
            return path.isEmpty ? context.debugDescription : "at '\(path)': \(context.debugDescription)"
        }
        switch error {
        case .keyNotFound(let key, let context): return "'\(key.stringValue)' is missing " + place(context)
        case .typeMismatch(_, let context), .valueNotFound(_, let context), .dataCorrupted(let context):
            return place(context)
        @unknown default: return "\(error)"
        }
    }
}

/// Traces as JSON lines (docs/simulation.md has the format).
enum TraceFile {
    static func write(_ result: Run.Result, to path: String) throws {
        guard FileManager.default.createFile(atPath: path, contents: nil), let file = FileHandle(forWritingAtPath: path)
        else { throw stop("cannot write \(path)", code: 78) }
        defer { try? file.close() }
        var text = header(result)
        for event in result.trace.events {
            text += TraceLine(event).json + "\n"
            if text.utf8.count > 1 << 20 {
                try file.write(contentsOf: Data(text.utf8))
                text = ""
            }
        }
        text += "{\"e\":\"end\",\"hash\":\"\(String(result.hash, radix: 16))\",\"events\":\(result.events),"
        text += "\"verdict\":\"\(result.isFine ? "ok" : "failed")\"}\n"
        try file.write(contentsOf: Data(text.utf8))
    }

    private static func header(_ result: Run.Result) -> String {
        let schedule = result.schedule
        let keys = Story(result).keys.map {
            "{\"key\":\"\($0.key)\",\"burst\":\($0.burst),\"tokens\":\($0.tokens),\"periodNs\":\($0.periodNs)}"
        }
        return "{\"seed\":\(schedule.seed),\"profile\":\"\(schedule.profile)\",\"nodes\":\(schedule.nodes),"
            + "\"rho\":\(Double(schedule.conditions.rho) / 1e9),\"keys\":[\(keys.joined(separator: ","))]}\n"
    }
}

/// Pages and other texts.
enum TextFile {
    static func write(_ text: String, to path: String) throws {
        do { try Data(text.utf8).write(to: URL(fileURLWithPath: path)) } catch {
            throw stop("cannot write \(path): \(error.localizedDescription)", code: 78)
        }
    }
}

/// A user's own workload and rules.
enum WorkloadFile {
    static func read(_ path: String) throws -> WorkloadFiles.Workload {
        guard let data = FileManager.default.contents(atPath: path), let text = String(data: data, encoding: .utf8)
        else {
            throw stop("\(path) cannot be read as text", code: 78)
        }
        do { return try WorkloadFiles.Workload.read(text, file: path) } catch { throw stop("\(error)", code: 78) }
    }
}

extension Simulator.Workload {
    /// The workload of a file, in the simulator's words.
    init(_ file: WorkloadFiles.Workload, name: String) throws {
        var rules: [RuleTerms] = []
        for rule in file.rules {
            guard rule.overrides.isEmpty else {
                throw stop(
                    "\(name): rule '\(rule.name)' has overrides, which are not simulated: give the key a rule of its own",
                    code: 78)
            }
            var delay: Int64 = 0
            if case .delay(let longest) = rule.onLimit { delay = longest }
            rules.append(
                RuleTerms(
                    rule.name, rule.limit.tokens, per: rule.limit.period, burst: rule.limit.burst, delay: delay,
                    isExact: rule.exact, onIsolation: "\(rule.onIsolation)",
                    reserveForCritical: rule.reserveForCritical == 0 ? nil : rule.reserveForCritical))
        }
        var loads: [Load] = []
        for load in file.loads {
            let arrivals = load.at == .one || load.pattern == .hot ? 1 : file.nodes
            let perNode = Double(load.perSecond) / Double(arrivals)
            func entry(_ perSecond: Double, _ pattern: Load.Pattern) -> Load {
                Load(
                    load.rule, keys: load.keys, perSecond: perSecond, cost: load.cost, pattern: pattern,
                    onlyNode: arrivals == 1 ? 0 : nil,
                    criticalPercent: load.criticalPercent == 0 ? nil : load.criticalPercent)
            }
            if load.perSecond > 0 { loads.append(entry(perNode, .steady)) }
            if case .bursts(let every, let count) = load.pattern {
                loads.append(entry(0, .bursts(every: every, of: Int(count))))
            }
        }
        self.init(name: name, rules: rules, loads: loads)
    }
}

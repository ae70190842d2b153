import ArgumentParser
import Foundation
import Simulator

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
            text += line(event)
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
        let keys = schedule.workload.loads.flatMap { load in
            let terms = schedule.workload.rules.first { $0.name == load.rule }!
            return (0..<min(load.keys, 100)).map {
                "{\"key\":\(quoted(load.key($0))),\"burst\":\(terms.burst),\"tokens\":\(terms.tokens),\"periodNs\":\(terms.period)}"
            }
        }
        return "{\"seed\":\(schedule.seed),\"profile\":\(quoted(schedule.profile)),\"nodes\":\(schedule.nodes),"
            + "\"rho\":\(Double(schedule.conditions.rho) / 1e9),\"keys\":[\(keys.joined(separator: ","))]}\n"
    }

    private static func line(_ event: Trace.Event) -> String {
        var text = "{\"t\":\(event.time),\"e\":\"\(event.kind)\""
        for (name, value) in event.fields {
            switch value {
            case .int(let number): text += ",\"\(name)\":\(number)"
            case .text(let words): text += ",\"\(name)\":\(quoted(words))"
            }
        }
        if let node = event.node { text += ",\"node\":\(node + 1)" }
        return text + "}\n"
    }

    private static func quoted(_ text: String) -> String {
        var result = "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"": result += "\\\""
            case "\\": result += "\\\\"
            case _ where scalar.value < 0x20: result += String(format: "\\u%04x", scalar.value)
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result + "\""
    }
}

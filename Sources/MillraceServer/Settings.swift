import Foundation
public import Logging
import RuleFiles
import Yams

/// A node's settings as text, from a YAML file, the environment and the command line; later ones win.
public struct Settings: Sendable {
    private var values: [String: (value: String, source: String)] = [:]

    /// What can be set, and whether the value must be given.
    public static let names = [
        "node", "cluster", "data", "http", "resp", "rules", "resp-password", "token", "insecure", "timescale",
        "log-level",
        "decision-log",
    ]
    private static let mostBytes = 1 << 20

    /// The settings of a file, if one is given, then those of the environment's `MILLRACE_*` variables.
    public init(configFile: String?, environment: [String: String]) throws(StartFailure) {
        if let file = configFile ?? environment["MILLRACE_CONFIG"] { try read(file) }
        for name in environment.keys.sorted() where name.hasPrefix("MILLRACE_") && name != "MILLRACE_CONFIG" {
            let key = name.dropFirst("MILLRACE_".count).lowercased().replacingOccurrences(of: "_", with: "-")
            guard Settings.names.contains(key) else {
                throw StartFailure(
                    .configuration, "the environment variable \(name) is not known: \(Settings.suggestion(for: key))")
            }
            values[key] = (environment[name]!, "environment variable \(name)")
        }
    }

    private mutating func read(_ file: String) throws(StartFailure) {
        guard let data = FileManager.default.contents(atPath: file) else {
            throw StartFailure(
                .configuration, "cannot read the configuration file '\(file)': check the path given with --config")
        }
        guard data.count <= Settings.mostBytes, let text = String(data: data, encoding: .utf8) else {
            throw StartFailure(.configuration, "\(file): a configuration file is UTF-8 text of at most 1 MiB")
        }
        let root: Yams.Node?
        do { root = try Yams.compose(yaml: text) } catch {
            throw StartFailure(.configuration, "\(file) is not YAML: \(error)")
        }
        guard let root else { return }
        guard let mapping = root.mapping else {
            throw StartFailure(.configuration, "\(file):1: a configuration file is a list of 'name: value' lines")
        }
        for (key, value) in mapping {
            let name = key.string ?? ""
            let place = "\(file):\(key.mark?.line ?? 1)"
            guard Settings.names.contains(name) else {
                throw StartFailure(
                    .configuration, "\(place): '\(name)' is not a setting: \(Settings.suggestion(for: name))")
            }
            guard values[name] == nil else {
                throw StartFailure(.configuration, "\(place): '\(name)' is set twice: keep one")
            }
            guard let scalar = value.scalar?.string else {
                throw StartFailure(.configuration, "\(place): '\(name)' takes one value")
            }
            values[name] = (scalar, place)
        }
    }

    private static func suggestion(for name: String) -> String { "the settings are \(names.joined(separator: ", "))" }

    /// A value from the command line, if it was given.
    public mutating func set(_ name: String, _ value: String?) {
        precondition(Settings.names.contains(name), "no setting is called \(name)")
        if let value { values[name] = (value, "--\(name)") }
    }

    private func required(_ name: String, _ remedy: String) throws(StartFailure) -> String {
        guard let value = values[name]?.value, !value.isEmpty else {
            throw StartFailure(.configuration, "--\(name) is missing: \(remedy)")
        }
        return value
    }

    private func number<Number: FixedWidthInteger>(_ name: String, _ text: String) throws(StartFailure) -> Number {
        guard let number = Number(text) else {
            throw StartFailure(
                .configuration, "\(values[name]?.source ?? name): '\(text)' is no number that \(name) can have")
        }
        return number
    }

    public func logLevel() throws(StartFailure) -> Logger.Level {
        guard let text = values["log-level"]?.value else { return .info }
        guard let level = Logger.Level(rawValue: text) else {
            throw StartFailure(
                .configuration,
                "'\(text)' is no log level: \(Logger.Level.allCases.map(\.rawValue).joined(separator: ", "))")
        }
        return level
    }

    public func nodeOptions() throws(StartFailure) -> NodeOptions {
        let node: UInt32 = try number(
            "node", try required("node", "say which member of --cluster this is, such as --node 1"))
        let members = try Member.parse(
            list: try required(
                "cluster", "list all members, such as 1=127.0.0.1:7101,2=127.0.0.1:7102,3=127.0.0.1:7103"))
        var options = NodeOptions(
            node: node, members: members, dataFolder: try required("data", "name the folder for this node's log"))
        if let text = values["http"]?.value { options.http = try Address(text) }
        if let text = values["resp"]?.value { options.resp = try Address(text) }
        options.rulesFile = values["rules"]?.value
        options.respPassword = values["resp-password"]?.value
        options.token = values["token"]?.value
        if let text = values["timescale"]?.value { options.timescale = try number("timescale", text) }
        options.decisionLog = values["decision-log"]?.value
        if let text = values["insecure"]?.value {
            guard let value = Bool(text) else {
                throw StartFailure(
                    .configuration, "\(values["insecure"]!.source): insecure is true or false, not '\(text)'")
            }
            options.isInsecure = value
        }
        try options.check()
        return options
    }
}

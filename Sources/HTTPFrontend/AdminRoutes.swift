import HTTPTypes
import HummingbirdCore
import LimiterCore
import NIOCore
import RuleFiles

/// Everything but decisions: rules, the cluster, busy keys, health and metrics.
struct AdminRoutes: Sendable {
    let control: any NodeControl

    /// The longest body of a change, in bytes.
    static let mostBytes = RuleFile.mostBytes
    /// The most keys that `GET /v1/keys` lists.
    static let mostKeys = 1000
    static let usualKeys = 20

    // MARK: Health

    func healthz() -> Response {
        var json = JSONText()
        json.object { $0.field("status", "ok") }
        return AdminRoutes.ok(json)
    }

    func readyz() throws(Problem) -> Response {
        if case .notReady(let reason) = control.isReady {
            throw .unavailable(
                "the node cannot decide yet: \(reason)", remedy: "wait; GET /v1/cluster shows what the node sees")
        }
        var json = JSONText()
        json.object { $0.field("ready", true) }
        return AdminRoutes.ok(json)
    }

    func metrics() async -> Response {
        AdminRoutes.ok(
            ByteBuffer(string: await control.metricsText()), type: "text/plain; version=0.0.4; charset=utf-8")
    }

    func cluster() async -> Response {
        let status = await control.clusterStatus()
        var json = JSONText()
        json.object { json in
            json.field("node", status.node)
            json.field("leader", raw: status.leader.map { String($0) } ?? "null")
            json.field("term", status.term)
            json.name("members")
            json.array(status.members) { json, member in
                json.object { json in
                    json.field("id", member.id)
                    json.field("address", member.address)
                    json.field("role", member.role)
                    json.field("reachable", member.reachable)
                }
            }
            json.name("ranges")
            json.array(status.ranges) { json, range in
                json.object { json in
                    json.field("id", range.id)
                    json.field("owner", raw: range.owner.map { String($0) } ?? "null")
                    json.field("epoch", range.epoch)
                }
            }
            json.field("commitIndex", status.commitIndex)
            json.field("clusterTimeMs", status.clusterTimeMs)
            json.field("incarnation", status.incarnation)
            json.field("version", status.version)
            json.field("health", status.health)
        }
        return AdminRoutes.ok(json)
    }

    func hotKeys(_ query: [(name: String, value: String)]) async throws(Problem) -> Response {
        var rule: String?
        var top = AdminRoutes.usualKeys
        for (name, value) in query {
            switch name {
            case "rule": rule = value
            case "top":
                guard let number = Int(value), (1...AdminRoutes.mostKeys).contains(number) else {
                    throw .malformed(
                        "the parameter 'top' is '\(String(value.prefix(40)))'",
                        remedy: "use a whole number from 1 to \(AdminRoutes.mostKeys)")
                }
                top = number
            default:
                throw .malformed(
                    "unknown parameter '\(String(name.prefix(40)))'", remedy: "possible are 'rule' and 'top'")
            }
        }
        if let rule { _ = try await find(rule) }
        let keys = await control.hotKeys(rule: rule, top: top)
        var json = JSONText()
        json.object { json in
            json.name("keys")
            json.array(keys) { json, key in
                json.object { json in
                    json.field("key", key.key)
                    json.field("rule", key.rule)
                    json.field("tokens", key.tokens)
                    json.field("limit", key.limit)
                    json.field("holders", key.holders)
                    json.field("admittedPerSecond", key.admittedPerSecond)
                    json.field("refusedPerSecond", key.refusedPerSecond)
                }
            }
        }
        return AdminRoutes.ok(json)
    }

    // MARK: Rules

    func listRules() async -> Response {
        let rules = await control.rules().sorted { $0.rule.name < $1.rule.name }
        var json = JSONText()
        json.object { json in
            json.name("rules")
            json.array(rules) { $0.raw(AdminRoutes.json($1)) }
        }
        return AdminRoutes.ok(json)
    }

    func getRule(_ name: String) async throws(Problem) -> Response {
        AdminRoutes.ok(ByteBuffer(string: AdminRoutes.json(try await find(name))), type: "application/json")
    }

    /// The rule with its version, which is ignored where it comes back in a change.
    private static func json(_ versioned: VersionedRule) -> String {
        RuleFile.json(versioned.rule).dropLast() + ",\"version\":\(versioned.version)}"
    }

    private func find(_ name: String) async throws(Problem) -> VersionedRule {
        let rules = await control.rules()
        if let rule = rules.first(where: { $0.rule.name == name }) { return rule }
        let near = NearestName.near(name, among: rules.map(\.rule.name), limit: 5)
        throw .unknownRule(name, near: near)
    }

    func putRule(_ name: String, _ head: HTTPRequest, _ body: ByteBuffer) async throws(Problem) -> Response {
        guard Rule.isName(name) else {
            throw Problem(
                status: .unprocessableContent, name: "bad-rule", title: "The rule is refused",
                detail: "'\(String(name.prefix(80)))' is no rule name",
                remedy: "use 1 to \(Rule.longestName) characters of a-z, 0-9, '.', '_' and '-'")
        }
        let text = try AdminRoutes.text(body)
        let rule: Rule
        do {
            rule = try RuleFile.parseOne(json: text, file: "body", name: name)
        } catch {
            throw AdminRoutes.problem(error)
        }
        let version = try await apply([rule])
        var json = JSONText()
        json.object { json in
            json.field("name", name)
            json.field("version", version)
        }
        return AdminRoutes.ok(json)
    }

    /// A whole file, all or nothing: JSON, or YAML if the content type says so.
    func applyFile(_ head: HTTPRequest, _ body: ByteBuffer) async throws(Problem) -> Response {
        let text = try AdminRoutes.text(body)
        let isYAML = (head.headerFields[.contentType] ?? "").lowercased().contains("yaml")
        let rules: [Rule]
        do {
            rules = try RuleFile.parse(text, file: "body", format: isYAML ? .yaml : .json)
        } catch {
            throw AdminRoutes.problem(error)
        }
        let version = try await apply(rules)
        var json = JSONText()
        json.object { json in
            json.field("applied", rules.count)
            json.field("version", version)
        }
        return AdminRoutes.ok(json)
    }

    func deleteRule(_ name: String) async throws(Problem) -> Response {
        let wasThere: Bool
        do {
            wasThere = try await control.delete(rule: name)
        } catch {
            throw AdminRoutes.problem(error)
        }
        if !wasThere {
            _ = try await find(name)
            // It was set again in between: then it is not gone, and the caller should know.
            throw Problem(
                status: .conflict, name: "changed-meanwhile", title: "The rule changed meanwhile",
                detail: "the rule '\(name)' was set while it was being deleted",
                remedy: "delete it again if you mean it")
        }
        var json = JSONText()
        json.object { json in
            json.field("name", name)
            json.field("deleted", true)
        }
        return AdminRoutes.ok(json)
    }

    private func apply(_ rules: [Rule]) async throws(Problem) -> UInt64 {
        do {
            return try await control.apply(rules)
        } catch {
            throw AdminRoutes.problem(error)
        }
    }

    // MARK: Helpers

    private static func text(_ body: ByteBuffer) throws(Problem) -> String {
        guard let text = String(validating: body.readableBytesView, as: UTF8.self) else {
            throw .malformed("the body is not valid UTF-8", remedy: "send the rules in UTF-8")
        }
        return text
    }

    private static func problem(_ error: RuleFileError) -> Problem {
        let problems = error.problems.map { RuleFile.quoted($0.description) }.joined(separator: ",")
        return Problem(
            status: error.isMalformed ? .badRequest : .unprocessableContent,
            name: error.isMalformed ? "malformed-request" : "bad-rule",
            title: error.isMalformed ? "The body cannot be read" : "The rule is refused",
            detail: error.description, remedy: "correct what is named and send it again; nothing was changed",
            members: [("problems", "[\(problems)]")])
    }

    private static func problem(_ error: ControlError) -> Problem {
        switch error.code {
        case .refused:
            Problem(
                status: .unprocessableContent, name: "refused", title: "The cluster refuses the change",
                detail: error.message, remedy: "correct the change; nothing was changed")
        case .timeout:
            .unavailable(
                error.message, remedy: "look with GET /v1/rules whether the change happened; send it again if not")
        default:
            .unavailable(error.message, remedy: "try again, or at another node; GET /v1/cluster shows the leader")
        }
    }

    private static func ok(_ json: JSONText) -> Response { ok(json.buffer, type: "application/json") }

    private static func ok(_ body: ByteBuffer, type: String) -> Response {
        var fields = HTTPFields()
        fields.append(HTTPField(name: .contentType, value: type))
        return Response(status: .ok, headers: fields, body: ResponseBody(byteBuffer: body))
    }
}

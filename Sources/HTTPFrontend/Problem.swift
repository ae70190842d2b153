import HTTPTypes
import HummingbirdCore
import RuleFiles

/// An answer that says what went wrong and what to do (RFC 9457, "Problem Details for HTTP APIs").
struct Problem: Error, Equatable {
    var status: HTTPResponse.Status
    /// The last part of the problem's type.
    var name: String
    var title: String
    var detail: String
    /// What the caller or the operator can do.
    var remedy: String
    /// Further members, as JSON.
    var members: [(name: String, json: String)] = []
    var headers: [HTTPField] = []

    /// Where the types of our own problems are.
    static let base = "urn:millrace:problem:"
    /// Problem types that the HTTPAPI working group registered.
    static let registered = "https://iana.org/assignments/http-problem-types#"

    static func == (a: Problem, b: Problem) -> Bool { a.status == b.status && a.name == b.name && a.detail == b.detail }

    var response: Response {
        let type = name == "temporary-reduced-capacity" ? Problem.registered + name : Problem.base + name
        var json = JSONText()
        json.object { json in
            json.field("type", type)
            json.field("title", title)
            json.field("status", Int64(status.code))
            json.field("detail", detail)
            json.field("remedy", remedy)
            for member in members { json.field(member.name, raw: member.json) }
        }
        var fields = HTTPFields()
        fields.append(HTTPField(name: .contentType, value: "application/problem+json"))
        for field in headers { fields.append(field) }
        return Response(status: status, headers: fields, body: ResponseBody(byteBuffer: json.buffer))
    }

    // MARK: The ones that are said in several places

    static func malformed(_ detail: String, remedy: String) -> Problem {
        Problem(
            status: .badRequest, name: "malformed-request", title: "The request cannot be read", detail: detail,
            remedy: remedy)
    }

    static func tooLarge(_ what: String, most: Int) -> Problem {
        Problem(
            status: .contentTooLarge, name: "too-large", title: "The request is too large",
            detail: "\(what) may have at most \(most) bytes", remedy: "send less at a time")
    }

    /// 503: nothing is wrong with the request; it can be sent again after `seconds`.
    static func unavailable(_ detail: String, remedy: String, retryAfter seconds: Int64 = 1) -> Problem {
        Problem(
            status: .serviceUnavailable, name: "temporary-reduced-capacity", title: "The node cannot do this now",
            detail: detail, remedy: remedy, headers: [HTTPField(name: .retryAfter, value: String(seconds))])
    }

    static func unknownRule(_ name: String, near: [String]) -> Problem {
        let hint = near.isEmpty ? "" : "; did you mean \(near.map { "'\($0)'" }.joined(separator: " or "))?"
        return Problem(
            status: .notFound, name: "unknown-rule", title: "There is no such rule",
            detail: "no rule is called '\(String(name.prefix(80)))'\(hint)",
            remedy: "GET /v1/rules lists the rules; PUT /v1/rules/{name} adds one",
            members: [("near", "[\(near.map { RuleFile.quoted($0) }.joined(separator: ","))]")])
    }
}

import HTTPTypes
import Hummingbird
import MillraceClient

/// What a limited request is answered, and the fields that say how much is left.
///
/// `RateLimit` and `RateLimit-Policy` follow draft-ietf-httpapi-ratelimit-headers (lists of RFC 9651 strings with parameters); the problem
/// types are those that the HTTPAPI working group registered (RFC 9457).
enum LimitedResponse {
    static let policy = HTTPField.Name("RateLimit-Policy")!
    static let limit = HTTPField.Name("RateLimit")!
    private static let types = "https://iana.org/assignments/http-problem-types#"

    static func addFields(of decision: MillraceClient.Decision, to headers: inout HTTPFields) {
        let wait = decision.isAllowed ? decision.resetAfter : decision.retryAfter ?? .seconds(1)
        headers[policy] = "\"\(decision.rule)\";q=\(decision.limit)"
        headers[limit] = "\"\(decision.rule)\";r=\(decision.remaining);t=\(seconds(wait))"
    }

    static func tooManyRequests(_ decision: MillraceClient.Decision) -> Response {
        // At least a second: "again after 0 seconds" would be an invitation to hammer.
        let after = max(1, seconds(decision.retryAfter ?? .seconds(1)))
        var response = problem(
            .tooManyRequests, type: "quota-exceeded", title: "Too many requests",
            detail: "the limit of '\(decision.rule)' is reached: try again in \(after) s",
            members: ",\"violated-policies\":[\"\(decision.rule)\"]")
        addFields(of: decision, to: &response.headers)
        response.headers[.retryAfter] = "\(after)"
        return response
    }

    static func unavailable(_ decision: MillraceClient.Decision) -> Response {
        var response = problem(
            .serviceUnavailable, type: "temporary-reduced-capacity", title: "The limiter cannot be reached",
            detail: "nobody can tell whether '\(decision.rule)' allows this: try again", members: "")
        response.headers[.retryAfter] = "1"
        return response
    }

    /// A rule's name has no letters that JSON would have to escape.
    private static func problem(
        _ status: HTTPResponse.Status, type: String, title: String, detail: String, members: String
    ) -> Response {
        let json =
            "{\"type\":\"\(types)\(type)\",\"title\":\"\(title)\",\"status\":\(status.code),\"detail\":\"\(detail)\"\(members)}"
        return Response(
            status: status, headers: [.contentType: "application/problem+json"],
            body: ResponseBody(byteBuffer: ByteBuffer(string: json)))
    }

    /// Whole seconds, rounded up.
    private static func seconds(_ duration: Duration) -> Int64 {
        let (seconds, rest) = duration.components
        return max(0, seconds + (rest > 0 ? 1 : 0))
    }
}

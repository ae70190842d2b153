import HTTPTypes
import HummingbirdCore
import LimiterCore
import NIOCore

/// Renders a decision as an answer: the JSON body, and the header fields that say the same.
///
/// `RateLimit-Policy` and `RateLimit` follow draft-ietf-httpapi-ratelimit-headers (lists of RFC 9651 strings with parameters),
/// the `X-RateLimit` fields what most servers sent before it.
struct DecisionAnswer {
    var rule: String
    var limit: Limit
    /// Whether the fields of old are sent too.
    var hasLegacyHeaders: Bool

    static let policyName = HTTPField.Name("RateLimit-Policy")!
    static let rateLimitName = HTTPField.Name("RateLimit")!
    static let legacyLimitName = HTTPField.Name("X-RateLimit-Limit")!
    static let legacyRemainingName = HTTPField.Name("X-RateLimit-Remaining")!
    static let legacyResetName = HTTPField.Name("X-RateLimit-Reset")!

    /// `waited` is how long the request has waited for its turn, in nanoseconds.
    /// `rule` names the rule that decided where there were several; `reservation` is what was reserved.
    func response(
        _ decision: Decision, waited: Int64 = 0, rule decidedBy: String? = nil, reservation: String? = nil
    ) -> Response {
        let isAllowed = decision.isAllowed
        let retryAfter = isAllowed ? 0 : max(0, decision.retryAfter)
        var body = ByteBuffer()
        body.reserveCapacity(128)
        body.writeString(isAllowed ? "{\"allowed\":true,\"limit\":" : "{\"allowed\":false,\"limit\":")
        body.writeString(String(decision.limit))
        body.writeStaticString(",\"remaining\":")
        body.writeString(String(decision.remaining))
        body.writeStaticString(",\"retryAfterMs\":")
        body.writeString(String(DecisionAnswer.ceiling(retryAfter, 1_000_000)))
        body.writeStaticString(",\"resetAfterMs\":")
        body.writeString(String(DecisionAnswer.ceiling(decision.resetAfter, 1_000_000)))
        if waited > 0 {
            body.writeStaticString(",\"waitedMs\":")
            body.writeString(String(DecisionAnswer.ceiling(waited, 1_000_000)))
        }
        if let decidedBy {
            body.writeStaticString(",\"rule\":\"")
            body.writeString(decidedBy)
            body.writeStaticString("\"")
        }
        if let reservation {
            body.writeStaticString(",\"id\":\"")
            body.writeString(reservation)
            body.writeStaticString("\"")
        }
        if decision.isShadowed { body.writeStaticString(",\"shadow\":true") }
        if decision.isIsolated { body.writeStaticString(",\"isolated\":true") }
        body.writeStaticString("}")

        let remaining = String(decision.remaining)
        let resetSeconds = DecisionAnswer.ceiling(decision.resetAfter, 1_000_000_000)
        // At least a second: "again after 0 seconds" would be an invitation to hammer.
        let retrySeconds = max(1, DecisionAnswer.ceiling(retryAfter, 1_000_000_000))
        var fields = HTTPFields()
        fields.reserveCapacity(9)
        fields.append(HTTPField(name: .contentType, value: "application/json"))
        fields.append(HTTPField(name: Self.policyName, value: policy))
        let wait = String(isAllowed ? resetSeconds : retrySeconds)
        fields.append(HTTPField(name: Self.rateLimitName, value: "\"" + rule + "\";r=" + remaining + ";t=" + wait))
        if hasLegacyHeaders {
            fields.append(HTTPField(name: Self.legacyLimitName, value: String(decision.limit)))
            fields.append(HTTPField(name: Self.legacyRemainingName, value: remaining))
            fields.append(HTTPField(name: Self.legacyResetName, value: String(resetSeconds)))
        }
        if !isAllowed { fields.append(HTTPField(name: .retryAfter, value: wait)) }
        return Response(
            status: isAllowed ? .ok : .tooManyRequests, headers: fields, body: ResponseBody(byteBuffer: body))
    }

    /// The rule's quota: a full bucket, and the seconds in which it fills.
    var policy: String {
        let window = max(1, DecisionAnswer.ceiling(limit.tolerance, 1_000_000_000))
        return "\"" + rule + "\";q=" + String(limit.burst) + ";w=" + String(window)
    }

    /// `value / unit` rounded up, for values from 0; 0 for negative ones.
    static func ceiling(_ value: Int64, _ unit: Int64) -> Int64 {
        value <= 0 ? 0 : value / unit + (value % unit == 0 ? 0 : 1)
    }
}

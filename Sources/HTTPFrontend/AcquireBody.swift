import LimiterCore

/// What the body of `POST /v1/acquire` says, as places in its bytes: nothing is copied unless a string has escapes.
struct AcquireBody {
    /// A string of the body.
    struct Text {
        /// Its bytes in the body, without the quotes.
        var range: Range<Int>
        /// Its bytes after the escapes are replaced; nil if there are none.
        var unescaped: [UInt8]? = nil

        var byteCount: Int { unescaped?.count ?? range.count }

        /// The bytes; `body` must be the one that was scanned.
        func bytes(in body: Span<UInt8>) -> [UInt8] {
            if let unescaped { return unescaped }
            var copy: [UInt8] = []
            copy.reserveCapacity(range.count)
            for i in range { copy.append(body[i]) }
            return copy
        }

        func string(in body: Span<UInt8>) -> String { String(decoding: bytes(in: body), as: UTF8.self) }
    }

    var rule: Text
    var key: Text
    /// Tokens, from 0.
    var cost: Int64
    /// Of the request with all its permits.
    var priority = Priority.normal
    /// How long the caller would wait, in milliseconds; nil where it does not say.
    var waitMs: Int64?
    /// How long a reservation may stay open, in milliseconds; nil where it does not say.
    var ttlMs: Int64?
    /// Several permits, all or nothing; then rule, key and cost are theirs. Empty for a single one.
    var permits: [AcquireBody] = []

    /// The most permits in one request.
    static let mostPermits = 16
    /// The longest body, in bytes.
    static let mostBytes = 64 << 10
}

/// Why a body is refused, and where.
struct ScanError: Error, Equatable {
    /// Bytes from the start of the body.
    var offset: Int
    var message: String
}

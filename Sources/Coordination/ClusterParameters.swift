import ByteCoding
public import LimiterCore

/// Everything safety depends on besides rules and ranges: agreed once, in the log, never in a node's own configuration
/// (design, section 2). All times in nanoseconds.
public struct ClusterParameters: Hashable, Sendable {
    /// How far the rates of two clocks may be apart, in parts per billion; 500 ppm by default.
    public var rho: Int64 = 500_000
    /// How long after a cover's stamp the owner may hand out slack.
    public var horizon: Int64 = 750_000_000
    /// How long beyond the horizon it may still hand out what is reserved.
    public var grace: Int64 = 10_000_000_000
    /// The stretch of virtual time that any bucket may run ahead of the clock without a log record.
    public var leastSlack: Int64 = 250_000_000
    /// Beyond ``leastSlack``, a bucket's slack is its tolerance divided by this.
    public var slackDivisor: Int64 = 10
    /// How many bounds the log's state keeps per range before it forgets the least by raising a floor.
    public var boundsPerRange: Int = 65_536
    /// How many live buckets an owner keeps per range before it forgets the least by raising a floor.
    public var bucketsPerRange: Int = 65_536

    public init() {}

    public var drift: DriftBound { DriftBound(partsPerBillion: rho) }

    /// What clocks may drift apart while a process that has lost its range still spends what it had: `2 rho (horizon + grace)`.
    public var margin: Int64 {
        let product = (horizon + grace).multipliedFullWidth(by: 2 * rho)
        return Int64(1_000_000_000).dividingFullWidth(product).quotient + 1
    }

    /// How far a bucket with tolerance `tau` may run ahead of `min(axis, horizon)` without a log record.
    public func slack(tolerance tau: Int64, exact: Bool) -> Int64 {
        if exact { return 0 }
        return tau <= leastSlack ? tau : max(leastSlack, tau / slackDivisor)
    }

    /// Why these parameters cannot be used, or nil if they can.
    public var mistake: String? {
        if !(0...100_000_000).contains(rho) { return "rho must be from 0 to 100,000,000 ppb, not \(rho)" }
        if !(1_000_000...60_000_000_000).contains(horizon) { return "the horizon must be from 1 ms to 60 s" }
        if !(0...600_000_000_000).contains(grace) { return "the grace must be from 0 to 600 s" }
        if leastSlack < 0 || slackDivisor < 1 { return "slack must not be negative, its divisor at least 1" }
        if !(16...16_777_216).contains(boundsPerRange) { return "boundsPerRange must be from 16 to 16,777,216" }
        if !(16...16_777_216).contains(bucketsPerRange) { return "bucketsPerRange must be from 16 to 16,777,216" }
        return nil
    }

    func encode(into writer: inout ByteWriter) {
        for value in [rho, horizon, grace, leastSlack, slackDivisor] { writer.write(value) }
        writer.write(UInt32(boundsPerRange))
        writer.write(UInt32(bucketsPerRange))
    }

    init(from reader: inout ByteReader) throws(DecodingFailure) {
        rho = try reader.read()
        horizon = try reader.read()
        grace = try reader.read()
        leastSlack = try reader.read()
        slackDivisor = try reader.read()
        boundsPerRange = Int(try reader.read(UInt32.self))
        bucketsPerRange = Int(try reader.read(UInt32.self))
        if let mistake { throw DecodingFailure(mistake) }
    }
}

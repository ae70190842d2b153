/// A figure that was estimated from many runs, with its 95 % interval.
package struct Estimate: Equatable, Sendable {
    package var value: Double
    package var low: Double
    package var high: Double

    package init(value: Double, low: Double, high: Double) {
        self.value = value
        self.low = low
        self.high = high
    }

    /// The 97.5th percentile of the normal distribution.
    private static let z = 1.959963984540054

    /// The chance of something that was seen `hits` times in `runs` runs, with Wilson's score interval (Wilson 1927), which is
    /// sound where nothing, or everything, was a hit.
    package static func chance(_ hits: Int, of runs: Int) -> Estimate {
        precondition(runs > 0 && (0...runs).contains(hits), "\(hits) hits in \(runs) runs")
        let (n, p, zz) = (Double(runs), Double(hits) / Double(runs), z * z)
        let centre = (p + zz / (2 * n)) / (1 + zz / n)
        let half = z / (1 + zz / n) * (p * (1 - p) / n + zz / (4 * n * n)).squareRoot()
        // At the ends the interval ends there too, but for rounding.
        return Estimate(value: p, low: hits == 0 ? 0 : centre - half, high: hits == runs ? 1 : centre + half)
    }

    /// The mean of independent samples, with the normal interval. One sample has no interval: its ends are the sample.
    package static func mean(_ samples: [Double]) -> Estimate {
        precondition(!samples.isEmpty, "no samples")
        let n = Double(samples.count)
        let mean = samples.reduce(0, +) / n
        guard samples.count > 1 else { return Estimate(value: mean, low: mean, high: mean) }
        let variance = samples.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / (n - 1)
        let half = z * (variance / n).squareRoot()
        return Estimate(value: mean, low: mean - half, high: mean + half)
    }
}

extension [Double] {
    /// The smallest sample that at least `share` (0 to 1) of all are at or below; nil if there are none.
    package func percentile(_ share: Double) -> Double? {
        guard !isEmpty else { return nil }
        let place = Int((Double(count) * share).rounded(.up)) - 1
        return sorted()[Swift.min(count - 1, Swift.max(0, place))]
    }
}

/// A number with so many digits after the point. Our own, so that every machine writes the same characters.
package func fixed(_ value: Double, _ digits: Int) -> String {
    guard value.isFinite else { return "" }
    var scale: Int64 = 1
    for _ in 0..<digits { scale *= 10 }
    let whole = Int64((value.magnitude * Double(scale)).rounded())
    let sign = value < 0 && whole != 0 ? "-" : ""
    guard digits > 0 else { return "\(sign)\(whole)" }
    let fraction = String(whole % scale)
    return "\(sign)\(whole / scale)." + String(repeating: "0", count: digits - fraction.count) + fraction
}

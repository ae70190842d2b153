/// Where values lie between the ends of an axis, and which of them have a tick.
struct Scale {
    let isLogarithmic: Bool
    private let low: Double
    private let high: Double
    let ticks: [Double]

    /// A linear axis that ends at round numbers.
    init(from low: Double, to high: Double) {
        isLogarithmic = false
        let high = high > low ? high : low + 1
        let step = Scale.roundStep((high - low) / 5)
        self.low = (low / step).rounded(.down) * step
        self.high = (high / step).rounded(.up) * step
        let count = Int(((self.high - self.low) / step).rounded())
        let start = self.low
        ticks = (0...count).map { start + Double($0) * step }
    }

    /// A logarithmic axis from the power of ten below to the one above; over less than two of them with ticks at 2 and 5, and over
    /// more than eight at every second.
    init(logarithmicFrom low: Double, to high: Double) {
        isLogarithmic = true
        let first = Scale.power(below: low)
        var last = Scale.power(below: high)
        if Scale.ten(last) < high * (1 - 1e-9) { last += 1 }
        if last == first { last += 1 }
        // Where much of a decade would stay empty, the axis begins and ends at 2 or 5.
        let fine = last - first <= 3
        var marks: [Double] = []
        for power in first...last {
            for factor in fine ? [1.0, 2, 5] : [1] { marks.append(factor * Scale.ten(power)) }
        }
        let from = marks.last { $0 <= low * (1 + 1e-9) } ?? Scale.ten(first)
        let to = marks.first { $0 >= high * (1 - 1e-9) } ?? Scale.ten(last)
        self.low = from
        self.high = to > from ? to : from * 10
        let (start, end) = (self.low, self.high)
        ticks = marks.filter { $0 >= start * (1 - 1e-9) && $0 <= end * (1 + 1e-9) }
    }

    /// 0 at the low end, 1 at the high one; what lies outside is put at the end.
    func place(of value: Double) -> Double {
        let share: Double
        if isLogarithmic {
            guard value > 0 else { return 0 }
            share = Scale.log2(value / low) / Scale.log2(high / low)
        } else {
            share = (value - low) / (high - low)
        }
        return min(1, max(0, share))
    }

    private static func roundStep(_ rough: Double) -> Double {
        let base = ten(power(below: rough))
        for factor in [1.0, 2, 5, 10] where factor * base >= rough * (1 - 1e-9) { return factor * base }
        return 10 * base
    }

    /// The greatest `k` with `10^k <= value`.
    private static func power(below value: Double) -> Int {
        var k = 0
        while ten(k) > value * (1 + 1e-9) { k -= 1 }
        while ten(k + 1) <= value * (1 + 1e-9) { k += 1 }
        return k
    }

    private static func ten(_ power: Int) -> Double {
        var value = 1.0
        for _ in 0..<power.magnitude { value *= 10 }
        return power < 0 ? 1 / value : value
    }

    /// The binary logarithm, by squaring: the standard library has none, and a pixel needs no more than 20 bits of it.
    static func log2(_ value: Double) -> Double {
        var mantissa = value.significand
        var result = Double(value.exponent)
        var bit = 0.5
        for _ in 0..<24 {
            mantissa *= mantissa
            if mantissa >= 2 {
                mantissa /= 2
                result += bit
            }
            bit /= 2
        }
        return result
    }
}

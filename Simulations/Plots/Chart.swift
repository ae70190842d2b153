/// A line chart as one SVG file, drawn by us: readable on light and dark pages, without scripts or fonts of its own.
///
/// Coordinates are data; the chart finds its ranges, or takes those it is given.
package struct Chart: Sendable {
    package struct Axis: Sendable {
        package var title: String
        package var isLogarithmic: Bool
        /// nil: what the data need.
        package var low: Double?
        package var high: Double?

        package init(_ title: String, isLogarithmic: Bool = false, low: Double? = nil, high: Double? = nil) {
            self.title = title
            self.isLogarithmic = isLogarithmic
            self.low = low
            self.high = high
        }
    }

    package struct Point: Sendable {
        package var x: Double
        package var y: Double
        /// The ends of the 95 % interval, drawn as a band.
        package var low: Double?
        package var high: Double?

        package init(_ x: Double, _ y: Double, low: Double? = nil, high: Double? = nil) {
            self.x = x
            self.y = y
            self.low = low
            self.high = high
        }
    }

    package struct Series: Sendable {
        package var name: String
        package var points: [Point]
        /// Calculated and not measured: a thin dashed line without marks, in the colour of the series before.
        package var isReference: Bool

        package init(_ name: String, _ points: [Point], isReference: Bool = false) {
            self.name = name
            self.points = points
            self.isReference = isReference
        }
    }

    package var title: String
    package var x: Axis
    package var y: Axis
    package var series: [Series]

    package init(_ title: String, x: Axis, y: Axis, series: [Series]) {
        self.title = title
        self.x = x
        self.y = y
        self.series = series
    }

    /// The size of the whole picture and of what surrounds the plot, in pixels.
    private static let width = 760.0
    private static let height = 440.0
    private static let left = 76.0
    private static let right = 236.0
    private static let top = 44.0
    private static let bottom = 56.0
    /// The number of colours; more series begin again with other marks.
    private static let colours = 8

    /// The SVG. Equal charts give equal text.
    package var svg: String {
        let (xs, ys) = (scale(x, values: xValues), scale(y, values: yValues))
        let plotRight = Chart.width - Chart.right
        let plotBottom = Chart.height - Chart.bottom
        func px(_ value: Double) -> Double { Chart.left + xs.place(of: value) * (plotRight - Chart.left) }
        func py(_ value: Double) -> Double { plotBottom - ys.place(of: value) * (plotBottom - Chart.top) }
        var body = ""
        body += "<text class=\"title\" x=\"\(text(Chart.left))\" y=\"24\">\(escaped(title))</text>\n"
        for tick in xs.ticks {
            let at = text(px(tick))
            body +=
                "<line class=\"grid\" x1=\"\(at)\" y1=\"\(text(Chart.top))\" x2=\"\(at)\" y2=\"\(text(plotBottom))\"/>\n"
            body +=
                "<text class=\"tick\" x=\"\(at)\" y=\"\(text(plotBottom + 18))\" text-anchor=\"middle\">\(label(tick))</text>\n"
        }
        for tick in ys.ticks {
            let at = text(py(tick))
            body +=
                "<line class=\"grid\" x1=\"\(text(Chart.left))\" y1=\"\(at)\" x2=\"\(text(plotRight))\" y2=\"\(at)\"/>\n"
            body +=
                "<text class=\"tick\" x=\"\(text(Chart.left - 8))\" y=\"\(text(py(tick) + 4))\" text-anchor=\"end\">\(label(tick))</text>\n"
        }
        body +=
            "<path class=\"frame\" d=\"M\(text(Chart.left)) \(text(Chart.top))V\(text(plotBottom))H\(text(plotRight))\"/>\n"
        body +=
            "<text class=\"axis\" x=\"\(text((Chart.left + plotRight) / 2))\" y=\"\(text(Chart.height - 14))\" text-anchor=\"middle\">\(escaped(x.title))</text>\n"
        let middle = text((Chart.top + plotBottom) / 2)
        body +=
            "<text class=\"axis\" transform=\"translate(18 \(middle)) rotate(-90)\" text-anchor=\"middle\">\(escaped(y.title))</text>\n"
        var colour = -1
        for (number, line) in series.enumerated() {
            if !line.isReference || colour < 0 { colour += 1 }
            body += draw(line, colour: colour % Chart.colours, px: px, py: py)
            body += drawLegend(line, number: number, colour: colour % Chart.colours, x: plotRight + 18)
        }
        return """
            <svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 \(text(Chart.width)) \(text(Chart.height))" \
            width="\(text(Chart.width))" height="\(text(Chart.height))" role="img" aria-label="\(escaped(title))">
            <style>
            \(Chart.style)
            </style>
            <rect class="page" width="100%" height="100%"/>
            \(body)</svg>

            """
    }

    // MARK: Parts

    private func draw(_ line: Series, colour: Int, px: (Double) -> Double, py: (Double) -> Double) -> String {
        // A logarithmic axis has no place for what is not positive.
        let points = line.points.filter {
            (!x.isLogarithmic || $0.x > 0) && (!y.isLogarithmic || $0.y > 0) && $0.y.isFinite
        }
        guard !points.isEmpty else { return "" }
        var out = ""
        let band = points.filter { $0.low != nil && $0.high != nil }
        if band.count > 1 {
            let least = y.low ?? (y.isLogarithmic ? points.map(\.y).min()! / 10 : -Double.infinity)
            let upper = band.map { "\(text(px($0.x))) \(text(py($0.high!)))" }
            let lower = band.reversed().map { "\(text(px($0.x))) \(text(py(max($0.low!, least))))" }
            out += "<path class=\"band f\(colour)\" d=\"M\((upper + lower).joined(separator: "L"))Z\"/>\n"
        }
        let path = points.map { "\(text(px($0.x))) \(text(py($0.y)))" }.joined(separator: "L")
        out += "<path class=\"\(line.isReference ? "reference" : "line") s\(colour)\" d=\"M\(path)\"/>\n"
        guard !line.isReference else { return out }
        for point in points {
            out += "<circle class=\"f\(colour)\" cx=\"\(text(px(point.x)))\" cy=\"\(text(py(point.y)))\" r=\"3\"/>\n"
        }
        return out
    }

    private func drawLegend(_ line: Series, number: Int, colour: Int, x: Double) -> String {
        let at = Chart.top + 10 + Double(number) * 20
        return
            "<path class=\"\(line.isReference ? "reference" : "line") s\(colour)\" d=\"M\(text(x)) \(text(at - 4))h22\"/>\n"
            + (line.isReference
                ? "" : "<circle class=\"f\(colour)\" cx=\"\(text(x + 11))\" cy=\"\(text(at - 4))\" r=\"3\"/>\n")
            + "<text class=\"legend\" x=\"\(text(x + 30))\" y=\"\(text(at))\">\(escaped(line.name))</text>\n"
    }

    private var xValues: [Double] { series.flatMap { $0.points.map(\.x) } }
    private var yValues: [Double] { series.flatMap { $0.points.flatMap { [$0.y, $0.high ?? $0.y] } } }

    private func scale(_ axis: Axis, values: [Double]) -> Scale {
        let usable = values.filter { $0.isFinite && (!axis.isLogarithmic || $0 > 0) }
        let low = axis.low ?? usable.min() ?? (axis.isLogarithmic ? 1 : 0)
        let high = axis.high ?? usable.max() ?? low
        return axis.isLogarithmic ? Scale(logarithmicFrom: low, to: high) : Scale(from: low, to: high)
    }

    /// Light colours first; Okabe and Ito's palette (2008), which most colour-blind readers can tell apart, a little darker on
    /// light pages and a little lighter on dark ones.
    private static let style = """
        svg{font:12px system-ui,sans-serif;color-scheme:light dark}
        .page{fill:#fff}.title{font-size:15px;font-weight:600}text{fill:#222}.tick,.legend{fill:#444}
        .grid{stroke:#e4e4e4}.frame{fill:none;stroke:#777}
        .line{fill:none;stroke-width:2}.reference{fill:none;stroke-width:1.3;stroke-dasharray:5 4}.band{opacity:.18}
        .s0{stroke:#0072b2}.s1{stroke:#c4520a}.s2{stroke:#007a58}.s3{stroke:#a8518a}.s4{stroke:#9a7400}.s5{stroke:#2b87b8}.s6{stroke:#555}.s7{stroke:#8c2d04}
        .f0{fill:#0072b2}.f1{fill:#c4520a}.f2{fill:#007a58}.f3{fill:#a8518a}.f4{fill:#9a7400}.f5{fill:#2b87b8}.f6{fill:#555}.f7{fill:#8c2d04}
        @media(prefers-color-scheme:dark){
        .page{fill:#16181c}text{fill:#eee}.tick,.legend{fill:#c8c8c8}.grid{stroke:#31343a}.frame{stroke:#999}
        .s0{stroke:#5ab4ec}.s1{stroke:#ff8d4d}.s2{stroke:#3ecfa3}.s3{stroke:#e79ccb}.s4{stroke:#e6c029}.s5{stroke:#9bd7f5}.s6{stroke:#bbb}.s7{stroke:#f0a27a}
        .f0{fill:#5ab4ec}.f1{fill:#ff8d4d}.f2{fill:#3ecfa3}.f3{fill:#e79ccb}.f4{fill:#e6c029}.f5{fill:#9bd7f5}.f6{fill:#bbb}.f7{fill:#f0a27a}
        }
        """
}

/// Escapes what XML would take for markup.
private func escaped(_ text: String) -> String {
    var out = ""
    for character in text {
        switch character {
        case "&": out += "&amp;"
        case "<": out += "&lt;"
        case ">": out += "&gt;"
        case "\"": out += "&quot;"
        default: out.append(character)
        }
    }
    return out
}

/// A coordinate with at most one digit after the point.
private func text(_ value: Double) -> String {
    let tenths = Int((value * 10).rounded())
    let sign = tenths < 0 ? "-" : ""
    let size = tenths.magnitude
    return size % 10 == 0 ? "\(sign)\(size / 10)" : "\(sign)\(size / 10).\(size % 10)"
}

/// A tick's number, short: 1500000 is 1.5M.
private func label(_ value: Double) -> String {
    for (limit, unit) in [(1e9, "G"), (1e6, "M"), (1e3, "k")] where value.magnitude >= limit {
        return short(value / limit) + unit
    }
    return short(value)
}

private func short(_ value: Double) -> String {
    if value == 0 { return "0" }
    var digits = 0
    var scaled = value.magnitude
    // As many digits as the number needs, up to five.
    while digits < 5, (scaled - scaled.rounded()).magnitude > 1e-6 * max(1, scaled) {
        scaled *= 10
        digits += 1
    }
    let whole = Int(scaled.rounded())
    var power = 1
    for _ in 0..<digits { power *= 10 }
    let fraction = String(whole % power)
    let sign = value < 0 ? "-" : ""
    return digits == 0
        ? "\(sign)\(whole)"
        : "\(sign)\(whole / power)." + String(repeating: "0", count: digits - fraction.count) + fraction
}

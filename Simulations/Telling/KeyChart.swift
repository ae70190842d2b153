/// The lower part of the picture: for each key what was left of its promise, and who admitted.
extension Drawing {
    /// How many steps of the run a chart tells apart: more than its pixels, so that zooming shows more.
    static let columns = 1560
    static let mostCharts = 6
    private static let chart = 96.0
    private static let rug = 6.0

    mutating func draw(_ key: KeyStory, number: Int) {
        heading(key)
        let burst = Double(max(1, key.key.burst))
        let bottom = min(0, key.lowest.level * 1.06)
        let (top, height) = (y, Drawing.chart)
        func level(_ value: Double) -> Double { top + height * (burst - value) / (burst - bottom) }
        let zero = level(0)
        let edge = Drawing.plot

        shape(
            "<rect x=\"0\" y=\"\(Drawing.n(top))\" width=\"\(Drawing.n(edge))\" height=\"\(Drawing.n(height))\" "
                + "class=\"field\"/>")
        gutterText(Figures.tokens(burst), y: top + 9, x: Drawing.left - 8, style: "small", anchor: "end")
        if key.isBroken {
            let lowest = Figures.tokens(key.lowest.level)
            gutterText(lowest, y: top + height, x: Drawing.left - 8, style: "small bad", anchor: "end")
        }
        if zero - top > 24, !key.isBroken || top + height - zero > 12 {
            gutterText("0", y: zero + (key.isBroken ? 4 : 0), x: Drawing.left - 8, style: "small", anchor: "end")
        }
        shape("<path d=\"M0 \(Drawing.n(zero))H\(Drawing.n(edge))\" class=\"zero\"/>")

        var path = "M-9 \(Drawing.n(zero))L-9 \(Drawing.n(level(burst)))L"
        path += key.points.map { "\(Drawing.n(x($0.time))) \(Drawing.n(level($0.level)))" }.joined(separator: " ")
        path += " \(Drawing.n(edge + 9)) \(Drawing.n(level(key.points.last?.level ?? burst)))L\(Drawing.n(edge + 9)) "
        path += "\(Drawing.n(zero))"
        shape("<defs><path id=\"level\(number)\" d=\"\(path)\"/>")
        shape(clip("above\(number)", from: top - 2, to: zero))
        shape(clip("below\(number)", from: zero, to: top + height + 4))
        shape("</defs>")
        shape("<use href=\"#level\(number)\" class=\"level\" clip-path=\"url(#above\(number))\"/>")
        if key.isBroken { shape("<use href=\"#level\(number)\" class=\"broken\" clip-path=\"url(#below\(number))\"/>") }
        if key.isBroken {
            let title = "\(Figures.tokens(key.lowest.level)) at \(Figures.ms(key.lowest.time)) ms"
            pin(
                "<title>\(title)</title><circle r=\"5\" class=\"deepest\"/>", at: key.lowest.time,
                y: level(key.lowest.level))
        }
        y += height + 4
        rug(key)
        y += 26
    }

    private mutating func heading(_ key: KeyStory) {
        var parts = [
            "\(Figures.grouped(key.key.tokens)) per \(Figures.span(key.key.periodNs)), burst "
                + Figures.grouped(key.key.burst),
            "\(Figures.grouped(Int64(key.admittedCount))) admitted",
            "\(Figures.grouped(Int64(key.refusedCount))) refused",
        ]
        if key.unavailableCount > 0 {
            parts.append("\(Figures.grouped(Int64(key.unavailableCount))) without an answer")
        }
        parts.append("lowest \(Figures.tokens(key.lowest.level)) at \(Figures.ms(key.lowest.time)) ms")
        let name = Markup.escaped(Markup.short(key.key.key, 40))
        let facts = Markup.escaped(parts.joined(separator: "  ·  "))
        let verdict =
            key.isBroken
            ? "<tspan dx=\"12\" class=\"small bad\">more was admitted than the rule allows</tspan>" : ""
        gutterShape(
            "<text x=\"0\" y=\"\(Drawing.n(y + 14))\"><tspan class=\"lane\">\(name)</tspan>"
                + "<tspan dx=\"12\" class=\"small\">\(facts)</tspan>\(verdict)</text>")
        y += 24
    }

    private func clip(_ id: String, from: Double, to: Double) -> String {
        "<clipPath id=\"\(id)\"><rect x=\"-20\" y=\"\(Drawing.n(from))\" width=\"\(Drawing.n(Drawing.plot + 40))\" "
            + "height=\"\(Drawing.n(max(0, to - from)))\"/></clipPath>"
    }

    /// A row of ticks for each node that admitted, and one for what was not admitted.
    private mutating func rug(_ key: KeyStory) {
        gutterText("admitted by", y: y + 7, x: Drawing.left - 8, style: "small", anchor: "end")
        for (i, columns) in key.admitted.enumerated() {
            ticks(columns, style: "n\(i % 8 + 1) tick", title: "admitted by node \(i + 1)")
            y += Drawing.rug
        }
        guard !key.refused.isEmpty else { return }
        y += 2
        gutterText("refused", y: y + 6, x: Drawing.left - 8, style: "small", anchor: "end")
        ticks(key.refused, style: "refused tick", title: "refused or without an answer")
        y += Drawing.rug
    }

    private mutating func ticks(_ columns: [Int], style: String, title: String) {
        guard !columns.isEmpty else { return }
        let row = Drawing.n(y)
        var path = ""
        for column in columns {
            path += "M\(Drawing.n(Drawing.plot * (Double(column) + 0.5) / Double(Drawing.columns))) \(row)v5"
        }
        shape("<path d=\"\(path)\" class=\"\(style)\"><title>\(title)</title></path>")
    }
}

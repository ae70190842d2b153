/// The run as one HTML page that needs nothing else: a timeline of the nodes and of the keys' buckets, a legend, and a
/// table of the events that matter. It is well-formed XML, works in light and dark, and without its script too (which
/// zooms).
///
/// Its size does not grow with the trace beyond about 2 MB: marks that would touch are one, bars that could not be seen
/// are left out, and a bucket keeps the corners that a screen can show, its deepest points among them. Cost: in
/// proportion to the trace.
package func timelineHTML(_ story: Story) -> String { TimelinePage(story).html }

/// Puts the page together.
struct TimelinePage {
    /// The most rows of the table.
    static let mostRows = 300

    private let story: Story
    private let end: Int64
    private let violations: [Story.Violation]
    private let moments: [Moment]
    private let keys: [KeyStory]
    private let tally: Tally

    init(_ story: Story) {
        self.story = story
        end = story.end
        violations = story.allViolations
        moments = Moments.all(of: story)
        keys = KeyStory.chosen(from: story, end: end, columns: Drawing.columns, most: Drawing.mostCharts)
        tally = Tally(story.lines)
    }

    var html: String {
        let title = story.title.isEmpty ? "A run of Millrace" : story.title
        return """
            <!DOCTYPE html>
            <html lang="en">
            <head>
            <meta charset="utf-8"/>
            <meta name="viewport" content="width=device-width, initial-scale=1"/>
            <title>\(Markup.escaped("\(title): seed \(story.seed), \(story.verdict)"))</title>
            <style>\(TimelinePage.style)</style>
            </head>
            <body>
            <main>
            \(header(title))
            \(toolbar)
            <div class="frame">
            \(picture)
            </div>
            \(Legend.html(nodes: story.nodes, keys: keys.count, allKeys: story.keys.count, rho: story.rho))
            \(table)
            </main>
            <script>\(TimelinePage.script)</script>
            </body>
            </html>

            """
    }

    private func header(_ title: String) -> String {
        let facts = [
            ("seed", "\(story.seed)"), ("profile", story.profile), ("nodes", "\(story.nodes)"),
            ("length", Figures.span(end)), ("admitted", Figures.grouped(Int64(tally.admitted))),
            ("refused", Figures.grouped(Int64(tally.refused))),
            ("without an answer", Figures.grouped(Int64(tally.unavailable))),
            ("faults", Figures.grouped(Int64(story.lines.count { $0.event == "fault" }))),
        ]
        var text = "<header>\n<h1>\(Markup.escaped(title))</h1>\n"
        text += "<p class=\"verdict \(violations.isEmpty ? "good" : "broken-verdict")\">\(story.verdict)</p>\n<dl>\n"
        for (name, value) in facts { text += "<div><dt>\(name)</dt><dd>\(Markup.escaped(value))</dd></div>\n" }
        text += "</dl>\n"
        if !violations.isEmpty {
            text += "<ol class=\"violations\">\n"
            for violation in violations.prefix(10) {
                text += "<li><span class=\"time\">\(Figures.ms(violation.time)) ms</span> "
                text += "\(Markup.escaped(Markup.short(violation.what, 400)))</li>\n"
            }
            text += "</ol>\n"
            if violations.count > 10 { text += "<p>and \(Figures.grouped(Int64(violations.count - 10))) more</p>\n" }
        }
        return text + "</header>"
    }

    private var toolbar: String {
        """
        <div class="toolbar" id="tools" hidden="hidden">
        <button type="button" data-do="in">Zoom in</button>
        <button type="button" data-do="out">Zoom out</button>
        <button type="button" data-do="left">Earlier</button>
        <button type="button" data-do="right">Later</button>
        <button type="button" data-do="all">Whole run</button>
        <span class="hint">Drag over the picture to zoom in, double-click for the whole run, point at anything to
        read it. <span id="now"></span></span>
        </div>
        """
    }

    private var picture: String {
        var drawing = Drawing(end: end, events: moments.count)
        let bands = NetworkBand.bands(of: story)
        drawing.strips(moments, bands)
        let axis = drawing.y + 14
        drawing.y += 22
        let top = drawing.y
        drawing.lanes(NodeLane.lanes(of: story), moments, bands)
        drawing.y += 10
        for (i, key) in keys.enumerated() { drawing.draw(key, number: i) }
        let bottom = drawing.y
        violationLines(&drawing, bottom: bottom)
        let (left, plot) = (Drawing.n(Drawing.left), Drawing.n(Drawing.plot))
        let height = Drawing.n(bottom + 8)
        let summary =
            "Timeline of \(Figures.count(story.nodes, "node")) over \(Figures.span(end)), \(story.verdict)"
        return """
            <svg id="run" xmlns="http://www.w3.org/2000/svg" \
            viewBox="0 0 \(Drawing.n(Drawing.width)) \(height)" role="img" \
            aria-label="\(Markup.escaped(summary))" data-left="\(left)" data-plot="\(plot)" data-end="\(end)" \
            data-axis="\(Drawing.n(axis))" data-top="\(Drawing.n(top))" data-bottom="\(Drawing.n(bottom))">
            <defs>
            <clipPath id="window">\
            <rect x="-6" y="0" width="\(Drawing.n(Drawing.plot + 12))" height="\(height)"/></clipPath>
            <pattern id="hatch" width="6" height="6" patternUnits="userSpaceOnUse" patternTransform="rotate(45)">\
            <rect width="6" height="6" class="hatch-ground"/><rect width="2" height="6" class="hatch-line"/></pattern>
            </defs>
            \(drawing.gutter)<g transform="translate(\(left) 0)" clip-path="url(#window)">
            <g class="stretch">
            \(drawing.back)</g>
            <g id="axis">
            \(self.axis(at: axis, from: top, to: bottom))</g>
            <g class="stretch">
            \(drawing.shapes)</g>
            \(drawing.pins)<rect id="pick" y="\(Drawing.n(top))" width="0" height="\(Drawing.n(bottom - top))"/>
            </g>
            </svg>
            """
    }

    private func axis(at y: Double, from top: Double, to bottom: Double) -> String {
        let step = Drawing.step(for: end)
        var text = ""
        var time: Int64 = 0
        while time <= end {
            let x = Drawing.n(Drawing.plot * Double(time) / Double(end))
            text += "<path d=\"M\(x) \(Drawing.n(top))V\(Drawing.n(bottom))\" class=\"grid\"/>"
            let anchor = time == 0 ? "start" : Double(time) > Double(end) * 0.97 ? "end" : "middle"
            let label = time == 0 ? "0 s" : Figures.span(time)
            text += "<text x=\"\(x)\" y=\"\(Drawing.n(y))\" class=\"axis\" text-anchor=\"\(anchor)\">\(label)</text>\n"
            time += step
        }
        return text
    }

    private func violationLines(_ drawing: inout Drawing, bottom: Double) {
        let moments = violations.map { Moment(time: $0.time, node: nil, event: "violation", text: $0.what) }
        for mark in drawing.marks(moments) {
            drawing.pin(
                "\(Drawing.title(mark))<path d=\"M0 0V\(Drawing.n(bottom))\" class=\"violation-touch\"/>"
                    + "<path d=\"M0 0V\(Drawing.n(bottom))\" class=\"violation\"/>",
                at: mark.time, y: 0)
        }
    }

    private var table: String {
        var text = "<section>\n<h2>What happened</h2>\n"
        guard !moments.isEmpty else { return text + "<p>Nothing happened that is worth a line.</p>\n</section>" }
        text += "<table>\n<thead><tr><th class=\"time\">time (ms)</th><th>node</th><th>event</th></tr></thead>\n"
        text += "<tbody>\n"
        var told = 0
        func skipped(to index: Int) -> String {
            guard index > told else { return "" }
            let gap = "… \(Figures.count(index - told, "event")) left out"
            return "<tr class=\"gap\"><td></td><td></td><td>\(gap)</td></tr>\n"
        }
        for range in Moments.chosen(moments, most: TimelinePage.mostRows) {
            text += skipped(to: range.lowerBound)
            for moment in moments[range] {
                let style = moment.event == "violation" ? " class=\"bad-row\"" : ""
                let node = moment.node.map { "<i class=\"n\(max(0, $0 - 1) % 8 + 1)\"></i>\($0)" } ?? ""
                text += "<tr\(style)><td class=\"time\">\(Figures.ms(moment.time))</td><td class=\"node\">\(node)</td>"
                text += "<td>\(Markup.escaped(Markup.short(moment.text, 300)))</td></tr>\n"
            }
            told = range.upperBound
        }
        return text + skipped(to: moments.count) + "</tbody>\n</table>\n</section>"
    }
}

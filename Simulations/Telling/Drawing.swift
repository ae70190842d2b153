/// An SVG that grows downwards, with time from left to right.
///
/// Shapes go into the group `stretch`, whose x the page's script stretches; marks and labels are pins that keep their
/// shape and are put to their new place. All x in the plot are from its left edge.
struct Drawing {
    /// Widths in the SVG's units, which are pixels on a wide screen.
    static let left = 124.0
    static let plot = 1040.0
    static let right = 16.0
    static var width: Double { left + plot + right }

    let end: Int64
    /// The next free y.
    var y = 0.0
    /// Left of the plot, not clipped.
    private(set) var gutter = ""
    /// Behind everything, across the lanes.
    private(set) var back = ""
    private(set) var shapes = ""
    private(set) var pins = ""

    /// Marks nearer than this are drawn as one.
    let nearest: Double
    /// Beyond ``mostStretches`` of a kind in a lane, narrower bars than this are left out.
    let narrowest: Double
    static let mostStretches = 100
    /// From so many events on, marks and bars have to be further apart, for the page to stay small enough to open.
    static let crowd = 2000

    init(end: Int64, events: Int) {
        self.end = end
        nearest = events < Drawing.crowd ? 6 : 14
        narrowest = events < Drawing.crowd ? 2 : 4
    }

    func x(_ time: Int64) -> Double { Drawing.plot * Double(min(end, max(0, time))) / Double(end) }

    static func n(_ value: Double) -> String { Figures.coordinate(value) }

    mutating func gutterText(_ text: String, y: Double, x: Double = 0, style: String, anchor: String = "start") {
        gutter += "<text x=\"\(Drawing.n(x))\" y=\"\(Drawing.n(y))\" class=\"\(style)\" text-anchor=\"\(anchor)\">"
        gutter += "\(Markup.escaped(text))</text>\n"
    }

    mutating func gutterShape(_ markup: String) { gutter += markup + "\n" }

    /// A bar from one time to another, with what it says when pointed at.
    mutating func bar(
        from: Int64, to: Int64, y: Double, height: Double, style: String, title: String, inBack: Bool = false
    ) {
        let (a, b) = (x(from), x(to))
        let markup =
            "<rect x=\"\(Drawing.n(a))\" y=\"\(Drawing.n(y))\" width=\"\(Drawing.n(max(0.8, b - a)))\" "
            + "height=\"\(Drawing.n(height))\" class=\"\(style)\"><title>\(Markup.escaped(title))</title></rect>\n"
        if inBack { back += markup } else { shapes += markup }
    }

    mutating func shape(_ markup: String) { shapes += markup + "\n" }

    /// Markup that is put at a place and keeps its shape. `needs` is the width of a label and of the stretch it is
    /// about: it is shown when the stretch is zoomed wide enough.
    mutating func pin(_ markup: String, at time: Int64, y: Double, needs: (label: Double, stretch: Double)? = nil) {
        let x = Drawing.n(x(time))
        let y = Drawing.n(y)
        pins += "<g class=\"pin\" data-x=\"\(x)\" data-y=\"\(y)\" transform=\"translate(\(x) \(y))\""
        if let needs {
            pins += " data-label=\"\(Drawing.n(needs.label))\" data-stretch=\"\(Drawing.n(needs.stretch))\""
            if needs.label > needs.stretch { pins += " style=\"display:none\"" }
        }
        pins += ">\(markup)</g>\n"
    }

    /// The width of a text in the small font, roughly.
    static func width(of text: String) -> Double { Double(text.count) * 6.1 }

    // MARK: Marks

    /// Things of one kind in one place of the plot, drawn as one mark.
    struct Mark {
        var time: Int64
        var texts: [String]
        var count: Int
    }

    /// The moments put together where they are too near to be told apart.
    func marks(_ moments: [Moment]) -> [Mark] {
        var marks: [Mark] = []
        for moment in moments {
            let text = "\(Figures.ms(moment.time)) ms: \(Markup.short(moment.text, 100))"
            if let last = marks.last, x(moment.time) - x(last.time) < nearest {
                marks[marks.count - 1].count += 1
                if last.texts.count < 3 { marks[marks.count - 1].texts.append(text) }
            } else {
                marks.append(Mark(time: moment.time, texts: [text], count: 1))
            }
        }
        return marks
    }

    static func title(_ mark: Mark) -> String {
        let more = mark.count - mark.texts.count
        let lines = mark.texts + (more > 0 ? ["and \(more) more here"] : [])
        return "<title>\(Markup.escaped(lines.joined(separator: "\n")))</title>"
    }

    /// A round step that puts six to fifteen marks on the axis, in nanoseconds.
    static func step(for end: Int64) -> Int64 {
        var unit: Int64 = 1
        while true {
            for factor: Int64 in [1, 2, 5] where end / (unit * factor) <= 12 { return unit * factor }
            // The longest run is far below where this overflows: 2^63 / 12 is below 5 * 10^18.
            unit *= 10
        }
    }
}

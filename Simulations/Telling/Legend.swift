/// What every colour, mark and number of the page means.
enum Legend {
    static func html(nodes: Int, keys: Int, allKeys: Int, rho: Double) -> String {
        var text = "<section>\n<h2>How to read it</h2>\n<ul class=\"legend\">\n"
        let shown = min(max(0, nodes), 8)
        for node in stride(from: 1, through: shown, by: 1) {
            text += item(bar("n\(node) solid"), "node \(node)’s colour")
        }
        for (swatch, words) in items { text += item(swatch, words) }
        text += "</ul>\n"
        text += """
            <p>Time runs from left to right and is the simulation’s true time; no node’s clock is. Marks that would touch are
            drawn as one and list what they stand for when pointed at.</p>

            """
        guard keys > 0 else { return text + "</section>" }
        let allowance =
            rho > 0
            ? " (\(Figures.tokens(rho * 1e6)) ppm faster than its rule says, which the promise allows for clocks)" : ""
        text += """
            <p>Each chart below the nodes is one key’s ideal bucket. It starts full with its burst, refills with its
            rate\(allowance), and every admission by any node takes its cost out. The number at the top is the burst, 0 an empty
            bucket. What is <b class="bad">below 0, in red</b>, was admitted beyond the rule. The ticks below it are admissions,
            one row a node in its colour; the grey row is what was refused or got no answer.</p>

            """
        if allKeys > keys {
            text += """
                <p>\(keys) of \(Figures.grouped(Int64(allKeys))) keys are drawn: those whose rule was broken first, then those
                whose bucket came nearest to empty, then the busiest.</p>

                """
        }
        return text + "</section>"
    }

    private static func item(_ swatch: String, _ words: String) -> String {
        "<li><svg xmlns=\"http://www.w3.org/2000/svg\" width=\"26\" height=\"18\" viewBox=\"0 0 26 18\" "
            + "aria-hidden=\"true\">\(swatch)</svg><span>\(words)</span></li>\n"
    }

    private static func bar(_ style: String) -> String {
        "<rect x=\"1\" y=\"3\" width=\"24\" height=\"12\" class=\"\(style)\"/>"
    }

    private static let items: [(String, String)] = [
        (bar("n1 solid"), "full colour: it is leader"),
        (bar("n1 up"), "pale: up, not leader"),
        ("<rect x=\"1\" y=\"8.5\" width=\"24\" height=\"1\" class=\"down\"/>", "thin line: down"),
        (bar("paused-swatch"), "striped: stands still"),
        ("<path d=\"M9 4L17 14M9 14L17 4\" class=\"crash\"/>", "crash"),
        ("<path d=\"M10 3L18 9L10 15Z\" class=\"restart\"/>", "start after a crash"),
        ("<path d=\"M13 4L18 13H8Z\" class=\"takeover\"/>", "takes over key ranges"),
        ("<path d=\"M13 14L18 5H8Z\" class=\"gave-up\"/>", "gives up key ranges"),
        ("<circle cx=\"13\" cy=\"9\" r=\"3.6\" class=\"clock\"/>", "clock: drift or jump"),
        ("<rect x=\"9.5\" y=\"5.5\" width=\"7\" height=\"7\" class=\"disk\"/>", "disk fault"),
        ("<path d=\"M13 2v14\" class=\"fault-mark\"/>", "fault, by its number in the schedule"),
        (bar("split-label"), "network split; the groups, and a band across the nodes"),
        (bar("cut-label"), "link cut, one way"),
        ("<circle cx=\"13\" cy=\"9\" r=\"5\" class=\"deepest\"/>", "where a broken rule was exceeded most"),
        ("<path d=\"M13 0V18\" class=\"violation\"/>", "violation: an invariant does not hold"),
    ]
}

import Plots
import StudyTools
import Testing

@Suite struct EstimateTests {
    /// Wilson's interval against worked examples: 0 of 20 and 5 of 20 (Brown, Cai and DasGupta 2001 give the formula).
    @Test func wilson() {
        let none = Estimate.chance(0, of: 20)
        #expect(none.value == 0 && none.low == 0 && (none.high - 0.1611).magnitude < 0.0001)
        let some = Estimate.chance(5, of: 20)
        #expect((some.low - 0.1119).magnitude < 0.0001 && (some.high - 0.4687).magnitude < 0.0001)
        #expect(Estimate.chance(20, of: 20).high == 1)
    }

    @Test func mean() {
        let estimate = Estimate.mean([1, 2, 3, 4])
        #expect(estimate.value == 2.5 && (estimate.high - 3.7652).magnitude < 0.0001)
        #expect(Estimate.mean([7]) == Estimate(value: 7, low: 7, high: 7))
    }

    @Test func percentiles() {
        let samples = [5.0, 1, 4, 2, 3]
        #expect(samples.percentile(0.5) == 3 && samples.percentile(0.99) == 5 && samples.percentile(0) == 1)
        #expect([Double]().percentile(0.5) == nil)
    }

    @Test func numbersAreWrittenAlikeEverywhere() {
        #expect(fixed(1.005, 1) == "1.0" && fixed(-0.04, 1) == "0.0" && fixed(-1.25, 2) == "-1.25")
        #expect(fixed(12, 0) == "12" && fixed(0.0499, 3) == "0.050")
        #expect(grouped(1_234_567) == "1 234 567" && grouped(9_999.4, digits: 1) == "9999")
    }
}

@Suite struct StudyTableTests {
    private var table: StudyTable {
        var table = StudyTable("t", columns: ["a", "b"])
        table.add(["x", "1"])
        table.add(["y", "-2.5"])
        return table
    }

    @Test func whatIsWrittenIsRead() {
        #expect(table.csv == "a,b\nx,1\ny,-2.5\n")
        #expect(StudyTable("t", csv: table.csv) == table)
        #expect(StudyTable("t", csv: "a,b\nx\n") == nil)
        #expect(table.number(table.rows(where: ["a": "y"])[0], "b") == -2.5)
        #expect(table.markdown() == "| a | b |\n| --- | --: |\n| x | 1 |\n| y | -2.5 |\n")
    }

    @Test func documentsGetTheirTables() {
        let document = "one\n<!-- table: t -->\nold\n<!-- end -->\ntwo\n"
        let filled = DocumentTables.fill(document, with: [("t", table.markdown())])
        #expect(filled == "one\n<!-- table: t -->\n\n\(table.markdown())\n<!-- end -->\ntwo\n")
        #expect(DocumentTables.fill(filled, with: [("t", table.markdown())]) == filled, "again changes nothing")
        #expect(DocumentTables.fill(document, with: []) == document)
    }
}

@Suite struct ChartTests {
    @Test func pointsLieWhereTheyShould() {
        let chart = Chart(
            "a < b", x: .init("x", isLogarithmic: true), y: .init("y", low: 0),
            series: [
                .init("s", [.init(1, 0, low: 0, high: 1), .init(10, 5, low: 4, high: 6), .init(100, 10)]),
                .init("r", [.init(1, 2), .init(100, 2)], isReference: true),
            ])
        let svg = chart.svg
        #expect(svg.contains("a &lt; b") && !svg.contains("a < b"))
        // The plot is 448 wide from 76 and 340 high down to 384; one to a hundred logarithmic, nought to ten.
        #expect(svg.contains(#"<circle class="f0" cx="76" cy="384" r="3"/>"#))
        #expect(svg.contains(#"<circle class="f0" cx="300" cy="214" r="3"/>"#))
        #expect(svg.contains(#"<circle class="f0" cx="524" cy="44" r="3"/>"#))
        #expect(svg.contains(#"class="band f0""#) && svg.contains(#"class="reference s0""#))
        #expect(svg.contains("prefers-color-scheme:dark"))
    }

    /// A logarithmic axis has no place for nought: such points are left out, and nothing traps.
    @Test func noughtOnALogarithmicAxis() {
        let chart = Chart(
            "t", x: .init("x"), y: .init("y", isLogarithmic: true),
            series: [.init("s", [.init(0, 0), .init(1, 0.001), .init(2, 1_000)])])
        #expect(chart.svg.components(separatedBy: "<circle").count == 1 + 2 + 1)
        #expect(!Chart("t", x: .init("x"), y: .init("y"), series: []).svg.isEmpty)
    }
}

extension String {
    fileprivate func components(separatedBy separator: String) -> [String] {
        var parts: [String] = [""]
        var rest = self[...]
        while !rest.isEmpty {
            if rest.hasPrefix(separator) {
                parts.append("")
                rest = rest.dropFirst(separator.count)
            } else {
                parts[parts.count - 1].append(rest.removeFirst())
            }
        }
        return parts
    }
}

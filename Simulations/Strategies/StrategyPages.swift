package import Plots
package import StudyTools

/// What the document on coordination shows of the tables: plots, and shorter tables for people.
package struct StrategyPages {
    private static let fleet = StrategyStudy.Size.full.fleet

    private let growth: StudyTable
    private let spreads: StudyTable
    private let links: StudyTable
    private let faults: StudyTable
    private let periods: StudyTable
    private let dozen: StudyTable

    /// Nil where one of ``StrategyStudy/names`` is missing.
    package init?(_ tables: [StudyTable]) {
        let found = StrategyStudy.names.compactMap { name in tables.first { $0.name == name } }
        guard found.count == StrategyStudy.names.count else { return nil }
        (growth, spreads, links) = (found[0], found[1], found[2])
        (faults, periods, dozen) = (found[3], found[4], found[5])
    }

    private var strategies: [String] { growth.values(of: "strategy") }

    // MARK: Tables

    /// By the names in the document's marks.
    package var excerpts: [(name: String, markdown: String)] {
        [
            ("one-table", oneTable), ("growth-messages", growthPivot("messages per s")),
            ("growth-bytes", growthPivot("bytes per s")), ("growth-excess", growthPivot("excess %", digits: 1)),
            ("load-used", loadUsed), ("links-excess", linksPivot("excess %")), ("links-used", linksPivot("used %")),
            ("links-latency", linksPivot("ms p99")), ("faults", faultTable), ("periods", periodTable),
            ("twelve-requests", dozenTable),
        ]
    }

    private func cell(_ table: StudyTable, _ conditions: KeyValuePairs<String, String>, _ column: String) -> Double {
        guard let row = table.rows(where: conditions).first, let number = table.number(row, column) else {
            preconditionFailure("\(table.name) has no \(column) for \(conditions)")
        }
        return number
    }

    /// The one to remember.
    private var oneTable: String {
        // Ten machines, as in the tables that are not about their number.
        let ten = growth.values(of: "machines").last { Int($0)! <= StrategyPages.fleet }!
        let largest = growth.values(of: "machines").last!
        let (dies, split) = (FleetTrouble.loss.rawValue, FleetTrouble.partition.rawValue)
        let loss = links.values(of: "loss %").last { Int($0)! <= 5 }!
        var text =
            "| | messages a request, \(ten) machines | \(largest) machines | too much: all well | "
            + "UDP, \(loss) % lost | partition | used: even load | all on one machine | "
            + "answer after, ms: mean (p99) | unanswered: machine dies | partition |\n"
        text += "| --- |" + String(repeating: " --: |", count: 10) + "\n"
        for name in strategies {
            func percent(_ value: Double) -> String { "\(fixed(value, value < 10 ? 1 : 0)) %" }
            func fault(_ fault: String, _ column: String) -> Double {
                cell(faults, ["strategy": name, "fault": fault], column)
            }
            let cells = [
                fixed(cell(growth, ["strategy": name, "machines": ten], "messages per request"), 1),
                fixed(cell(growth, ["strategy": name, "machines": largest], "messages per request"), 1),
                percent(cell(growth, ["strategy": name, "machines": ten], "excess %")),
                percent(cell(links, ["strategy": name, "links": "UDP", "loss %": loss], "excess %")),
                percent(fault(split, "excess %")),
                percent(cell(spreads, ["strategy": name, "load": Spread.even.rawValue, "demand %": "200"], "used %")),
                percent(cell(spreads, ["strategy": name, "load": Spread.one.rawValue, "demand %": "90"], "used %")),
                fixed(cell(growth, ["strategy": name, "machines": ten], "ms mean"), 1)
                    + " (\(fixed(cell(growth, ["strategy": name, "machines": ten], "ms p99"), 1)))",
                percent(fault(dies, "unanswered %")), percent(fault(split, "unanswered %")),
            ]
            text += "| **\(name)** | " + cells.joined(separator: " | ") + " |\n"
        }
        return text
    }

    private func growthPivot(_ column: String, digits: Int = 0) -> String {
        growth.pivot(
            "strategy", by: "machines", values: growth.values(of: "machines"), heading: { "n = \($0)" },
            cell: { grouped(growth.number($0, column)!, digits: digits) })
    }

    private var loadUsed: String {
        var text = "| strategy |"
        let demands = spreads.values(of: "demand %")
        for spread in Spread.allCases { for demand in demands { text += " \(spread.rawValue), \(demand) % asked |" } }
        text += "\n| --- |" + String(repeating: " --: |", count: Spread.allCases.count * demands.count) + "\n"
        for name in strategies {
            text += "| \(name) |"
            for spread in Spread.allCases {
                for demand in demands {
                    let row = spreads.rows(where: [
                        "strategy": name, "load": spread.rawValue, "demand %": demand,
                    ]).first!
                    text += " \(range(spreads, row, "used")) |"
                }
            }
            text += "\n"
        }
        return text
    }

    /// A mean with its interval, in per cent.
    private func range(_ table: StudyTable, _ row: [String], _ name: String) -> String {
        func number(_ column: String) -> String { fixed(table.number(row, column)!, 1) }
        return "\(number("\(name) %")) [\(number("\(name) low")), \(number("\(name) high"))]"
    }

    private func linksPivot(_ column: String) -> String {
        var text = "| strategy |"
        let losses = links.values(of: "loss %")
        for kind in LinkKind.allCases { for loss in losses { text += " \(kind.rawValue), \(loss) % |" } }
        text += "\n| --- |" + String(repeating: " --: |", count: LinkKind.allCases.count * losses.count) + "\n"
        for name in strategies {
            text += "| \(name) |"
            for kind in LinkKind.allCases {
                for loss in losses {
                    let value = cell(links, ["strategy": name, "links": kind.rawValue, "loss %": loss], column)
                    text += " \(fixed(value, 1)) |"
                }
            }
            text += "\n"
        }
        return text
    }

    private var faultTable: String {
        var text = "| fault | strategy | too much, % of a burst | worst | used, % | p99 ms | unanswered |\n"
        text += "| --- | --- | --: | --: | --: | --: | --: |\n"
        for fault in faults.values(of: "fault") {
            for name in strategies {
                let row = faults.rows(where: ["strategy": name, "fault": fault]).first!
                text += "| \(fault) | \(name) | \(range(faults, row, "excess")) | "
                text += "\(fixed(faults.number(row, "worst excess %")!, 1)) | \(range(faults, row, "used")) | "
                text +=
                    "\(fixed(faults.number(row, "ms p99")!, 1)) | \(fixed(faults.number(row, "unanswered %")!, 1)) % |\n"
            }
        }
        return text
    }

    private var periodTable: String {
        var text = "| period | messages per s | too much, % of a burst | used, % |\n| --: | --: | --: | --: |\n"
        for row in periods.rows {
            text += "| \(periods.cell(row, "period ms")) ms | \(grouped(periods.number(row, "messages per s")!)) | "
            text += "\(range(periods, row, "excess")) | \(range(periods, row, "used")) |\n"
        }
        return text
    }

    private var dozenTable: String {
        var text = "| strategy |"
        let landings = dozen.values(of: "requests")
        let whens = dozen.values(of: "when")
        for when in whens { for landing in landings { text += " \(landing), \(when) |" } }
        text += "\n| --- |" + String(repeating: " --: |", count: landings.count * whens.count) + "\n"
        func line(_ name: String, _ value: (String, String) -> String) {
            text += "| \(name) |"
            for when in whens { for landing in landings { text += " \(value(landing, when)) |" } }
            text += "\n"
        }
        func number(_ name: String, _ landing: String, _ when: String, _ column: String) -> String {
            fixed(cell(dozen, ["strategy": name, "requests": landing, "when": when], column), 1)
        }
        line("*one bucket*") { number(strategies[0], $0, $1, "ideal") }
        for name in strategies { line(name) { number(name, $0, $1, "admitted") } }
        return text
    }

    // MARK: Plots

    /// By file name, without the ending.
    package var plots: [(name: String, chart: Chart)] {
        [
            ("strategy-messages", growthPlot("messages per s", "Messages of the whole fleet", "messages per second")),
            ("strategy-bytes", growthPlot("bytes per s", "Bytes of the whole fleet", "bytes per second")),
            ("strategy-excess", excessPlot), ("strategy-loss-excess", lossPlot), ("gossip-period", periodPlot),
        ]
    }

    private func growthPlot(_ column: String, _ title: String, _ unit: String) -> Chart {
        Chart(
            title, x: .init("machines, n", isLogarithmic: true), y: .init(unit, isLogarithmic: true),
            // Who sends nothing has no place on a logarithmic axis.
            series: strategies.filter { $0 != Strategy.localShare.rawValue }.map { name in
                .init(
                    name,
                    growth.rows(where: ["strategy": name]).map {
                        Chart.Point(growth.number($0, "machines")!, growth.number($0, column)!)
                    })
            })
    }

    private var excessPlot: Chart {
        Chart(
            "Admitted too much in the worst window, all well", x: .init("machines, n", isLogarithmic: true),
            y: .init("% of the burst", low: 0),
            series: strategies.map { name in
                .init(
                    name,
                    growth.rows(where: ["strategy": name]).map {
                        Chart.Point(
                            growth.number($0, "machines")!, growth.number($0, "excess %")!,
                            low: growth.number($0, "excess low"), high: growth.number($0, "excess high"))
                    })
            })
    }

    private var lossPlot: Chart {
        Chart(
            "Admitted too much over UDP-like links, \(StrategyPages.fleet) machines", x: .init("messages lost, %"),
            y: .init("% of the burst", low: 0),
            series: strategies.map { name in
                .init(
                    name,
                    links.rows(where: ["strategy": name, "links": "UDP"]).map {
                        Chart.Point(
                            links.number($0, "loss %")!, links.number($0, "excess %")!,
                            low: links.number($0, "excess low"), high: links.number($0, "excess high"))
                    })
            })
    }

    private var periodPlot: Chart {
        Chart(
            "Gossip: what a longer period costs, \(StrategyPages.fleet) machines",
            x: .init("period, ms", isLogarithmic: true), y: .init("admitted too much, % of the burst", low: 0),
            series: [
                .init(
                    "gossip",
                    periods.rows.map {
                        Chart.Point(
                            periods.number($0, "period ms")!, periods.number($0, "excess %")!,
                            low: periods.number($0, "excess low"), high: periods.number($0, "excess high"))
                    })
            ])
    }
}

package import Plots
package import StudyTools

/// What the document on elections shows of the tables: plots, and shorter tables for people.
package struct ElectionPages {
    private let rings: StudyTable
    private let groups: StudyTable
    private let losses: StudyTable
    private let faults: StudyTable
    private let nominations: StudyTable

    /// Nil where one of ``ElectionStudy/names`` is missing.
    package init?(_ tables: [StudyTable]) {
        let found = ElectionStudy.names.compactMap { name in tables.first { $0.name == name } }
        guard found.count == ElectionStudy.names.count else { return nil }
        (rings, groups, losses, faults, nominations) = (found[0], found[1], found[2], found[3], found[4])
    }

    // MARK: Tables

    /// By the names in the document's marks.
    package var excerpts: [(name: String, markdown: String)] {
        [
            ("ring-messages", ringMessages), ("same-network", sameNetwork),
            ("loss-without-leader", lossPivot("never")), ("loss-two-leaders", lossPivot("two at once")),
            ("faults-without-leader", faultPivot("none at the end")), ("faults-two-leaders", faultPivot("two at once")),
            ("faults-one-term", faultPivot("two in one term")), ("faults-double-time", doubleTime),
            ("nomination", nomination),
        ]
    }

    private var ringMessages: String {
        var text =
            "| n | LCR best | LCR random (calculated) | LCR worst | Hirschberg-Sinclair random (bound) | as told, own is smaller | "
            + "as told, greater passes | as told, to the letter |\n"
        text += "| --: | --: | --: | --: | --: | --: | --: | --: |\n"
        for n in rings.values(of: "n") {
            func find(_ algorithm: Algorithm, _ order: Order) -> [String] {
                rings.rows(where: ["algorithm": algorithm.rawValue, "ring": order.rawValue, "n": n]).first!
            }
            func messages(_ row: [String]) -> String { grouped(rings.number(row, "messages")!, digits: 1) }
            let (random, phases) = (find(.lcr, .random), find(.hirschbergSinclair, .random))
            let letter = find(.toldToTheLetter, .random)
            let cells = [
                messages(find(.lcr, .ascending)),
                "\(messages(random)) (\(grouped(rings.number(random, "calculated")!, digits: 1)))",
                messages(find(.lcr, .descending)),
                "\(messages(phases)) (\(grouped(rings.number(phases, "calculated")!)))",
                messages(find(.toldOwnIsSmaller, .random)), messages(find(.toldGreaterPasses, .random)),
                rings.number(letter, "elected") == 0 ? "\(messages(letter)), no leader" : messages(letter),
            ]
            text += "| \(n) | " + cells.joined(separator: " | ") + " |\n"
        }
        return text
    }

    private var sameNetwork: String {
        groups.pivot(
            "algorithm", by: "n", values: groups.values(of: "n"), heading: { "n = \($0)" },
            cell: {
                "\(grouped(groups.number($0, "messages")!, digits: 1)) in \(grouped(groups.number($0, "ms")!, digits: 1)) ms"
            })
    }

    private func lossPivot(_ column: String) -> String {
        let (low, high) = ElectionPages.ends(of: column)
        return losses.pivot(
            "algorithm", by: "loss %", values: losses.values(of: "loss %"), heading: { "\($0) % lost" },
            cell: { losses.percent($0, column, low, high) })
    }

    private func faultPivot(_ column: String) -> String {
        let (low, high) = ElectionPages.ends(of: column)
        return faults.pivot(
            "fault", by: "algorithm", values: faults.values(of: "algorithm"),
            cell: { faults.percent($0, column, low, high) })
    }

    /// How long two led at once, on average over the runs in which that happened.
    private var doubleTime: String {
        faults.pivot(
            "fault", by: "algorithm", values: faults.values(of: "algorithm"),
            cell: { row in
                let time = faults.cell(row, "ms of two")
                return time.isEmpty ? "" : "\(time) ms"
            })
    }

    private static func ends(of column: String) -> (low: String, high: String) {
        switch column {
        case "never": ("never low", "never high")
        case "none at the end": ("none low", "none high")
        case "two at once": ("two low", "two high")
        case "two in one term": ("one term low", "one term high")
        default: preconditionFailure("no interval for \(column)")
        }
    }

    private var nomination: String {
        var text = "| situation | delay | n | Raft: ms (p99), second term | ring then Raft: ms (p99), second term |\n"
        text += "| --- | --- | --: | --: | --: |\n"
        for situation in nominations.values(of: "situation") {
            for delay in nominations.values(of: "delay ms") {
                for n in nominations.values(of: "n") {
                    let cells = [Algorithm.raft, .nominated].map { method in
                        let row = nominations.rows(where: [
                            "method": method.rawValue, "situation": situation, "delay ms": delay, "n": n,
                        ]).first!
                        return "\(nominations.cell(row, "ms")) (\(nominations.cell(row, "ms p99"))), "
                            + "\(fixed(nominations.number(row, "second term")! * 100, 1)) %"
                    }
                    text += "| \(situation) | \(delay) ms | \(n) | " + cells.joined(separator: " | ") + " |\n"
                }
            }
        }
        return text
    }

    // MARK: Plots

    /// By file name, without the ending.
    package var plots: [(name: String, chart: Chart)] {
        [
            ("ring-messages", ringPlot), ("ring-orders", orderPlot),
            ("same-network-messages", groupPlot(isTime: false)),
            ("same-network-time", groupPlot(isTime: true)),
            ("loss-without-leader", lossPlot("never", "no leader within 3 s")),
            ("loss-two-leaders", lossPlot("two at once", "two leaders at the same time")),
            ("nomination", nominationPlot),
        ]
    }

    private func line(_ algorithm: Algorithm, _ order: Order, _ name: String) -> Chart.Series {
        let rows = rings.rows(where: ["algorithm": algorithm.rawValue, "ring": order.rawValue])
        return .init(
            name,
            rows.map {
                Chart.Point(
                    rings.number($0, "n")!, rings.number($0, "messages")!, low: rings.number($0, "low"),
                    high: rings.number($0, "high"))
            })
    }

    private func calculated(_ name: String, _ value: (Int) -> Double) -> Chart.Series {
        .init(
            name, rings.values(of: "n").map { Int($0)! }.map { Chart.Point(Double($0), value($0)) }, isReference: true)
    }

    private var ringPlot: Chart {
        Chart(
            "Messages of an election, rings in random order",
            x: .init("members of the ring, n", isLogarithmic: true), y: .init("messages", isLogarithmic: true),
            series: [
                line(.lcr, .random, "LCR"), calculated("n H(n) + n") { Calculated.lcr($0, .random) },
                line(.hirschbergSinclair, .random, "Hirschberg-Sinclair"),
                calculated("its bound", Calculated.hirschbergSinclairBound),
                line(.toldOwnIsSmaller, .random, "as told: own is smaller"),
                line(.toldGreaterPasses, .random, "as told: greater passes"),
            ])
    }

    private var orderPlot: Chart {
        Chart(
            "LCR: the order of the UIDs decides", x: .init("members of the ring, n", isLogarithmic: true),
            y: .init("messages", isLogarithmic: true),
            series: [
                line(.lcr, .descending, "descending"), calculated("n(n+1)/2 + n") { Calculated.lcr($0, .descending) },
                line(.lcr, .random, "random"), calculated("n H(n) + n") { Calculated.lcr($0, .random) },
                line(.lcr, .ascending, "ascending"), calculated("2n - 1 + n") { Calculated.lcr($0, .ascending) },
            ])
    }

    private func groupPlot(isTime: Bool) -> Chart {
        let column = isTime ? "ms" : "messages"
        return Chart(
            isTime
                ? "Time until all know the leader, same network" : "Messages until all know the leader, same network",
            x: .init("members, n", isLogarithmic: true),
            y: .init(isTime ? "milliseconds" : "messages", isLogarithmic: true),
            series: groups.values(of: "algorithm").map { algorithm in
                .init(
                    algorithm,
                    groups.rows(where: ["algorithm": algorithm]).map {
                        Chart.Point(
                            groups.number($0, "n")!, groups.number($0, column)!,
                            low: groups.number($0, "\(column) low"),
                            high: groups.number($0, "\(column) high"))
                    })
            })
    }

    private func lossPlot(_ column: String, _ title: String) -> Chart {
        let (low, high) = ElectionPages.ends(of: column)
        return Chart(
            "Five members: chance of \(title)", x: .init("messages lost, %"), y: .init("chance, %", low: 0),
            series: losses.values(of: "algorithm").map { algorithm in
                .init(
                    algorithm,
                    losses.rows(where: ["algorithm": algorithm]).map {
                        Chart.Point(
                            losses.number($0, "loss %")!, losses.number($0, column)! * 100,
                            low: losses.number($0, low)! * 100, high: losses.number($0, high)! * 100)
                    })
            })
    }

    private var nominationPlot: Chart {
        var series: [Chart.Series] = []
        for delay in nominations.values(of: "delay ms") {
            for method in nominations.values(of: "method") {
                let rows = nominations.rows(where: [
                    "method": method, "situation": "leader crashed", "delay ms": delay,
                ])
                series.append(
                    .init(
                        "\(method), \(delay) ms",
                        rows.map {
                            Chart.Point(
                                nominations.number($0, "n")!, nominations.number($0, "ms")!,
                                low: nominations.number($0, "low"), high: nominations.number($0, "high"))
                        }))
            }
        }
        return Chart(
            "Leader crashed: time to the next one", x: .init("members, n"), y: .init("milliseconds", low: 0),
            series: series)
    }
}

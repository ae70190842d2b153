/// The upper part of the picture: phases, faults, the network, and a lane for each node.
extension Drawing {
    mutating func strips(_ moments: [Moment], _ bands: [NetworkBand]) {
        let phases = moments.filter { $0.event == "phase" }
        let faults = moments.filter { $0.event == "fault" }
        if !phases.isEmpty {
            labels(phases, name: "phases", style: "phase") { text in
                text.hasPrefix("phase: ") ? String(text.dropFirst(7)) : text
            }
        }
        if !faults.isEmpty {
            labels(faults, name: "faults", style: "fault") { text in
                text.hasPrefix("fault ") ? "#" + text.dropFirst(6) : text
            }
        }
        network(bands)
    }

    /// Marks with as much of their text as there is room for, in two rows.
    private mutating func labels(_ moments: [Moment], name: String, style: String, shorten: (String) -> String) {
        gutterText(name, y: y + 14, style: "name")
        let marks = marks(moments)
        var free = [0.0, 0.0]
        for mark in marks {
            let at = x(mark.time)
            let row = free[0] <= at ? 0 : 1
            // The row's next label must not begin before this one ends: look how far that is.
            let text = Markup.short(shorten(moments.first { $0.time == mark.time }?.text ?? ""), 34)
            let full = mark.count > 1 ? "\(text) +\(mark.count - 1)" : text
            let label = free[row] <= at ? Drawing.fit(full, room: Drawing.plot - at - 8) : ""
            if !label.isEmpty { free[row] = at + Drawing.width(of: label) + 14 }
            let top = row == 0 ? 0.0 : 17.0
            pin(
                "\(Drawing.title(mark))<path d=\"M0 \(Drawing.n(top + 3))v12\" class=\"\(style)-mark\"/>"
                    + "<text x=\"4\" y=\"\(Drawing.n(top + 13))\" class=\"\(style)\">\(Markup.escaped(label))</text>",
                at: mark.time, y: y)
        }
        y += free[1] > 0 ? 38 : 21
    }

    /// The text, its beginning, or nothing, as there is room.
    private static func fit(_ text: String, room: Double) -> String {
        if width(of: text) <= room { return text }
        let most = Int(room / 6.1)
        return most >= 4 ? Markup.short(text, most) : ""
    }

    private mutating func network(_ bands: [NetworkBand]) {
        guard !bands.isEmpty else { return }
        gutterText("network", y: y + 14, style: "name")
        // Bands at the same time lie below each other, in at most four rows.
        var rows: [Int64] = []
        var drawn = 0
        for band in bands.sorted(by: { ($0.from, $0.to, $0.text) < ($1.from, $1.to, $1.text) }) {
            let width = x(band.to) - x(band.from)
            drawn += 1
            guard drawn <= Drawing.mostStretches || width >= narrowest else { continue }
            var row = rows.firstIndex { $0 <= band.from } ?? rows.count
            if row == rows.count {
                if rows.count < 4 { rows.append(0) } else { row = 3 }
            }
            rows[row] = max(rows[row], band.to)
            let top = y + 3 + Double(row) * 17
            let what = band.kind == .partition ? "network split: \(band.text)" : "link cut: \(band.text)"
            bar(
                from: band.from, to: band.to, y: top, height: 14,
                style: band.kind == .partition ? "split-label" : "cut-label",
                title: Drawing.told(what, band.from, band.to))
            let label = Markup.short(band.text, 40)
            pin(
                "<text x=\"4\" y=\"11\" class=\"small\">\(Markup.escaped(label))</text>", at: band.from, y: top,
                needs: (Drawing.width(of: label) + 8, width))
        }
        y += 6 + Double(rows.count) * 17
    }

    static func told(_ what: String, _ from: Int64, _ to: Int64) -> String {
        "\(Markup.short(what, 100))\nfrom \(Figures.ms(from)) to \(Figures.ms(to)) ms (\(Figures.span(to - from)))"
    }

    /// The lanes and, behind them, the bands of partitions.
    mutating func lanes(_ lanes: [NodeLane], _ moments: [Moment], _ bands: [NetworkBand]) {
        let top = y
        for lane in lanes { draw(lane, moments.filter { $0.node == lane.node }) }
        var drawn = 0
        for band in bands where band.kind == .partition {
            drawn += 1
            guard drawn <= Drawing.mostStretches || x(band.to) - x(band.from) >= narrowest else { continue }
            bar(
                from: band.from, to: band.to, y: top, height: y - top, style: "split",
                title: Drawing.told("network split: \(band.text)", band.from, band.to), inBack: true)
        }
    }

    private mutating func draw(_ lane: NodeLane, _ moments: [Moment]) {
        let node = "n\((lane.node - 1) % 8 + 1)"
        gutterShape(
            "<rect x=\"0\" y=\"\(Drawing.n(y + 16))\" width=\"10\" height=\"14\" rx=\"2\" class=\"\(node) solid\"/>")
        gutterText("node \(lane.node)", y: y + 27, x: 17, style: "lane")
        let middle = y + 15
        let order: [NodeLane.Stretch.Kind] = [.down, .up, .leader, .paused]
        for kind in order {
            var drawn = 0
            for stretch in lane.stretches where stretch.kind == kind {
                let width = x(stretch.to) - x(stretch.from)
                drawn += 1
                guard drawn <= Drawing.mostStretches || width >= narrowest else { continue }
                let what =
                    switch kind {
                    case .down, .up: "node \(lane.node) is \(stretch.text)"
                    case .leader: "node \(lane.node) is leader, \(stretch.text)"
                    case .paused: "node \(lane.node) stands still"
                    }
                let style =
                    switch kind {
                    case .down: "down"
                    case .up: "\(node) up"
                    case .leader: "\(node) solid"
                    case .paused: "paused"
                    }
                bar(
                    from: stretch.from, to: stretch.to, y: kind == .down ? middle + 7.5 : middle,
                    height: kind == .down ? 1 : 16, style: style,
                    title: Drawing.told(what, stretch.from, stretch.to))
                if kind == .leader {
                    pin(
                        "<text x=\"5\" y=\"12\" class=\"on\">\(Markup.escaped(stretch.text))</text>",
                        at: stretch.from, y: middle, needs: (Drawing.width(of: stretch.text) + 10, width))
                }
            }
        }
        // Above the bar what it owns, on it how it ends and begins, below it what is done to its clock and disk.
        for (events, glyph, offset) in Drawing.glyphs {
            let some = moments.filter { events.contains($0.event) && !($0.event == "start" && $0.time == 0) }
            for mark in marks(some) {
                pin("\(Drawing.title(mark))\(glyph)", at: mark.time, y: y + offset)
            }
        }
        y += 46
    }

    /// Which events have which mark, and how far below the lane's top it stands.
    private static let glyphs: [(events: [String], markup: String, offset: Double)] = [
        (["takeover"], "<path d=\"M0 -5L5 4H-5Z\" class=\"takeover\"/>", 9),
        (["gave-up"], "<path d=\"M0 4L5 -5H-5Z\" class=\"gave-up\"/>", 9),
        (["crash"], "<path d=\"M-4 -5L4 5M-4 5L4 -5\" class=\"crash\"/>", 23),
        (["start"], "<path d=\"M-3 -6L5 0L-3 6Z\" class=\"restart\"/>", 23),
        (["drift", "step"], "<circle r=\"3.6\" class=\"clock\"/>", 37),
        (["disk"], "<rect x=\"-3.5\" y=\"-3.5\" width=\"7\" height=\"7\" class=\"disk\"/>", 37),
    ]
}

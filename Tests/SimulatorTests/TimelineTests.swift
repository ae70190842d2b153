import Foundation
import Raft
import Telling
import Testing

#if canImport(FoundationXML)
    import FoundationXML
#endif

/// A run as a trace, as text and as a page.
@Suite struct TimelineTests {
    static func line(
        _ ms: Int64, _ event: String, _ node: Int? = nil, _ fields: [(name: String, value: TraceValue)] = []
    ) -> TraceLine {
        TraceLine(time: ms * 1_000_000, event: event, node: node, fields: fields)
    }

    static func admit(_ ms: Int64, _ key: String, _ node: Int, cost: Int64 = 1) -> TraceLine {
        line(ms, "admit", node, [("key", .text(key)), ("cost", .int(cost))])
    }

    static func story(
        _ lines: [TraceLine] = [], nodes: Int = 3, rho: Double = 0, burst: Int64 = 100,
        violations: [Story.Violation] = []
    ) -> Story {
        Story(
            title: "A run", seed: 42, profile: "all", nodes: nodes, rho: rho, keys: [("k1", 50, 1_000_000_000, burst)],
            lines: lines, violations: violations)
    }

    /// A run in which something of everything happens.
    static let eventful: [TraceLine] = [
        line(0, "start", 1, [("incarnation", .int(1))]), line(0, "start", 2, [("incarnation", .int(1))]),
        line(0, "start", 3, [("incarnation", .int(1))]), line(0, "phase", nil, [("what", .text("faults"))]),
        line(100, "leader", 2, [("term", .int(1))]), admit(150, "k1", 2),
        line(200, "takeover", 1, [("ranges", .int(1)), ("epoch", .int(1))]),
        line(300, "fault", nil, [("number", .int(1)), ("what", .text("crash 2"))]), line(300, "crash", 2),
        line(350, "refuse", 1, [("key", .text("k1"))]), line(360, "unavailable", 3, [("key", .text("k1"))]),
        line(400, "leader", 3, [("term", .int(2))]), line(450, "gave-up", 1, [("ranges", .int(12))]),
        line(500, "partition", nil, [("groups", .text("1 | 2,3"))]),
        line(550, "cut", nil, [("from", .int(3)), ("to", .int(1))]),
        line(600, "drift", 1, [("ppb", .int(-250_000))]), line(650, "step", 1, [("ns", .int(30_000_000))]),
        line(700, "disk", 3, [("what", .text("torn write"))]), line(750, "pause", 3, [("for", .int(120_000_000))]),
        line(870, "resume", 3), line(880, "lost-leader", 3), line(900, "heal"),
        line(950, "start", 2, [("incarnation", .int(2))]), line(960, "commit", 2, [("index", .int(7))]),
        line(970, "odd", 1, [("a", .int(1)), ("b", .bool(true))]),
    ]

    // MARK: Lines of JSON

    @Test func aLineByteByByte() {
        let line = TraceLine(
            time: 1_203_000_001, event: "admit", node: 2, fields: [("key", .text("k1")), ("cost", .int(1))])
        #expect(line.json == #"{"t":1203000001,"e":"admit","key":"k1","cost":1,"node":2}"#)
        #expect(TraceLine(time: 0, event: "heal").json == #"{"t":0,"e":"heal"}"#)
        let all = TraceLine(
            time: -5, event: "x", node: 5,
            fields: [
                ("i", .int(.min)), ("d", .number(0.5)), ("n", .number(.nan)), ("t", .bool(true)), ("f", .bool(false)),
            ])
        #expect(all.json == #"{"t":-5,"e":"x","i":-9223372036854775808,"d":0.5,"n":null,"t":true,"f":false,"node":5}"#)
    }

    @Test func stringsAreEscapedAsTheStandardSays() {
        func json(_ text: String) -> String { TraceLine(time: 1, event: "e", fields: [("w", .text(text))]).json }
        #expect(json("a\"b\\c/d") == #"{"t":1,"e":"e","w":"a\"b\\c/d"}"#)
        #expect(json("\u{8}\t\n\u{C}\r") == #"{"t":1,"e":"e","w":"\b\t\n\f\r"}"#)
        #expect(json("\u{0}\u{1F}\u{7F}") == "{\"t\":1,\"e\":\"e\",\"w\":\"\\u0000\\u001f\u{7F}\"}")
        #expect(json("né😀\u{2028}") == "{\"t\":1,\"e\":\"e\",\"w\":\"né😀\u{2028}\"}")
        #expect(TraceLine(time: 1, event: "\"", fields: [("\n", .int(1))]).json == #"{"t":1,"e":"\"","\n":1}"#)
    }

    @Test func anyTextComesBackFromJSON() throws {
        var random = SplitMix64(seed: 7)
        for _ in 0..<200 {
            var text = ""
            for _ in 0..<20 {
                // The first scalars are the ones with escapes.
                let bound: UInt64 = random.next() % 2 == 0 ? 0x80 : 0x11_0000
                if let scalar = Unicode.Scalar(UInt32(random.next() % bound)) { text.unicodeScalars.append(scalar) }
            }
            let json = TraceLine(time: 1, event: text, fields: [(text + "x", .text(text))]).json
            let object = try #require(try JSONSerialization.jsonObject(with: Data(json.utf8)) as? [String: Any])
            #expect(object["e"] as? String == text)
            #expect(!json.contains("\n"))
        }
    }

    // MARK: The page

    /// Fails unless the page is well-formed XML; returns the names of its elements.
    @discardableResult
    static func parse(_ html: String) -> [String] {
        let parser = XMLParser(data: Data(html.utf8))
        let names = ElementNames()
        parser.delegate = names
        #expect(parser.parse(), "line \(parser.lineNumber): \(String(describing: parser.parserError))")
        return names.names
    }

    @Test func thePageHoldsTheWholeRun() {
        let html = timelineHTML(Self.story(Self.eventful))
        Self.parse(html)
        for text in [
            ">node 1</text>", ">node 2</text>", ">node 3</text>", "node 2 is leader, term 1", "node 3 stands still",
            "node 2 is down", "network split: 1 | 2,3", "link cut: 3 → 1", "#1: crash 2", "takes over 1 range, epoch 1",
            "gives up 12 ranges", "clock runs 250 ppm slow", "clock jumps by +30 ms", "disk: torn write",
            ">faults</text>",
            "started again (incarnation 2)", "odd: a 1, b true", "no violation", "<dd>42</dd>", "admitted by node 2",
            "50 per 1 s, burst 100",
        ] {
            #expect(html.contains(text), "\(text)")
        }
        for text in ["class=\"violation\"/></g>", "http://www.w3.org/1999", "src=", "@import", "index 7"] {
            #expect(!html.contains(text), "\(text)")
        }
        #expect(!html.replacing("http://www.w3.org/2000/svg", with: "").contains("://"), "nothing comes from outside")
    }

    @Test func aBarEndsWhereTheStretchDoes() {
        // 1000 ms on 1040 units: node 2 is leader from 100 to 300 ms, where it crashes.
        let lines = Self.eventful + [Self.line(1000, "phase", nil, [("what", .text("end"))])]
        let html = timelineHTML(Self.story(lines))
        #expect(html.contains("<rect x=\"104\" y=\"165\" width=\"208\" height=\"16\" class=\"n2 solid\">"), "\(html)")
        #expect(html.contains("from 300.000 to 950.000 ms (650 ms)"), "down until it starts again")
    }

    @Test func everyNodeHasALane() {
        for nodes in [1, 3, 5, 9] {
            let html = timelineHTML(Self.story(nodes: nodes))
            Self.parse(html)
            for node in 1...nodes { #expect(html.contains(">node \(node)</text>")) }
            #expect(!html.contains(">node \(nodes + 1)</text>"))
        }
    }

    @Test func violationsAreMarked() {
        let lines = (0..<8).map { Self.admit(Int64($0), "k1", $0 % 3 + 1) }
        let html = timelineHTML(
            Self.story(lines, burst: 5, violations: [(5_000_000, "k1: 6 admitted, at most 5.25 are allowed")]))
        Self.parse(html)
        #expect(html.contains("<p class=\"verdict broken-verdict\">1 violation</p>"))
        #expect(html.contains("class=\"violation\"/></g>"))
        #expect(html.contains("k1: 6 admitted, at most 5.25 are allowed"))
        #expect(html.contains("class=\"broken\""), "the level below zero is red")
        #expect(html.contains("lowest -2.65 at 7.000 ms"), "8 admitted, 0.35 came back: \(html)")
        #expect(html.contains("class=\"deepest\""))
    }

    @Test func aViolationInTheTraceCountsOnce() {
        let lines = [Self.line(5, "violation", nil, [("what", .text("two leaders"))])]
        let twice = Self.story(lines, violations: [(5_000_000, "two leaders")])
        #expect(timelineHTML(twice).contains(">1 violation</p>"))
        #expect(timelineHTML(Self.story(lines)).contains(">1 violation</p>"))
        #expect(narrative(twice, most: 10).contains("5.000 ms          VIOLATION: two leaders\n"))
    }

    @Test func clocksMayExceedTheRateByRho() {
        // A hundred at once, then one every 20 ms and a little earlier each time: within 1% of the rate.
        var lines = [Self.admit(0, "k1", 1, cost: 100)]
        for i in 1...100 {
            lines.append(
                TraceLine(
                    time: Int64(i) * 19_900_000, event: "admit", node: 1,
                    fields: [("key", .text("k1")), ("cost", .int(1))]))
        }
        #expect(!timelineHTML(Self.story(lines, rho: 0.01)).contains("class=\"broken\""))
        #expect(timelineHTML(Self.story(lines, rho: 0)).contains("class=\"broken\""))
    }

    @Test func brokenKeysComeFirstAndOnlySixAreDrawn() {
        var story = Self.story()
        story.keys = (1...9).map { ("key\($0)", 1, 1_000_000_000, 10) }
        for i in 1...9 {
            story.lines.append(Self.admit(Int64(i), "key\(i)", 1, cost: i == 8 ? 12 : 1))
            if i == 4 { story.lines.append(Self.admit(Int64(i), "key4", 1, cost: 13)) }
        }
        let html = timelineHTML(story)
        func place(_ key: String) -> String.Index? { html.range(of: "class=\"lane\">\(key)<")?.lowerBound }
        let drawn = (1...9).filter { place("key\($0)") != nil }
        #expect(drawn == [1, 2, 3, 4, 5, 8])
        #expect(place("key4")! < place("key8")! && place("key8")! < place("key1")!)
        #expect(html.contains("6 of 9 keys are drawn"))
    }

    @Test func emptyStories() {
        var empty = Self.story()
        empty.keys = []
        for story in [
            empty, Self.story(), Self.story(nodes: 0), Self.story(violations: [(0, "x")]),
            Story(
                title: "", seed: 0, profile: "", nodes: 3, keys: [("k", 0, 0, 0)], lines: [Self.admit(0, "k", 9)],
                violations: []),
        ] {
            Self.parse(timelineHTML(story))
            #expect(narrative(story, most: 5).hasSuffix("without an answer\n"))
        }
        #expect(timelineHTML(empty).contains("Nothing happened"))
    }

    @Test func textFromATraceIsNeverMarkup() {
        let nasty = "<script>alert('x')</script>&amp;\"\u{0}\u{1B}[31m\u{FFFE}]]>"
        var story = Self.story(
            [
                Self.line(1, nasty, 1, [("what", .text(nasty))]), Self.line(2, "fault", nil, [("what", .text(nasty))]),
                Self.line(3, "partition", nil, [("groups", .text(nasty))]), Self.admit(4, nasty, 1),
                Self.line(5, "phase", nil, [("what", .text(nasty))]), Self.line(6, "disk", 1, [("what", .text(nasty))]),
            ], violations: [(5, nasty)])
        story.title = nasty
        story.profile = nasty
        story.keys = [(nasty, 1, 1, 1)]
        let html = timelineHTML(story)
        let names = Self.parse(html)
        #expect(names.filter { $0 == "script" }.count == 1)
        #expect(!html.contains("<script>alert"))
        #expect(!narrative(story, most: 10).contains("\u{1B}"))
    }

    @Test func aLongRunStaysBelowTwoMegabytes() {
        var random = SplitMix64(seed: 1)
        var lines: [TraceLine] = []
        var keys: [Story.Key] = []
        for i in 0..<6 { keys.append(("k\(i)", 1000, 1_000_000_000, 20)) }
        let what = String(repeating: "a long description ", count: 10)
        for i in 0..<100_000 {
            let (time, node) = (Int64(i) * 1_000_000, Int(random.next() % 5) + 1)
            lines.append(
                TraceLine(
                    time: time, event: "admit", node: node,
                    fields: [("key", .text("k\(random.next() % 6)")), ("cost", .int(Int64(random.next() % 9)))]))
            let events = [
                "leader", "takeover", "crash", "start", "gave-up", "pause", "resume", "partition", "cut", "heal",
            ]
            if i % 4 == 0 {
                let event = events[Int(random.next() % UInt64(events.count))]
                lines.append(TraceLine(time: time, event: event, node: node, fields: [("groups", .text(what))]))
                lines.append(TraceLine(time: time, event: "fault", fields: [("what", .text(what))]))
            }
        }
        var story = Self.story(lines, nodes: 5, violations: (0..<1000).map { (Int64($0) * 90_000_000, what) })
        story.keys = keys
        let html = timelineHTML(story)
        Self.parse(html)
        #expect(html.utf8.count < 2 << 20, "\(html.utf8.count) bytes")
    }

    @Test func thinningKeepsTheDeepestPoint() {
        // One admission too many among 50,000, all in a fraction of a pixel.
        var lines = (0..<50_000).map { Self.admit(Int64($0) * 20, "k1", 1) }
        lines.insert(Self.admit(500_000, "k1", 2, cost: 116), at: 25_001)
        let html = timelineHTML(Self.story(lines))
        #expect(html.contains("lowest -17 at 500000.000 ms"))
        // The chart is 96 high from 194 on, for levels from 100 down to 6% below the lowest.
        #expect(html.contains(" 520 289.2 "), "the corner itself is in the path")
    }

    @Test func theSameStoryIsTheSamePage() {
        #expect(timelineHTML(Self.story(Self.eventful)) == timelineHTML(Self.story(Self.eventful)))
    }

    @Test func linesOutOfOrderArePutInOrder() {
        #expect(timelineHTML(Self.story(Self.eventful.reversed())).contains("node 2 is leader, term 1"))
    }

    // MARK: Plain text

    @Test func theNarrative() {
        #expect(
            narrative(Self.story(Array(Self.eventful.dropFirst(3).prefix(9))), most: 20) == """
                A run
                seed 42, profile all, 3 nodes, 400 ms: no violation
                  0.000 ms          phase: faults
                100.000 ms  node 2  is leader, term 1
                200.000 ms  node 1  takes over 1 range, epoch 1
                300.000 ms          fault 1: crash 2
                300.000 ms  node 2  crashed
                400.000 ms  node 3  is leader, term 2
                3 requests: 1 admitted, 1 refused, 1 without an answer

                """)
    }

    @Test func aLongNarrativeKeepsWhatLedToTheViolation() {
        var lines = (1...100).map { Self.line(Int64($0), "disk", 1, [("what", .text("d\($0)"))]) }
        lines.append(Self.line(80, "violation", nil, [("what", .text("gone"))]))
        #expect(
            narrative(Self.story(lines), most: 8) == """
                A run
                seed 42, profile all, 3 nodes, 100 ms: 1 violation
                  1.000 ms  node 1  disk: d1
                  2.000 ms  node 1  disk: d2
                                    … 74 events left out
                 77.000 ms  node 1  disk: d77
                 78.000 ms  node 1  disk: d78
                 79.000 ms  node 1  disk: d79
                 80.000 ms  node 1  disk: d80
                 80.000 ms          VIOLATION: gone
                 81.000 ms  node 1  disk: d81
                                    … 19 events left out
                0 requests: 0 admitted, 0 refused, 0 without an answer

                """)
    }

    @Test(arguments: [-1, 0, 1, 2, 5, 99, 100, 101, 1000])
    func aNarrativeHasAtMostSoManyEvents(most: Int) {
        let lines = (1...100).map { Self.line(Int64($0), "disk", 1) }
        for violations: [Story.Violation] in [[], [(1_000_000, "v")], [(50_000_000, "v")], [(200_000_000, "v")]] {
            let told = narrative(Self.story(lines, violations: violations), most: most).split(separator: "\n")
            let events = told.count { $0.contains(" ms  ") }
            #expect(events == min(max(0, most), 100 + violations.count))
            if most > 0, !violations.isEmpty { #expect(told.contains { $0.contains("VIOLATION") }) }
        }
    }
}

private final class ElementNames: NSObject, XMLParserDelegate {
    var names: [String] = []

    func parser(
        _ parser: XMLParser, didStartElement name: String, namespaceURI: String?, qualifiedName: String?,
        attributes: [String: String] = [:]
    ) { names.append(name) }
}

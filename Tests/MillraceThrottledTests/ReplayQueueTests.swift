import Foundation
import MillraceThrottled
import Testing

/// Work for later: in order, each once, and never more than there is room for.
struct ReplayQueueTests {
    private static func spill(_ path: String, mostBytes: Int = 1 << 20) -> ReplayQueue<String>.Spill {
        .init(
            path: path, mostBytes: mostBytes, encode: { Array($0.utf8) },
            decode: { String(decoding: $0, as: UTF8.self) })
    }

    private static func withPath(_ body: (String) throws -> Void) rethrows {
        let path = FileManager.default.temporaryDirectory.appendingPathComponent("millrace-spill-\(UUID())").path
        defer { try? FileManager.default.removeItem(atPath: path) }
        try body(path)
    }

    @Test func firstComeFirstServed() async throws {
        let queue = ReplayQueue<Int>(capacity: 200, whenFull: .refuse)
        for i in 0..<200 { try queue.put(i) }
        #expect(throws: ReplayQueue<Int>.Refused.self) { try queue.put(200) }
        #expect(queue.count == 200)
        for i in 0..<150 { #expect(try queue.take() == i) }
        try queue.put(200)
        queue.finish()
        #expect(throws: ReplayQueue<Int>.Refused.self) { try queue.put(201) }
        var rest: [Int] = []
        for await element in queue { rest.append(element) }
        #expect(rest == Array(150...200))
    }

    @Test func whenItIsFull() throws {
        let oldest = ReplayQueue<Int>(capacity: 2, whenFull: .dropOldest)
        for i in 0..<5 { try oldest.put(i) }
        #expect(oldest.dropped == 3)
        #expect(try [oldest.take(), oldest.take(), oldest.take()] == [3, 4, nil])
        let newest = ReplayQueue<Int>(capacity: 2, whenFull: .dropNewest)
        for i in 0..<5 { try newest.put(i) }
        #expect(newest.dropped == 3)
        #expect(try [newest.take(), newest.take(), newest.take()] == [0, 1, nil])
    }

    @Test func whoWaitsGetsTheNext() async throws {
        let queue = ReplayQueue<Int>(capacity: 2, whenFull: .refuse)
        let one = Task { await queue.next() }
        try await Task.sleep(for: .milliseconds(20))
        try queue.put(7)
        #expect(await one.value == 7)
        let gone = Task { await queue.next() }
        try await Task.sleep(for: .milliseconds(20))
        gone.cancel()
        #expect(await gone.value == nil)
        let last = Task { await queue.next() }
        queue.finish()
        #expect(await last.value == nil)
    }

    @Test func whatDoesNotFitGoesToDiskInOrder() throws {
        try Self.withPath { path in
            let queue = try ReplayQueue<String>(capacity: 3, spill: Self.spill(path), whenFull: .refuse)
            for i in 0..<50 { try queue.put("element \(i)") }
            #expect(queue.count == 50)
            for i in 0..<20 { #expect(try queue.take() == "element \(i)") }
            // As long as older ones lie on disk, new ones go there, too.
            try queue.put("element 50")
            for i in 20..<51 { #expect(try queue.take() == "element \(i)") }
            #expect(try queue.take() == nil)
            // The file is empty again.
            #expect(try Data(contentsOf: URL(filePath: path)).count == 8)
        }
    }

    @Test func anotherProcessFindsWhatIsLeft() throws {
        try Self.withPath { path in
            do {
                let queue = try ReplayQueue<String>(capacity: 1, spill: Self.spill(path), whenFull: .refuse)
                for i in 0..<6 { try queue.put("\(i)") }
                #expect(try queue.take() == "0")
                #expect(try queue.take() == "1")
            }
            // The last record is torn.
            let data = try Data(contentsOf: URL(filePath: path))
            try (data + [9, 0, 0, 0, 1]).write(to: URL(filePath: path))
            let queue = try ReplayQueue<String>(capacity: 1, spill: Self.spill(path), whenFull: .refuse)
            #expect(queue.count == 4)
            #expect(try (0..<5).map { _ in try queue.take() } == ["2", "3", "4", "5", nil])
        }
    }

    @Test func theDiskHasALimit() throws {
        try Self.withPath { path in
            // Each record takes 4 + 10 bytes, the file has 8 of its own: room for three.
            let queue = try ReplayQueue<String>(
                capacity: 1, spill: Self.spill(path, mostBytes: 8 + 42), whenFull: .refuse)
            for i in 0..<4 { try queue.put("number \(100 + i)") }
            #expect(throws: ReplayQueue<String>.Refused.self) { try queue.put("number 104") }
            #expect(try queue.take() == "number 100")
            #expect(try queue.take() == "number 101")
            // What was taken makes room.
            try queue.put("number 104")
            #expect(try (0..<4).map { _ in try queue.take() } == ["number 102", "number 103", "number 104", nil])
        }
        try Self.withPath { path in
            let queue = try ReplayQueue<String>(
                capacity: 1, spill: Self.spill(path, mostBytes: 8 + 42), whenFull: .dropOldest)
            for i in 0..<7 { try queue.put("number \(100 + i)") }
            #expect(queue.dropped == 3)
            #expect(try (0..<5).map { _ in try queue.take() } == (103...106).map { "number \($0)" } + [nil])
        }
    }

    @Test func aFileOfSomethingElseIsRefused() throws {
        try Self.withPath { path in
            try Data("this is somebody's letter".utf8).write(to: URL(filePath: path))
            #expect(throws: ReplayQueue<String>.Refused.self) {
                try ReplayQueue<String>(capacity: 1, spill: Self.spill(path), whenFull: .refuse)
            }
        }
    }
}

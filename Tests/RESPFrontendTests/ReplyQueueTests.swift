import RESP
import RESPFrontend
import Testing

@Suite struct ReplyQueueTests {
    /// The queue against a plain array of (number, is it ready, text).
    @Test(arguments: 0..<20)
    func agreesWithAnArray(seed: UInt64) {
        var random = SplitMix64(seed: seed)
        let capacity = 1 + random.below(12)
        var queue = ReplyQueue(capacity: capacity)
        var twin: [(number: UInt32, isReady: Bool, text: String)] = []
        for step in 0..<2000 {
            switch random.below(3) {
            case 0 where !queue.isFull:
                let isReady = random.below(2) == 0
                let number = queue.append(isReady ? .bytes(Array("\(step),".utf8)) : .waiting(neverPasses: false))
                twin.append((number, isReady, "\(step),"))
            case 1:
                let waiting = twin.indices.filter { !twin[$0].isReady }
                guard !waiting.isEmpty else { continue }
                let i = waiting[random.below(waiting.count)]
                queue.update(twin[i].number) { _ in .bytes(Array(twin[i].text.utf8)) }
                twin[i].isReady = true
            default:
                var output = ReplyBuffer()
                queue.drain(into: &output)
                let ready = twin.prefix { $0.isReady }
                #expect(
                    output.withBytes { String(decoding: $0, as: UTF8.self) } == ready.map(\.text).joined(),
                    "seed \(seed)")
                twin.removeFirst(ready.count)
            }
            #expect(queue.count == twin.count)
            #expect(queue.isFull == (twin.count == capacity))
            #expect(queue.heldBytes == twin.filter(\.isReady).map(\.text.utf8.count).reduce(0, +))
        }
    }
}

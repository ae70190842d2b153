import LimiterCore
import SystemTime
import Testing

@Suite struct ClockJumpTests {
    private let second: Int64 = 1_000_000_000

    @Test("Clocks that go on together, or are slewed a little, have not jumped")
    func together() {
        var jump = ClockJump()
        #expect(jump.step(now: ClockTime(ns: 0), wall: 1_000 * second) == nil)
        #expect(jump.step(now: ClockTime(ns: second), wall: 1_001 * second) == nil)
        #expect(jump.step(now: ClockTime(ns: 2 * second), wall: 1_002 * second + ClockJump.least) == nil)
    }

    @Test("A jump is told once, with its length and direction", arguments: [1, -1] as [Int64])
    func jump(sign: Int64) {
        var jump = ClockJump()
        let step = sign * (ClockJump.least + 1)
        _ = jump.step(now: ClockTime(ns: 0), wall: 1_000 * second)
        #expect(jump.step(now: ClockTime(ns: second), wall: 1_001 * second + step) == step)
        #expect(jump.step(now: ClockTime(ns: 2 * second), wall: 1_002 * second + step) == nil)
    }
}

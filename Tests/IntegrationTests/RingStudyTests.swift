import TestSupport
import Testing

/// `millrace study lcr`: a ring of real sockets.
@Suite(.inRealTime) struct RingStudyTests {
    @Test(arguments: [1, 2, 5, 40])
    func aRingElectsTheGreatest(nodes: Int) throws {
        let result = try Binary.run("study", "lcr", "--nodes", "\(nodes)", "--order", "descending")
        #expect(result.code == 0, "\(result.errors)\(result.output)")
        #expect(result.output.contains("member 1 (UID \(nodes)) leads: known to \(nodes) of \(nodes)"))
        // Every order has its exact number, however sockets delay.
        #expect(result.output.contains("messages: \(nodes * (nodes + 1) / 2 + nodes), of which \(nodes) announce"))
    }

    @Test func aMemberThatNeverAnswersIsNamed() throws {
        let result = try Binary.run(
            "study", "lcr", "--nodes", "5", "--order", "ascending", "--silent", "3", "--timeout", "1")
        #expect(result.code == 1)
        #expect(result.output.contains("no leader after 1 s"))
        #expect(result.output.contains("member 3 (UID 3) never answered"), "\(result.output)")
        #expect(!result.output.contains("member 4 (UID 4) never answered"), "only the silent one is to blame")
    }

    @Test func aRepairedRingGoesRoundIt() throws {
        let result = try Binary.run(
            "study", "lcr", "--nodes", "5", "--order", "ascending", "--silent", "5", "--repair", "--timeout", "20")
        #expect(result.code == 0, "\(result.errors)\(result.output)")
        #expect(result.output.contains("member 4 (UID 4) leads: known to 4 of 5"), "\(result.output)")
        #expect(result.output.contains("member 5 never answered: skipped by 4"), "\(result.output)")
    }

    @Test(arguments: [["--nodes", "0"], ["--nodes", "201"], ["--silent", "6"], ["--nodes", "1", "--silent", "1"]])
    func nonsenseIsRefused(arguments: [String]) throws {
        let result = try Binary.run(program: Binary.path(), ["study", "lcr"] + arguments)
        #expect(result.code == 64, "\(result.output)\(result.errors)")
    }
}

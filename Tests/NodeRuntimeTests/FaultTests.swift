import Simulator
import Testing

/// Never over, whatever happens; and after healing everything serves again.
@Suite struct FaultTests {
    @Test(arguments: [1, 2, 3, 4, 5, 6] as [UInt64])
    func randomFaults(seed: UInt64) throws {
        let result = try Run.run(Profile.all.schedule(seed: seed))
        #expect(result.isFine, "\(result.violations)")
    }
}

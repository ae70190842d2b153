import Testing
import TestSupport

/// Never over, whatever happens; and after healing everything serves again within two seconds.
@Suite struct FaultTests {
    /// Seeds that once found something come first: 2 and 6 waited seconds before they proposed a lost cover again.
    @Test(arguments: [2, 6, 8, 101] as [UInt64])
    func randomFaults(seed: UInt64) {
        let story = FaultStory(seed: seed)
        #expect(story.problems.isEmpty, "\(story.problems.joined(separator: "\n"))")
    }
}

import LimiterCore
import Testing

@testable import Coordination

/// The numbers that safety depends on.
struct ClusterParametersTests {
    @Test("The margin pays for twice rho over horizon and grace, rounded up: about 10 ms by default")
    func margin() {
        var parameters = ClusterParameters()
        #expect(parameters.margin == 10_750_001)
        parameters.rho = 0
        #expect(parameters.margin == 1)
        // The largest that are allowed do not overflow.
        parameters.rho = 100_000_000
        parameters.horizon = 60_000_000_000
        parameters.grace = 600_000_000_000
        #expect(parameters.mistake == nil && parameters.margin == 132_000_000_001)
    }

    @Test("Slack is the whole tolerance up to 250 ms, then 250 ms or a tenth, and nothing for an exact rule")
    func slack() {
        let parameters = ClusterParameters()
        let cases: [(tolerance: Int64, slack: Int64)] = [
            (1, 1), (249_999_999, 249_999_999), (250_000_000, 250_000_000), (250_000_001, 250_000_000),
            (2_500_000_000, 250_000_000), (2_500_000_010, 250_000_001), (86_400_000_000_000, 8_640_000_000_000),
            (Limit.longestTolerance, Limit.longestTolerance / 10),
        ]
        for (tolerance, slack) in cases {
            #expect(parameters.slack(tolerance: tolerance, exact: false) == slack)
            #expect(parameters.slack(tolerance: tolerance, exact: true) == 0)
        }
    }

    @Test("Slack never exceeds the tolerance, whatever the log says")
    func slackIsBounded() {
        var parameters = ClusterParameters()
        parameters.leastSlack = .max
        #expect(parameters.mistake == nil)
        #expect(parameters.slack(tolerance: 5_000_000_000, exact: false) == 5_000_000_000)
    }

    @Test("Each limit, at its edges and one past them")
    func mistakes() {
        func check<Value: FixedWidthInteger>(
            _ field: WritableKeyPath<ClusterParameters, Value>, _ range: ClosedRange<Value>
        ) {
            var parameters = ClusterParameters()
            for good in [range.lowerBound, range.upperBound] {
                parameters[keyPath: field] = good
                #expect(parameters.mistake == nil)
            }
            for bad in [range.lowerBound - 1, range.upperBound + 1] {
                parameters[keyPath: field] = bad
                #expect(parameters.mistake != nil)
            }
        }
        check(\.rho, 0...100_000_000)
        check(\.horizon, 1_000_000...60_000_000_000)
        check(\.grace, 0...600_000_000_000)
        check(\.boundsPerRange, 16...16_777_216)
        check(\.bucketsPerRange, 16...16_777_216)
        var parameters = ClusterParameters()
        parameters.leastSlack = -1
        #expect(parameters.mistake != nil)
        parameters.leastSlack = 0
        #expect(parameters.mistake == nil)
        parameters.slackDivisor = 0
        #expect(parameters.mistake != nil)
    }
}

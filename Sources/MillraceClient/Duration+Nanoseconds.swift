extension Duration {
    /// Whole nanoseconds; at the edge of what fits, the edge.
    package var nanoseconds: Int64 {
        let (seconds, attoseconds) = components
        let (high, overflow) = seconds.multipliedReportingOverflow(by: 1_000_000_000)
        guard !overflow else { return seconds < 0 ? .min : .max }
        let (sum, tooLarge) = high.addingReportingOverflow(attoseconds / 1_000_000_000)
        return tooLarge ? .max : sum
    }
}

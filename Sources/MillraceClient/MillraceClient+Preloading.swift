package import LimiterCore

extension MillraceClient {
    /// Puts rules in force without any node, for measurements of what happens in this process alone.
    package func preload(_ directory: RuleDirectory) {
        path.setDirectory(directory)
        lookup.set(directory)
    }

    /// Gives a key an allowance that never ends. False if there is no room for it.
    package func preload(_ rule: String, key: String) -> Bool {
        guard case .found(let bucket, let drift) = lookup.bucket(rule: rule, key: key) else { return false }
        let scaled = drift.longest(path.clock().ns)
        return path.withTable(for: bucket.id) { table in
            table.install(
                bucket.id, span: (AxisTime(ns: scaled), AxisTime(ns: 1 << 61)), tat: AxisTime(ns: 1 << 61), base: 0,
                tag: 1, scaled: scaled)
        }
    }
}

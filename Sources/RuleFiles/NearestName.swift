/// Finds what somebody who mistyped a name may have meant.
package enum NearestName {
    /// The candidates that differ from `name` by at most a third of its letters (one at least), best first, at most `limit`.
    ///
    /// Cost: the product of the lengths for each candidate; names are cut at 64 bytes.
    package static func near(_ name: String, among candidates: [String], limit: Int) -> [String] {
        let wanted = Array(name.lowercased().utf8.prefix(64))
        let most = max(1, wanted.count / 3)
        var found: [(distance: Int, name: String)] = []
        for candidate in candidates {
            let letters = Array(candidate.lowercased().utf8.prefix(64))
            if abs(letters.count - wanted.count) > most { continue }
            let distance = distance(wanted, letters)
            if distance <= most { found.append((distance, candidate)) }
        }
        found.sort { $0.distance != $1.distance ? $0.distance < $1.distance : $0.name < $1.name }
        return found.prefix(limit).map(\.name)
    }

    /// The distance of Damerau and Levenshtein (the restricted one): insertions, removals, replacements, and swaps of
    /// neighbours.
    static func distance(_ a: [UInt8], _ b: [UInt8]) -> Int {
        var before: [Int] = []
        var row = Array(0...b.count)
        for i in 0..<a.count {
            var next = [i + 1]
            for j in 0..<b.count {
                var least = min(row[j] + (a[i] == b[j] ? 0 : 1), row[j + 1] + 1, next[j] + 1)
                if i > 0, j > 0, a[i] == b[j - 1], a[i - 1] == b[j] { least = min(least, before[j - 1] + 1) }
                next.append(least)
            }
            before = row
            row = next
        }
        return row[b.count]
    }
}

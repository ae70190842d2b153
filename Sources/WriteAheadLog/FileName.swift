/// The names of the files in a data folder. Numbers are padded hexadecimal, so that names sort as the numbers do.
package enum FileName {
    /// Says whose folder it is (``DataIdentity``).
    package static let identity = "identity"
    /// What was not finished when a process ended; such files are removed at the next start.
    package static let unfinishedSuffix = ".unfinished"

    private static let segmentPrefix = "segment-"
    private static let snapshotPrefix = "snapshot-"

    package static func segment(_ number: UInt32) -> String { segmentPrefix + hex(UInt64(number), digits: 8) }

    package static func snapshot(_ mark: SnapshotMark) -> String {
        snapshotPrefix + hex(mark.index, digits: 16) + "-" + hex(mark.term, digits: 16)
    }

    /// The number in a segment's name; nil for any other name.
    package static func segmentNumber(_ name: String) -> UInt32? {
        guard name.hasPrefix(segmentPrefix), let number = UInt32(name.dropFirst(segmentPrefix.count), radix: 16),
            segment(number) == name
        else { return nil }
        return number
    }

    /// Index and term in a snapshot's name; nil for any other name.
    package static func snapshotMark(_ name: String) -> SnapshotMark? {
        guard name.hasPrefix(snapshotPrefix) else { return nil }
        let parts = name.dropFirst(snapshotPrefix.count).split(separator: "-", omittingEmptySubsequences: false)
        guard parts.count == 2, let index = UInt64(parts[0], radix: 16), let term = UInt64(parts[1], radix: 16) else {
            return nil
        }
        let mark = SnapshotMark(index: index, term: term)
        return snapshot(mark) == name ? mark : nil
    }

    package static func hex(_ value: UInt64, digits: Int) -> String {
        let text = String(value, radix: 16)
        return String(repeating: "0", count: max(0, digits - text.count)) + text
    }
}

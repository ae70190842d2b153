import Glibc

/// One admission that a node noted when it decided (`serve --decision-log`).
struct Admission {
    struct Bucket: Hashable {
        var high: UInt64
        var low: UInt64
    }

    var bucket: Bucket
    /// When it was decided, by the machine's clock.
    var at: Int64
    /// Virtual time that the tokens took.
    var time: Int64
    var emissionInterval: Int64
    /// Virtual time in a full bucket.
    var tolerance: Int64
}

/// Reads what a decision log holds so far; can be asked again for what came since.
struct DecisionLogReader {
    private static let recordBytes = 48
    /// What a node notes at the most.
    private static let mostRecords = 2_097_152

    let path: String
    private var place = 0

    init(path: String) { self.path = path }

    /// Admissions since the last call.
    ///
    /// The file is all zeros where nothing was written yet. Writers on several threads may leave a place empty for a moment, or for
    /// ever if the process was killed right there: such places are passed over, and the end is where many are empty in a row.
    mutating func next() throws -> [Admission] {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        // A node that was refused at its start has none.
        guard descriptor >= 0 else { return [] }
        defer { close(descriptor) }
        var found: [Admission] = []
        let batch = 4096
        var bytes = [UInt8](repeating: 0, count: batch * DecisionLogReader.recordBytes)
        while true {
            let n = pread(descriptor, &bytes, bytes.count, off_t(place * DecisionLogReader.recordBytes))
            let records = max(0, n) / DecisionLogReader.recordBytes
            var last = -1
            bytes.withUnsafeBytes { raw in
                for i in 0..<records {
                    func word(_ k: Int) -> UInt64 {
                        raw.loadUnaligned(fromByteOffset: i * DecisionLogReader.recordBytes + 8 * k, as: UInt64.self)
                    }
                    // The last word is written last on every machine that keeps the order of stores.
                    guard word(5) != 0 else { continue }
                    last = i
                    found.append(
                        Admission(
                            bucket: Admission.Bucket(high: word(0), low: word(1)), at: Int64(bitPattern: word(2)),
                            time: Int64(bitPattern: word(3)), emissionInterval: Int64(bitPattern: word(4)),
                            tolerance: Int64(bitPattern: word(5))))
                }
            }
            place += last + 1
            if last < records - 64 || records == 0 { break }
        }
        if place >= DecisionLogReader.mostRecords { throw HarnessError("\(path) is full: the test asks for too much") }
        return found
    }

    /// All admissions of several logs.
    static func all(_ paths: [String]) throws -> [Admission] {
        try paths.flatMap { path in
            var reader = DecisionLogReader(path: path)
            return try reader.next()
        }
    }
}

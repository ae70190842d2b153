import Coordination
import Glibc
package import LimiterCore
import Synchronization

/// Every admission of a node with the clock reading it was decided at: the evidence for the promise, for tests.
///
/// A debug flag (`--decision-log FILE`). Records of 48 bytes in a memory-mapped file, so that a killed process loses none: the
/// kernel keeps the pages. All processes of a machine read the same clock, so their logs can be laid side by side.
///
/// A record, little-endian: identity (16), time (8), cost (8, nanoseconds of virtual time), emission interval (8), tolerance (8).
package final class DecisionLog: AdmissionObserver {
    static let recordBytes = 48
    /// 96 MiB: two million admissions; later ones are not noted.
    private static let mostRecords = 2_097_152

    private nonisolated(unsafe) let base: UnsafeMutableRawPointer  // written only at places handed out by `next`
    private let next = Atomic<Int>(0)

    package init(path: String) throws(StartFailure) {
        let descriptor = open(path, O_RDWR | O_CREAT | O_TRUNC, 0o644)
        let size = DecisionLog.recordBytes * DecisionLog.mostRecords
        guard descriptor >= 0, ftruncate(descriptor, off_t(size)) == 0,
            let base = mmap(nil, size, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0), base != MAP_FAILED
        else {
            throw StartFailure(.disk, "cannot write the decision log '\(path)': \(String(cString: strerror(errno)))")
        }
        close(descriptor)
        self.base = base
    }

    deinit { munmap(base, DecisionLog.recordBytes * DecisionLog.mostRecords) }

    package func admitted(_ id: BucketID, limit: Limit, cost: Int64, at clock: ClockTime) {
        note(
            id, time: limit.time(of: cost) ?? 0, emissionInterval: limit.emissionInterval, tolerance: limit.tolerance,
            at: clock)
    }

    func note(_ admission: Owner.Admission) {
        note(
            admission.id, time: admission.time, emissionInterval: admission.terms.emissionInterval,
            tolerance: admission.terms.tolerance, at: admission.at)
    }

    func note(_ admission: Lender.Admission) {
        note(
            admission.id, time: admission.time, emissionInterval: admission.terms.emissionInterval,
            tolerance: admission.terms.tolerance, at: admission.at)
    }

    private func note(_ id: BucketID, time: Int64, emissionInterval: Int64, tolerance: Int64, at clock: ClockTime) {
        let place = next.add(1, ordering: .relaxed).oldValue
        guard place < DecisionLog.mostRecords else { return }
        let record = base + place * DecisionLog.recordBytes
        record.storeBytes(of: id.high, toByteOffset: 0, as: UInt64.self)
        record.storeBytes(of: id.low, toByteOffset: 8, as: UInt64.self)
        record.storeBytes(of: clock.ns, toByteOffset: 16, as: Int64.self)
        record.storeBytes(of: time, toByteOffset: 24, as: Int64.self)
        record.storeBytes(of: emissionInterval, toByteOffset: 32, as: Int64.self)
        record.storeBytes(of: tolerance, toByteOffset: 40, as: Int64.self)
    }
}

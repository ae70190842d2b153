import Glibc

/// The part of a queue that lies on disk: records one after the other in one file, read from the front.
///
///     offset   UInt64, little-endian: where the first record that was not taken starts
///     records  each a UInt32 of its length, then its bytes
///
/// The offset is written after a record was taken, so that another process finds what is left. When the last one is taken the file is
/// empty again. A torn record at the end, of a process that died while writing, is cut off.
///
/// `@unchecked Sendable`: its queue touches it under the queue's lock only.
final class SpillFile: @unchecked Sendable {
    struct Failure: Error, CustomStringConvertible {
        var description: String
    }

    private var descriptor: CInt
    private let path: String
    private let mostBytes: Int
    private var offset = SpillFile.headerBytes
    private var end = SpillFile.headerBytes
    private(set) var count = 0

    private static let headerBytes = 8
    /// The longest record.
    static let mostRecordBytes = 16 << 20

    init(path: String, mostBytes: Int) throws(Failure) {
        self.path = path
        self.mostBytes = mostBytes
        descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else {
            throw Failure(
                description: "the queue's file '\(path)' cannot be opened: \(String(cString: strerror(errno)))")
        }
        try recover()
    }

    deinit { close(descriptor) }

    private func recover() throws(Failure) {
        let size = Int(lseek(descriptor, 0, SEEK_END))
        guard size > SpillFile.headerBytes else { return try reset() }
        let stored = try read(8, at: 0).reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
        guard stored >= UInt64(SpillFile.headerBytes), stored <= UInt64(size) else {
            throw Failure(description: "'\(path)' is no queue's file: give another path, or remove it")
        }
        offset = Int(stored)
        end = offset
        while end + 4 <= size {
            let length = Int(try length(at: end))
            guard length <= SpillFile.mostRecordBytes, end + 4 + length <= size else { break }
            end += 4 + length
            count += 1
        }
        if count == 0 { try reset() }
    }

    /// Adds a record; false if the file has no room for it.
    func append(_ bytes: [UInt8]) throws(Failure) -> Bool {
        let room = 4 + bytes.count
        guard bytes.count <= SpillFile.mostRecordBytes else { return false }
        // What was taken from the front makes room once it is worth the copying.
        if end + room > mostBytes, end - offset + SpillFile.headerBytes + room <= mostBytes { try compact() }
        guard end + room <= mostBytes else { return false }
        var record = withUnsafeBytes(of: UInt32(bytes.count).littleEndian) { Array($0) }
        record += bytes
        try write(record, at: end)
        end += record.count
        count += 1
        return true
    }

    /// The oldest record, which is gone then; nil if there is none.
    func take() throws(Failure) -> [UInt8]? {
        guard count > 0 else { return nil }
        let bytes = try read(Int(try length(at: offset)), at: offset + 4)
        offset += 4 + bytes.count
        count -= 1
        if count == 0 { try reset() } else { try writeOffset() }
        return bytes
    }

    /// Copies what is left into a file of its own, which takes the place of this one at once.
    private func compact() throws(Failure) {
        let fresh = path + ".new"
        let copy = open(fresh, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
        guard copy >= 0 else { throw failure("rewritten") }
        let old = descriptor
        let (from, length) = (offset, end - offset)
        var done = 0
        do throws(Failure) {
            while done < length {
                let piece = try read(min(1 << 20, length - done), at: from + done)
                descriptor = copy
                try write(piece, at: SpillFile.headerBytes + done)
                descriptor = old
                done += piece.count
            }
            descriptor = copy
            offset = SpillFile.headerBytes
            try writeOffset()
            guard rename(fresh, path) == 0 else { throw failure("rewritten") }
        } catch {
            descriptor = old
            offset = from
            close(copy)
            throw error
        }
        end = SpillFile.headerBytes + length
        close(old)
    }

    private func reset() throws(Failure) {
        offset = SpillFile.headerBytes
        end = SpillFile.headerBytes
        count = 0
        guard ftruncate(descriptor, 0) == 0 else { throw failure("emptied") }
        try writeOffset()
    }

    private func writeOffset() throws(Failure) {
        try write(withUnsafeBytes(of: UInt64(offset).littleEndian) { Array($0) }, at: 0)
    }

    private func length(at place: Int) throws(Failure) -> UInt32 {
        try read(4, at: place).reversed().reduce(UInt32(0)) { $0 << 8 | UInt32($1) }
    }

    private func read(_ count: Int, at place: Int) throws(Failure) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: count)
        var done = 0
        while done < count {
            let n = bytes.withUnsafeMutableBytes {
                pread(descriptor, $0.baseAddress! + done, count - done, off_t(place + done))
            }
            if n < 0, errno == EINTR { continue }
            guard n > 0 else { throw failure("read") }
            done += n
        }
        return bytes
    }

    private func write(_ bytes: [UInt8], at place: Int) throws(Failure) {
        var done = 0
        while done < bytes.count {
            let n = bytes.withUnsafeBytes {
                pwrite(descriptor, $0.baseAddress! + done, bytes.count - done, off_t(place + done))
            }
            if n < 0, errno == EINTR { continue }
            guard n > 0 else { throw failure("written") }
            done += n
        }
    }

    private func failure(_ what: String) -> Failure {
        Failure(description: "the queue's file '\(path)' cannot be \(what): \(String(cString: strerror(errno)))")
    }
}

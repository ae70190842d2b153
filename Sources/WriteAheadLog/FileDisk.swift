import Glibc
import Synchronization

/// A folder on a real disk, locked for this process.
public final class FileDisk: Disk {
    public let path: String

    private struct State {
        /// -1 once closed.
        var directory: CInt
        var open: [String: CInt] = [:]
    }

    private let state: Mutex<State>

    /// Opens the folder, which is made if it does not exist, and locks it (`flock`) until ``close()`` or the process ends.
    ///
    /// - Throws: ``DiskError`` with the code `locked` if another process has it.
    public init(path: String) throws(DiskError) {
        self.path = path
        try Self.makeDirectory(path)
        let directory = Glibc.open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard directory >= 0 else { throw Self.error("opening the folder", path) }
        guard flock(directory, LOCK_EX | LOCK_NB) == 0 else {
            let cause = errno
            _ = Glibc.close(directory)
            if cause == EWOULDBLOCK {
                throw DiskError(
                    code: .locked, operation: "locking the data folder", directory: path,
                    cause: "another process is using it")
            }
            throw Self.error("locking the data folder", path, errno: cause)
        }
        state = Mutex(State(directory: directory))
    }

    deinit { close() }

    public func list() throws(DiskError) -> [String] {
        guard let stream = opendir(path) else { throw error("listing the files") }
        defer { closedir(stream) }
        var files: [String] = []
        errno = 0
        while let entry = readdir(stream) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) { pointer in
                pointer.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            if entry.pointee.d_type != UInt8(DT_DIR), name != ".", name != ".." { files.append(name) }
            errno = 0
        }
        guard errno == 0 else { throw error("listing the files") }
        return files
    }

    public func read(_ file: String) throws(DiskError) -> [UInt8] {
        let descriptor = try descriptor(file, create: false)
        var status = stat()
        guard fstat(descriptor, &status) == 0 else { throw error("reading \(file)") }
        let size = Int(status.st_size)
        var failed: CInt = 0
        let bytes = [UInt8](unsafeUninitializedCapacity: size) { buffer, count in
            while count < size {
                let got = pread(descriptor, buffer.baseAddress! + count, size - count, off_t(count))
                if got > 0 {
                    count += got
                } else if got == 0 {
                    return
                } else if errno != EINTR {
                    failed = errno
                    return
                }
            }
        }
        release(file)
        guard failed == 0 else { throw Self.error("reading \(file)", path, errno: failed) }
        return bytes
    }

    public func write(_ bytes: [UInt8], to file: String, at offset: Int) throws(DiskError) {
        let descriptor = try descriptor(file, create: true)
        var failed: CInt = 0
        bytes.withUnsafeBytes { buffer in
            var done = 0
            while done < buffer.count {
                let count = pwrite(descriptor, buffer.baseAddress! + done, buffer.count - done, off_t(offset + done))
                if count > 0 {
                    done += count
                } else if count == 0 || errno != EINTR {
                    failed = count == 0 ? EIO : errno
                    return
                }
            }
        }
        guard failed == 0 else { throw Self.error("writing \(file)", path, errno: failed) }
    }

    public func sync(_ file: String) throws(DiskError) {
        let descriptor = try descriptor(file, create: false)
        // Only an interrupted call is repeated: after a real error the system may have dropped what it failed to write.
        while fdatasync(descriptor) != 0 {
            guard errno == EINTR else { throw error("syncing \(file)") }
        }
    }

    public func replace(_ target: String, with file: String) throws(DiskError) {
        release(file)
        release(target)
        guard rename(full(file), full(target)) == 0 else { throw error("renaming \(file) to \(target)") }
        try syncDirectory()
    }

    public func remove(_ file: String) throws(DiskError) {
        release(file)
        guard unlink(full(file)) == 0 || errno == ENOENT else { throw error("removing \(file)") }
        try syncDirectory()
    }

    public func release(_ file: String) {
        state.withLock { state in
            guard let descriptor = state.open.removeValue(forKey: file) else { return }
            _ = Glibc.close(descriptor)
        }
    }

    public func close() {
        state.withLock { state in
            guard state.directory >= 0 else { return }
            for descriptor in state.open.values { _ = Glibc.close(descriptor) }
            state.open = [:]
            _ = Glibc.close(state.directory)
            state.directory = -1
        }
    }

    // MARK: - Helpers

    private func full(_ file: String) -> String { "\(path)/\(file)" }

    private func descriptor(_ file: String, create: Bool) throws(DiskError) -> CInt {
        let flags = O_RDWR | O_CLOEXEC | (create ? O_CREAT : 0)
        let result = state.withLock { state -> Result<CInt, DiskError> in
            precondition(state.directory >= 0, "the folder is closed")
            if let descriptor = state.open[file] { return .success(descriptor) }
            let descriptor = Glibc.open(full(file), flags, 0o600)
            guard descriptor >= 0 else { return .failure(error("opening \(file)")) }
            state.open[file] = descriptor
            return .success(descriptor)
        }
        return try result.get()
    }

    private func syncDirectory() throws(DiskError) {
        let failed = state.withLock { state in fsync(state.directory) == 0 ? 0 : errno }
        guard failed == 0 else { throw Self.error("syncing the folder", path, errno: failed) }
    }

    /// Makes the folder and those above it, each durable in the one above.
    private static func makeDirectory(_ path: String) throws(DiskError) {
        if mkdir(path, 0o700) == 0 {
            let parent = Glibc.open(self.parent(of: path), O_RDONLY | O_DIRECTORY | O_CLOEXEC)
            guard parent >= 0 else { throw error("making the folder", path) }
            defer { _ = Glibc.close(parent) }
            guard fsync(parent) == 0 else { throw error("making the folder", path) }
        } else if errno == ENOENT, parent(of: path) != path {
            try makeDirectory(parent(of: path))
            try makeDirectory(path)
        } else if errno != EEXIST {
            throw error("making the folder", path)
        }
    }

    private static func parent(of path: String) -> String {
        var trimmed = path[...]
        while trimmed.count > 1, trimmed.hasSuffix("/") { trimmed.removeLast() }
        guard let slash = trimmed.lastIndex(of: "/") else { return "." }
        return slash == trimmed.startIndex ? "/" : String(trimmed[..<slash])
    }

    private func error(_ operation: String) -> DiskError { Self.error(operation, path) }

    private static func error(_ operation: String, _ path: String, errno cause: CInt = errno) -> DiskError {
        let code: DiskError.Code =
            switch cause {
            case ENOSPC, EDQUOT: .full
            case EACCES, EPERM, EROFS: .notPermitted
            default: .failed
            }
        return DiskError(
            code: code, operation: operation, directory: path, cause: "\(String(cString: strerror(cause))) (\(cause))")
    }
}

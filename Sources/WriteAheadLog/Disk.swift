/// A folder on a disk, as the log needs it. The driver has ``FileDisk``; simulations bring their own.
///
/// What a crash may do is part of the contract: it may lose any part of what was written to a file since the file's last
/// ``sync(_:)``, and ``replace(_:with:)`` and ``remove(_:)`` are durable when they return. Any error is final: the log
/// never repeats a failed call, since the system may have dropped the data that it failed to write.
public protocol Disk: AnyObject, Sendable {
    /// All files in the folder.
    func list() throws(DiskError) -> [String]
    /// The whole content of a file.
    func read(_ file: String) throws(DiskError) -> [UInt8]
    /// Writes all of `bytes` at `offset`. A file that does not exist is created.
    func write(_ bytes: [UInt8], to file: String, at offset: Int) throws(DiskError)
    /// Makes durable what was written to the file.
    func sync(_ file: String) throws(DiskError)
    /// Gives `file`, which was synced, the name `target`, replacing what had it; all or nothing. Durable on return.
    func replace(_ target: String, with file: String) throws(DiskError)
    /// Removes a file. Durable on return.
    func remove(_ file: String) throws(DiskError)
    /// The log is done with the file: what the disk keeps open for it can be given back.
    func release(_ file: String)
    /// The log is done with the folder, which another process may now use.
    func close()
}

extension Disk {
    /// Writes a whole file such that a crash leaves the old content or the new one.
    func writeWhole(_ bytes: [UInt8], to file: String) throws(DiskError) {
        let unfinished = file + FileName.unfinishedSuffix
        try write(bytes, to: unfinished, at: 0)
        try sync(unfinished)
        try replace(file, with: unfinished)
        release(file)
    }
}

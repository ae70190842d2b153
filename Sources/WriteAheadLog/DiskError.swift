/// An operation on the data folder failed.
public struct DiskError: Error, Equatable, Sendable, CustomStringConvertible {
    public enum Code: Equatable, Sendable {
        /// No space, or the quota is used up.
        case full
        /// The folder or a file in it may not be used by this process.
        case notPermitted
        /// Another process uses the folder.
        case locked
        /// Anything else: the disk itself, most likely.
        case failed
    }

    public var code: Code
    /// What was tried, as in "writing segment-00000001".
    public var operation: String
    /// The folder.
    public var directory: String
    /// The system's words for it.
    public var cause: String

    public init(code: Code, operation: String, directory: String, cause: String) {
        self.code = code
        self.operation = operation
        self.directory = directory
        self.cause = cause
    }

    public var description: String {
        let what = "\(operation) in \(directory) failed: \(cause)."
        switch code {
        case .full:
            return "\(what) Free some space on that disk, then start the node again: it goes on where it stopped."
        case .notPermitted:
            return "\(what) Let the user that runs the node own the folder and everything in it."
        case .locked:
            return "\(what) Only one process may use a data folder: stop the other one, or use another folder."
        case .failed:
            return "\(what) The node stops, since it can no longer tell what is on the disk. Check the disk "
                + "(dmesg, smartctl), then start the node again."
        }
    }
}

/// Something that was durable is damaged or missing. The node must not vote or lead with what is left.
public struct LogCorrupted: Error, Equatable, Sendable, CustomStringConvertible {
    /// The name of the damaged file in the data folder.
    public var file: String
    /// Where in the file, in bytes.
    public var offset: Int
    /// What is wrong there.
    public var reason: String

    public init(file: String, offset: Int, reason: String) {
        self.file = file
        self.offset = offset
        self.reason = reason
    }

    public var description: String {
        """
        The log is damaged: \(file), byte \(offset): \(reason). \
        This node does not start, since it may have given promises that it no longer knows. \
        To rejoin, check the disk, move the data folder away and start the node again with an empty one: \
        it joins as a new incarnation and gets everything from the others. \
        As long as a majority of the cluster's nodes is healthy, nothing is lost.
        """
    }
}

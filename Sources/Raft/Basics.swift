/// A member of the cluster, by the number the operator gave it; never 0.
public struct NodeID: RawRepresentable, Hashable, Comparable, Sendable, CustomStringConvertible {
    public var rawValue: UInt32

    public init(rawValue: UInt32) { self.rawValue = rawValue }

    public init(_ rawValue: UInt32) { self.rawValue = rawValue }

    public static func < (a: NodeID, b: NodeID) -> Bool { a.rawValue < b.rawValue }

    public var description: String { String(rawValue) }
}

/// A leader's reign (Raft paper, section 5.1).
public typealias Term = UInt64

/// A position in the log; the first entry has index 1, and 0 means "before the first".
public typealias LogIndex = UInt64

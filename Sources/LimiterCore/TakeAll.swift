extension Array {
    /// Everything in it, and it is empty afterwards.
    ///
    /// Nothing is copied. To keep the capacity instead would allocate it anew each time, since the caller holds the old storage.
    @inlinable
    package mutating func takeAll() -> [Element] {
        var taken: [Element] = []
        swap(&taken, &self)
        return taken
    }
}

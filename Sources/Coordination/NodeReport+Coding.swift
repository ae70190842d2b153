import ByteCoding

extension NodeReport {
    /// 25 bytes, to travel with a heartbeat's answer.
    public func encoded() -> [UInt8] {
        var writer = ByteWriter(capacity: 32)
        writer.write(incarnation)
        writer.write(applied)
        writer.write(served)
        writer.write(isDraining)
        return writer.bytes
    }

    /// nil if the bytes are no report, for instance those of a node that has not applied anything yet.
    public init?(decoding bytes: [UInt8]) {
        var reader = ByteReader(bytes)
        do {
            self.init(
                incarnation: try reader.read(), applied: try reader.read(), served: try reader.read(),
                isDraining: try reader.readBool())
            try reader.finish()
        } catch {
            return nil
        }
    }
}

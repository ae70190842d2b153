/// The next segment's file in the making: zeros are really written, so that a later write changes no metadata and costs
/// one `fdatasync` without a journal commit, and cannot run out of space.
struct SpareSegment: Sendable {
    enum State: Equatable, Sendable {
        case absent
        /// So many bytes of the unfinished file are written and synced.
        case writing(Int)
        case ready
        /// The disk was full. Not tried again before something was deleted or the segment is needed.
        case postponed
    }

    var state: State

    /// Writes the next piece of the file of segment `number`.
    mutating func step(number: UInt32, on disk: any Disk, options: LogOptions) throws(DiskError) {
        let file = FileName.segment(number)
        let unfinished = file + FileName.unfinishedSuffix
        switch state {
        case .ready:
            break
        case .absent, .postponed:
            state = .writing(0)
            try step(number: number, on: disk, options: options)
        case .writing(let written):
            let count = min(options.stepBytes, options.segmentBytes - written)
            try disk.write([UInt8](repeating: 0, count: count), to: unfinished, at: written)
            try disk.sync(unfinished)
            state = .writing(written + count)
            if written + count == options.segmentBytes {
                try disk.replace(file, with: unfinished)
                state = .ready
            }
        }
    }

    /// As ``step(number:on:options:)``, but a full disk only postpones the work.
    mutating func stepIfRoom(number: UInt32, on disk: any Disk, options: LogOptions) throws(DiskError) {
        do {
            try step(number: number, on: disk, options: options)
        } catch {
            guard error.code == .full else { throw error }
            state = .postponed
            try disk.remove(FileName.segment(number) + FileName.unfinishedSuffix)
        }
    }
}

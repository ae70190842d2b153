extension RaftNode {
    /// Whether ``takeReady()`` is worth calling. It is false while the only thing to do has to wait for ``written(_:)``.
    public var hasReady: Bool {
        !outbox.isEmpty || replicationDue || durableSnapshot != nil || nextCommitted != nil || isWriteDue
            || (hasMessagesAfterSync && !durability.hasFlights)
    }

    /// Takes what the driver has to do now, or nil if that is nothing.
    ///
    /// The next Ready may be taken before the writes of earlier ones are durable.
    public mutating func takeReady() -> Ready? {
        // Called after each event of a node, and mostly for nothing.
        guard hasReady else { return nil }
        if replicationDue {
            replicationDue = false
            replicate()
        }
        var ready = Ready()
        takeWrite(into: &ready)
        swap(&ready.messages, &outbox)
        if ready.write == nil, !durability.hasFlights {
            // Everything these messages vouch for is durable already.
            ready.messages += takeMessagesAfterSync()
        }
        forwardedBytes = 0
        if let snapshot = durableSnapshot {
            durableSnapshot = nil
            ready.snapshot = snapshot
            appliedIndex = snapshot.index
        }
        if let range = nextCommitted {
            ready.committed = Array(log.entries(range))
            appliedIndex = range.upperBound
        }
        return ready.isEmpty ? nil : ready
    }

    private mutating func takeWrite(into ready: inout Ready) {
        guard isWriteDue else { return }
        ready.write = durability.takeWrite(
            term: term, vote: vote, commit: commitIndex, log: log, messagesAfterSync: takeMessagesAfterSync())
    }

    /// Messages that vouch for writes in flight ride on a write of their own, which has nothing to sync but its turn.
    private var isWriteDue: Bool {
        durability.canWrite
            && (durability.mustWrite(term: term, vote: vote, lastIndex: log.lastIndex)
                || (hasMessagesAfterSync && durability.hasFlights))
    }

    private var hasMessagesAfterSync: Bool { !outboxAfterSync.isEmpty || pendingAcknowledgement != nil }

    private mutating func takeMessagesAfterSync() -> [Message] {
        if let match = pendingAcknowledgement, let leader {
            pendingAcknowledgement = nil
            sendAfterSync(.appendResponse(match: match), to: leader)
        }
        var messages: [Message] = []
        swap(&messages, &outboxAfterSync)
        return messages
    }

    /// The next entries to hand out. None while a snapshot that precedes them is not durable: then the log does not reach
    /// back to what was applied.
    private var nextCommitted: ClosedRange<LogIndex>? {
        let first = appliedIndex + 1
        let last = min(commitIndex, durability.durableIndex)
        guard first <= last, first >= log.firstIndex else { return nil }
        return first...min(last, appliedIndex + UInt64(configuration.maxCommittedPerReady))
    }
}
